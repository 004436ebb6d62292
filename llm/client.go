package llm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sashabaranov/go-openai"
)

// How long a model may be silent, unless a [Config] says otherwise. There is no
// limit on a reply as a whole, other than the caller's context: a slow model
// that keeps writing is not interrupted.
const (
	DefaultFirstWordTimeout = 120 * time.Second // a local server may have to load the model
	DefaultIdleTimeout      = 60 * time.Second
)

// maxAdaptations bounds how often one turn is repeated because the server
// refused a part of it.
const maxAdaptations = 10

// Config tells which server to use, and how. Nothing is sent that is not set
// here, other than what the protocol requires.
type Config struct {
	BaseURL string // such as https://api.openai.com/v1; see docs/models.md for the forms
	APIKey  string // may be empty for a local server
	Model   string // such as gpt-4o-mini
	API     API    // "" means APIAuto

	Temperature *float32 // nil sends none; reasoning models refuse any
	MaxTokens   int      // of one reply; 0 sends no limit

	Transport        http.RoundTripper // nil for http.DefaultTransport
	FirstWordTimeout time.Duration     // 0 for DefaultFirstWordTimeout
	IdleTimeout      time.Duration     // between two pieces; 0 for DefaultIdleTimeout
}

func (c Config) check() error {
	switch {
	case c.Model == "":
		return errors.New("LLM_MODEL is required: the name of the model to use")
	case strings.ContainsFunc(c.APIKey, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("LLM_API_KEY holds a space, a line break or another character that no key has")
	case c.API != "" && c.API != APIAuto && c.API != APIChat && c.API != APIResponses:
		return errors.New("LLM_API must be auto, chat or responses")
	case c.MaxTokens < 0:
		return errors.New("LLM_MAX_TOKENS can't be negative")
	case c.Temperature != nil && (*c.Temperature < 0 || *c.Temperature > 2):
		return errors.New("LLM_TEMPERATURE must be between 0 and 2")
	case c.FirstWordTimeout < 0 || c.IdleTimeout < 0:
		return errors.New("LLM_TIMEOUT can't be negative")
	}
	return nil
}

// client is a Model behind the OpenAI protocol. It is safe for concurrent use.
type client struct {
	apis    []*openai.Client // one for each base URL of the endpoint
	wire    *transport
	end     endpoint
	cfg     Config
	wanted  API // APIAuto, or what was asked for
	learned atomic.Pointer[adaptation]
	name    string // as the page shows it
	mode    Mode
	who     string // names the server in errors
	vendor  Vendor
	delay   time.Duration // before a failed request is repeated
}

var _ Model = (*client)(nil)

// NewOpenAI returns a Model for a server that speaks the OpenAI protocol. It
// sends nothing yet.
func NewOpenAI(cfg Config) (Model, error) {
	m, err := newRemote(cfg)
	if err != nil {
		return nil, err // not a nil *client in the interface
	}
	return m, nil
}

func newRemote(cfg Config) (*client, error) {
	end, vendor, err := parseEndpoint(cfg.BaseURL)
	if err == nil {
		err = cfg.check()
	}
	if err != nil {
		return nil, err
	}
	return newClient(cfg, end, vendor, cfg.Model, ModeRemote, "the model server at "+end.host), nil
}

func newClient(cfg Config, end endpoint, vendor Vendor, name string, mode Mode, who string) *client {
	cfg.FirstWordTimeout = cmp.Or(cfg.FirstWordTimeout, DefaultFirstWordTimeout)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, DefaultIdleTimeout)
	m := &client{end: end, cfg: cfg, wanted: cmp.Or(end.api, cfg.API, APIAuto), name: name, mode: mode, who: who, vendor: vendor, delay: firstDelay}
	m.wire = &transport{next: cmp.Or(cfg.Transport, http.DefaultTransport), who: who, vendor: vendor,
		redact: newRedactor(cfg.APIKey), query: end.query, azure: end.azure}
	for _, base := range end.bases {
		oc := openai.DefaultConfig(cfg.APIKey)
		oc.BaseURL, oc.HTTPClient = base, &http.Client{Transport: m.wire}
		m.apis = append(m.apis, openai.NewClientWithConfig(oc))
	}
	first := adaptation{api: m.wanted, tokensField: "max_tokens"}
	if m.wanted == APIAuto {
		first.api = APIChat
		if needsResponses(cfg.Model) {
			first.api = APIResponses
		}
	}
	if vendor == VendorOpenAI || vendor == VendorAzure {
		first.tokensField = "max_completion_tokens"
	}
	m.learned.Store(&first)
	return m
}

