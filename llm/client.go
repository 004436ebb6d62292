package llm

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// How long a model may be silent, unless a [Config] says otherwise. What bounds
// a call as a whole is its context.
const (
	DefaultFirstWordTimeout = 60 * time.Second // a local server may have to load the model
	DefaultIdleTimeout      = 30 * time.Second
)

// Config says which server to use, and how.
type Config struct {
	BaseURL string // such as https://api.openai.com/v1
	APIKey  string // may be empty for a local server
	Model   string // such as gpt-4o-mini

	// Temperature is nil for the server's own, the only one that reasoning
	// models take.
	Temperature *float32

	Transport        http.RoundTripper // nil for http.DefaultTransport
	FirstWordTimeout time.Duration     // 0 for DefaultFirstWordTimeout; retries included
	IdleTimeout      time.Duration     // 0 for DefaultIdleTimeout; between two pieces
}

// check returns the host of the server.
func (c Config) check() (host string, err error) {
	base, err := url.Parse(c.BaseURL)
	switch {
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https":
		return "", errors.New("LLM_BASE_URL must look like https://api.openai.com/v1")
	case c.Model == "":
		return "", errors.New("LLM_MODEL is required: the name of the model to use")
	case strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("LLM_API_KEY holds a space, a line break or another character that no key has")
	}
	return base.Host, nil
}

// client is a Model behind the OpenAI protocol.
type client struct {
	api  *openai.Client
	cfg  Config
	name string // as the page shows it
	mode Mode
	who  string // in errors
}

var _ Model = (*client)(nil)

// NewOpenAI makes a Model of a server that speaks the OpenAI protocol: OpenAI
// itself, Ollama, vLLM, llama.cpp, LM Studio and their like. It sends nothing
// yet.
func NewOpenAI(cfg Config) (Model, error) {
	return newRemote(cfg, func(rt http.RoundTripper) http.RoundTripper { return rt })
}

// newRemote makes a client of a server; around wraps its transport.
func newRemote(cfg Config, around func(http.RoundTripper) http.RoundTripper) (*client, error) {
	host, err := cfg.check()
	if err != nil {
		return nil, err
	}
	who := "the model server at " + host
	rt := around(&transport{next: cmp.Or(cfg.Transport, http.DefaultTransport), who: who})
	return newClient(cfg, rt, cfg.Model, ModeRemote, who), nil
}

func newClient(cfg Config, rt http.RoundTripper, name string, mode Mode, who string) *client {
	cfg.FirstWordTimeout = cmp.Or(cfg.FirstWordTimeout, DefaultFirstWordTimeout)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, DefaultIdleTimeout)
	oc := openai.DefaultConfig(cfg.APIKey)
	oc.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	oc.HTTPClient = &http.Client{Transport: rt}
	return &client{api: openai.NewClientWithConfig(oc), cfg: cfg, name: name, mode: mode, who: who}
}

// Name implements [Model].
func (m *client) Name() string { return m.name }

// Mode implements [Model].
func (m *client) Mode() Mode { return m.mode }

// Complete implements [Model].
func (m *client) Complete(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	allow := func(d time.Duration) *time.Timer {
		return time.AfterFunc(d, func() { cancel(silent(m.who, d)) })
	}
	silence := allow(m.cfg.FirstWordTimeout)
	defer func() { silence.Stop() }()

	stream, err := m.api.CreateChatCompletionStream(ctx, m.request(req))
	if err != nil {
		return Reply{}, explain(ctx, m.who, err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	a := assembly{who: m.who, earlier: req.callCount()}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) && ctx.Err() == nil {
			reply, err := a.reply()
			if m.mode == ModeRecorded { // from a server it would be hearsay
				reply.StandIn = stream.Header().Get(standInHeader)
			}
			return reply, err
		}
		if err != nil {
			return Reply{}, explain(ctx, m.who, err)
		}
		silence.Stop()
		text, err := a.add(chunk)
		if err != nil {
			return Reply{}, err
		}
		if text != "" {
			onText(text)
		}
		silence = allow(m.cfg.IdleTimeout) // the caller's own time is not the server's
	}
}

// almostZero stands for a temperature of 0, which the library would leave out.
// A server divides by it: it must not be so small that it overflows.
const almostZero = 1e-4

// request writes a turn in the protocol's form.
func (m *client) request(req Request) openai.ChatCompletionRequest {
	out := openai.ChatCompletionRequest{Model: m.cfg.Model, Stream: true,
		StreamOptions: &openai.StreamOptions{IncludeUsage: true}}
	if t := m.cfg.Temperature; t != nil {
		out.Temperature = max(*t, almostZero)
	}
	if m.cfg.Model == openai.GPT6Sol || m.cfg.Model == openai.GPT6Luna {
		out.ReasoningEffort = openai.ReasoningEffortNone // with any other they take no tools here
	}
	for _, msg := range req.Messages {
		out.Messages = append(out.Messages, message(msg))
	}
	for _, t := range req.Tools {
		out.Tools = append(out.Tools, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: t.Name, Description: t.Description, Parameters: t.Parameters}})
	}
	return out
}

// message writes a message in the protocol's form. Empty results and empty
// arguments would be left out of the JSON, which servers refuse.
func message(msg Message) openai.ChatCompletionMessage {
	out := openai.ChatCompletionMessage{Role: string(msg.Role), Content: msg.Content, ToolCallID: msg.ToolCallID}
	if msg.Role == RoleTool {
		out.Content = cmp.Or(msg.Content, "{}")
	}
	for _, c := range msg.ToolCalls {
		out.ToolCalls = append(out.ToolCalls, openai.ToolCall{ID: c.ID, Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: c.Name, Arguments: cmp.Or(c.Arguments, "{}")}})
	}
	return out
}

// callCount is the number of tool calls in the conversation so far.
func (r Request) callCount() int {
	n := 0
	for _, m := range r.Messages {
		n += len(m.ToolCalls)
	}
	return n
}
