package planner

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// ModelID is the planner's model name in the API.
const ModelID = "offline-planner"

const (
	maxBody    = 8 << 20 // bytes of a request
	pieceWords = 6       // words streamed at once
	callTokens = 8       // tokens that a tool call counts as in the usage
	replyID    = "chatcmpl-planner"
)

// Handler serves the planner in the OpenAI protocol: POST
// /v1/chat/completions, streamed or not, and GET /v1/models. It waits
// for pause before each piece of a stream. API keys are ignored.
//
// The reported usage counts words instead of tokens.
func Handler(pause time.Duration) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, openai.ModelsList{Models: []openai.Model{{ID: ModelID, Object: "model", OwnedBy: "medassist"}}})
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		var req openai.ChatCompletionRequest
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil || len(req.Messages) == 0 {
			writeJSON(w, http.StatusBadRequest, openai.ErrorResponse{Error: &openai.APIError{
				Message: "the body must be a chat completion request with messages", Type: "invalid_request_error"}})
			return
		}
		answer := plan(readConversation(req))
		if !req.Stream {
			writeJSON(w, http.StatusOK, answer.whole(req))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		out := http.NewResponseController(w)
		for chunk := range answer.chunks(req) {
			b, err := json.Marshal(chunk)
			if err != nil || !wait(r.Context(), pause) {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", b); err != nil {
				return
			}
			_ = out.Flush() // the next write reports a client that has gone
		}
		fmt.Fprint(w, "data: [DONE]\n\n") // the client may be gone
	})
	return mux
}

// wait waits for d. It reports false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// A turn is the planner's reply: tool calls, or text.
type turn struct {
	text  string
	calls []openai.ToolCall
}

func (t turn) finish() openai.FinishReason {
	if len(t.calls) > 0 {
		return openai.FinishReasonToolCalls
	}
	return openai.FinishReasonStop
}

func (t turn) usage(req openai.ChatCompletionRequest) *openai.Usage {
	u := &openai.Usage{CompletionTokens: len(strings.Fields(t.text)) + callTokens*len(t.calls)}
	for _, m := range req.Messages {
		u.PromptTokens += len(strings.Fields(textOf(m)))
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// whole returns the reply as one document.
func (t turn) whole(req openai.ChatCompletionRequest) openai.ChatCompletionResponse {
	return openai.ChatCompletionResponse{
		ID: replyID, Object: "chat.completion", Model: req.Model, Usage: *t.usage(req),
		Choices: []openai.ChatCompletionChoice{{FinishReason: t.finish(), Message: openai.ChatCompletionMessage{
			Role: openai.ChatMessageRoleAssistant, Content: t.text, ToolCalls: t.calls}}},
	}
}

// A chunk is one piece of a stream. The library's type would add results of a
// content filter to each.
type chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"` // 0: the same request gets the same answer
	Model   string        `json:"model"`
	Choices []choice      `json:"choices"`
	Usage   *openai.Usage `json:"usage,omitempty"`
}

type choice struct {
	Index        int                                    `json:"index"`
	Delta        openai.ChatCompletionStreamChoiceDelta `json:"delta"`
	FinishReason openai.FinishReason                    `json:"finish_reason"` // "" becomes null
}

// chunks returns the reply as the pieces of a stream.
func (t turn) chunks(req openai.ChatCompletionRequest) iter.Seq[chunk] {
	return func(yield func(chunk) bool) {
		empty := chunk{ID: replyID, Object: "chat.completion.chunk", Model: req.Model, Choices: []choice{}}
		send := func(c choice) bool {
			next := empty
			next.Choices = []choice{c}
			return yield(next)
		}
		for piece := range pieces(t.text) {
			if !send(choice{Delta: openai.ChatCompletionStreamChoiceDelta{Content: piece}}) {
				return
			}
		}
		for i, c := range t.calls {
			c.Index = &i
			if !send(choice{Delta: openai.ChatCompletionStreamChoiceDelta{ToolCalls: []openai.ToolCall{c}}}) {
				return
			}
		}
		if send(choice{FinishReason: t.finish()}) && req.StreamOptions != nil && req.StreamOptions.IncludeUsage {
			empty.Usage = t.usage(req)
			yield(empty)
		}
	}
}

// pieces splits text into pieces of a few words each.
func pieces(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, words := 0, 0
		for i := 1; i < len(text); i++ {
			if isSpace(text[i]) || !isSpace(text[i-1]) {
				continue
			}
			if words++; words == pieceWords {
				if !yield(text[start:i]) {
					return
				}
				start, words = i, 0
			}
		}
		if start < len(text) {
			yield(text[start:])
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
