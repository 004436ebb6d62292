package llm

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// PlannerName is what the page shows for the offline planner.
const PlannerName = "OFFLINE PLANNER"

const maxPlannerBody = 8 << 20 // bytes of a request

// NewPlanner makes the Model that needs no network: the planner's handler,
// reached through the same client and protocol as any other model.
func NewPlanner() Model {
	return newClient(Config{BaseURL: "http://planner.invalid/v1", Model: "offline-planner",
		Transport: inProcess{PlannerHandler()}}, PlannerName, ModeOffline, "this process")
}

// PlannerHandler serves the planner in the OpenAI protocol: POST
// /v1/chat/completions, streaming or not, and GET /v1/models. It keeps nothing
// between requests: all it knows is in the messages, as with any model.
func PlannerHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, openai.ModelsList{Models: []openai.Model{{ID: "offline-planner", Object: "model", OwnedBy: "medassist"}}})
	})
	mux.HandleFunc("POST /v1/chat/completions", complete)
	return mux
}

func complete(w http.ResponseWriter, r *http.Request) {
	var req openai.ChatCompletionRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPlannerBody)).Decode(&req); err != nil || len(req.Messages) == 0 {
		writeJSON(w, http.StatusBadRequest, openai.ErrorResponse{Error: &openai.APIError{
			Message: "the body must be a chat completion request with messages", Type: "invalid_request_error"}})
		return
	}
	reply := plan(readConversation(req))
	usage := openai.Usage{PromptTokens: countWords(req.Messages), CompletionTokens: len(strings.Fields(reply.Content)) + 8*len(reply.ToolCalls)}
	usage.TotalTokens = usage.PromptTokens + usage.CompletionTokens
	if !req.Stream {
		writeJSON(w, http.StatusOK, openai.ChatCompletionResponse{
			ID: "chatcmpl-planner", Object: "chat.completion", Model: req.Model, Usage: usage,
			Choices: []openai.ChatCompletionChoice{{Message: openai.ChatCompletionMessage{
				Role: openai.ChatMessageRoleAssistant, Content: reply.Content, ToolCalls: reply.ToolCalls}, FinishReason: reply.finish()}},
		})
		return
	}
	stream(w, req.Model, reply, &usage)
}

// stream writes a reply a few words at a time.
func stream(w http.ResponseWriter, model string, p planned, usage *openai.Usage) {
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	send := func(choices []openai.ChatCompletionStreamChoice, usage *openai.Usage) {
		b, err := json.Marshal(openai.ChatCompletionStreamResponse{ID: "chatcmpl-planner", Object: "chat.completion.chunk",
			Model: model, Created: time.Now().Unix(), Choices: choices, Usage: usage})
		if err == nil {
			fmt.Fprintf(w, "data: %s\n\n", b) // a client that is gone needs no answer
			control.Flush()
		}
	}
	delta := func(d openai.ChatCompletionStreamChoiceDelta, finish openai.FinishReason) {
		send([]openai.ChatCompletionStreamChoice{{Delta: d, FinishReason: finish}}, nil)
	}
	for piece := range pieces(p.Content) {
		delta(openai.ChatCompletionStreamChoiceDelta{Content: piece}, "")
	}
	for i, c := range p.ToolCalls {
		c.Index = &i
		delta(openai.ChatCompletionStreamChoiceDelta{ToolCalls: []openai.ToolCall{c}}, "")
	}
	delta(openai.ChatCompletionStreamChoiceDelta{}, p.finish())
	send([]openai.ChatCompletionStreamChoice{}, usage)
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// pieces cuts text after every few words, at white space.
func pieces(text string) func(func(string) bool) {
	return func(yield func(string) bool) {
		words := 0
		start := 0
		for i := 1; i < len(text); i++ {
			if isSpace(text[i-1]) && !isSpace(text[i]) {
				if words++; words == 6 {
					if !yield(text[start:i]) {
						return
					}
					start, words = i, 0
				}
			}
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' }

// countWords stands in for a token count: the planner has no tokens.
func countWords(messages []openai.ChatCompletionMessage) int {
	n := 0
	for _, m := range messages {
		n += len(strings.Fields(m.Content))
	}
	return n
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}

// inProcess is a transport that calls a handler instead of a network. The
// response streams: what the handler has written can be read while it writes.
type inProcess struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper]. The handler's goroutine ends when
// it has answered, or when the reader has closed the body.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, pipe: pw, ready: make(chan struct{})}
	served := req.Clone(req.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	go func() {
		t.handler.ServeHTTP(w, served)
		w.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	select {
	case <-w.ready:
	case <-req.Context().Done():
		pr.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: w.status, Header: w.header, Body: pr, Request: req,
		Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}, nil
}

// pipeWriter is a ResponseWriter whose body is a pipe.
type pipeWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	ready  chan struct{} // closed when status is set
	status int
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		close(w.ready)
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(b)
}

// Flush does nothing: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}