// needsResponses reports whether the client library refuses a model's tools
// over chat completions.
func needsResponses(model string) bool {
	err := openai.NewReasoningValidator().Validate(openai.ChatCompletionRequest{Model: model, Tools: []openai.Tool{{}}})
	return errors.Is(err, openai.ErrReasoningToolsRequireResponses)
}

// Name implements [Model].
func (m *client) Name() string { return m.name }

// Mode implements [Model].
func (m *client) Mode() Mode { return m.mode }

// Vendor returns the product that serves the model, as far as it is known.
func (m *client) Vendor() Vendor { return m.vendor }

// Complete implements [Model]. It repeats the request, adapted or after a wait,
// as long as no text of a reply has been passed to onText.
func (m *client) Complete(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	said := false
	emit := func(text string) {
		said = true
		onText(text)
	}
	again := retrier{delay: m.delay}
	for adapted := 0; ; {
		used := m.learned.Load()
		f := &flight{}
		reply, err := m.try(ctx, req, *used, f, emit)
		if err == nil {
			return reply, nil
		}
		if said || ctx.Err() != nil {
			return Reply{}, err
		}
		if adapted < maxAdaptations && m.adapt(used, err, f) {
			adapted++
			continue
		}
		wait, limit, ok := again.next(err)
		if end, limited := ctx.Deadline(); !ok || limited && time.Until(end) < wait {
			return Reply{}, err
		}
		if wait >= shownFrom && req.OnWait != nil {
			req.OnWait(Wait{Reason: err.Message, For: wait, Limit: limit})
		}
		if sleep(ctx, wait) != nil {
			return Reply{}, explainEnd(ctx, m.who)
		}
	}
}

// adapt reports whether something was learned from a refusal, by this turn or,
// since it began, by another.
func (m *client) adapt(used *adaptation, e *Error, f *flight) bool {
	if m.learned.Load() != used {
		return true
	}
	next, ok := used.learn(e, m.end, m.wanted, string(f.sent))
	if ok {
		m.learned.CompareAndSwap(used, &next) // else another turn has learned something
	}
	return ok
}

// stream is what the two APIs' streams have in common.
type stream interface {
	RecvRaw() ([]byte, error)
	Close() error
}

// try puts the turn to the server once.
func (m *client) try(ctx context.Context, req Request, a adaptation, f *flight, emit func(string)) (Reply, *Error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	allow := func(d time.Duration) *time.Timer {
		return time.AfterFunc(d, func() { cancel(silent(m.who, d)) })
	}
	silence := allow(m.cfg.FirstWordTimeout)
	defer func() { silence.Stop() }()

	s, err := m.open(withFlight(ctx, f), req, a, f)
	if err != nil {
		return Reply{}, explain(ctx, m.who, err)
	}
	defer func() { _ = s.Close() }() // it was only read
	build := newAssembly(m.wire, req, emit)
	add := build.addChatEvent
	if a.api == APIResponses {
		add = build.addResponseEvent
	}
	for {
		raw, err := s.RecvRaw()
		if errors.Is(err, io.EOF) && ctx.Err() == nil {
			build.done = build.done || f.done
			reply, err := build.reply()
			if err != nil {
				return Reply{}, explain(ctx, m.who, err)
			}
			return reply, nil
		}
		if err != nil {
			return Reply{}, explain(ctx, m.who, err)
		}
		silence.Stop() // the caller's own time is not the server's
		if err := add(raw); err != nil {
			return Reply{}, explain(ctx, m.who, err)
		}
		limit := m.cfg.IdleTimeout
		if build.empty() {
			limit = max(limit, m.cfg.FirstWordTimeout)
		}
		silence = allow(limit)
	}
}

// open sends the request.
func (m *client) open(ctx context.Context, req Request, a adaptation, f *flight) (stream, error) {
	api := m.apis[a.base]
	if a.api == APIResponses {
		request, err := m.responsesRequest(req, a)
		if err != nil {
			return nil, err
		}
		s, err := api.CreateResponseStream(ctx, request)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	f.amend = func(body []byte) ([]byte, error) { return m.amendChat(body, req, a) }
	s, err := api.CreateChatCompletionStream(ctx, m.chatRequest(req, a))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// errorf returns a protocol error that names the server.
func (a *assembly) errorf(format string, args ...any) *Error {
	return unreadable(a.who, fmt.Sprintf(format, args...))
}
