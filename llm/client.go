package llm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Bounds on one reply.
const (
	maxReplyText  = 256 << 10 // bytes of text
	maxReplyCalls = 32        // tool calls
	maxReplyArgs  = 64 << 10  // bytes of one call's arguments
)

// DefaultIdleTimeout is how long a model may be silent, before its first word
// and between two.
const DefaultIdleTimeout = 60 * time.Second

// Config says which server to use.
type Config struct {
	BaseURL     string            // such as https://api.openai.com/v1
	APIKey      string            // may be empty for a local server
	Model       string            // such as gpt-4o-mini
	Transport   http.RoundTripper // nil for the default
	IdleTimeout time.Duration     // 0 for DefaultIdleTimeout
}

// client is a Model behind the OpenAI protocol.
type client struct {
	api   *openai.Client
	model string // as the server knows it
	name  string // as the page shows it
	mode  Mode
	host  string
	idle  time.Duration
}

var _ Model = (*client)(nil)

// NewOpenAI makes a Model of a server that speaks the OpenAI protocol. It
// sends nothing yet.
func NewOpenAI(cfg Config) (Model, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, errors.New("LLM_BASE_URL must look like https://api.openai.com/v1")
	}
	if cfg.Model == "" {
		return nil, errors.New("LLM_MODEL is required: the name of the model to use")
	}
	return newClient(cfg, cfg.Model, ModeRemote, base.Host), nil
}

func newClient(cfg Config, name string, mode Mode, host string) *client {
	oc := openai.DefaultConfig(cfg.APIKey)
	oc.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	oc.HTTPClient = &http.Client{
		Transport:     &transport{next: cmp.Or(cfg.Transport, http.DefaultTransport)},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &client{api: openai.NewClientWithConfig(oc), model: cfg.Model, name: name, mode: mode, host: host,
		idle: cmp.Or(cfg.IdleTimeout, DefaultIdleTimeout)}
}

// Name implements [Model].
func (m *client) Name() string { return m.name }

// Mode implements [Model].
func (m *client) Mode() Mode { return m.mode }

// Complete implements [Model].
func (m *client) Complete(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(m.idle, func() {
		cancel(&Error{Kind: KindTimeout, cause: context.DeadlineExceeded,
			Message: fmt.Sprintf("the model at %s said nothing for %s", m.host, m.idle),
			Hint:    "is the server busy, or loading the model?"})
	})
	defer silence.Stop()

	stream, err := m.api.CreateChatCompletionStream(ctx, m.request(req))
	if err != nil {
		return Reply{}, m.explain(ctx, err)
	}
	defer stream.Close()
	var a assembly
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Reply{}, m.explain(ctx, err)
		}
		silence.Reset(m.idle)
		text, err := a.add(chunk)
		if err != nil {
			return Reply{}, err
		}
		if text != "" {
			onText(text)
		}
	}
	if ctx.Err() != nil {
		return Reply{}, m.explain(ctx, ctx.Err())
	}
	return a.reply(m)
}

// request writes a turn in the protocol's form. An empty tool result and empty
// arguments would be left out of the JSON, which servers refuse.
func (m *client) request(req Request) openai.ChatCompletionRequest {
	out := openai.ChatCompletionRequest{Model: m.model, Stream: true,
		StreamOptions: &openai.StreamOptions{IncludeUsage: true}}
	for _, msg := range req.Messages {
		om := openai.ChatCompletionMessage{Role: string(msg.Role), Content: msg.Content, ToolCallID: msg.ToolCallID}
		if msg.Role == RoleTool && om.Content == "" {
			om.Content = "{}"
		}
		for _, c := range msg.ToolCalls {
			om.ToolCalls = append(om.ToolCalls, openai.ToolCall{ID: c.ID, Type: openai.ToolTypeFunction,
				Function: openai.FunctionCall{Name: c.Name, Arguments: cmp.Or(c.Arguments, "{}")}})
		}
		out.Messages = append(out.Messages, om)
	}
	for _, t := range req.Tools {
		out.Tools = append(out.Tools, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: t.Name, Description: t.Description, Parameters: t.Parameters}})
	}
	return out
}

// assembly puts a reply together from the pieces of a stream.
type assembly struct {
	text   strings.Builder
	calls  []openai.ToolCall
	finish openai.FinishReason
	usage  Usage
	seen   bool // a choice came
}

// add takes one chunk and returns the text in it.
func (a *assembly) add(chunk openai.ChatCompletionStreamResponse) (string, error) {
	if chunk.Usage != nil {
		a.usage = Usage{chunk.Usage.PromptTokens, chunk.Usage.CompletionTokens}
	}
	if len(chunk.Choices) == 0 {
		return "", nil // usage comes without a choice
	}
	choice := chunk.Choices[0]
	a.seen = true
	if choice.FinishReason != "" {
		a.finish = choice.FinishReason
	}
	for _, piece := range choice.Delta.ToolCalls {
		if err := a.addCall(piece); err != nil {
			return "", err
		}
	}
	if a.text.Len()+len(choice.Delta.Content) > maxReplyText {
		return "", &Error{Kind: KindLimit, Message: fmt.Sprintf("the model wrote more than %d bytes in one reply", maxReplyText)}
	}
	a.text.WriteString(choice.Delta.Content)
	return choice.Delta.Content, nil
}

// addCall joins a piece to its call: by index; without one, a piece with an ID
// or a name begins a call, and any other goes on with the last.
func (a *assembly) addCall(piece openai.ToolCall) error {
	i := len(a.calls) - 1
	switch {
	case piece.Index != nil:
		i = *piece.Index
	case piece.ID != "" || piece.Function.Name != "":
		i = len(a.calls)
	}
	if i < 0 || i > len(a.calls) || i >= maxReplyCalls {
		return &Error{Kind: KindLimit, Message: fmt.Sprintf("the model asked for more than %d tools at once, or numbered them wrongly", maxReplyCalls)}
	}
	if i == len(a.calls) {
		a.calls = append(a.calls, openai.ToolCall{})
	}
	c := &a.calls[i]
	c.ID = cmp.Or(c.ID, piece.ID)
	c.Function.Name = cmp.Or(c.Function.Name, piece.Function.Name)
	if len(c.Function.Arguments)+len(piece.Function.Arguments) > maxReplyArgs {
		return &Error{Kind: KindLimit, Message: fmt.Sprintf("the model wrote arguments of more than %d bytes", maxReplyArgs)}
	}
	c.Function.Arguments += piece.Function.Arguments
	return nil
}

// reply is the whole turn, or what is missing from it.
func (a *assembly) reply(m *client) (Reply, error) {
	switch {
	case !a.seen:
		return Reply{}, &Error{Kind: KindProtocol, Message: fmt.Sprintf("the model at %s sent an empty reply", m.host)}
	case a.finish == "":
		return Reply{}, m.brokenOff()
	case a.text.Len() == 0 && len(a.calls) == 0:
		return Reply{}, &Error{Kind: KindProtocol, Message: fmt.Sprintf("the model at %s said nothing and asked for nothing (%s)", m.host, a.finish)}
	}
	r := Reply{Content: a.text.String(), FinishReason: string(a.finish), Usage: a.usage}
	for i, c := range a.calls {
		r.ToolCalls = append(r.ToolCalls, ToolCall{
			ID:   cmp.Or(c.ID, fmt.Sprintf("call_%d", i+1)),
			Name: c.Function.Name, Arguments: cmp.Or(c.Function.Arguments, "{}")})
	}
	return r, nil
}
