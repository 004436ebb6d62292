// Package preflight looks, before anybody else does, whether a demo will work:
// the broker, the credentials and the ceiling, a real tool call by the model,
// streaming, the records API and the audit chain. Each check says what it found
// and, if that is not good, what to do.
//
// The operator's page and `medassist doctor` show the same checks. They make
// real agents at the broker, for a patient who does not exist, and end them.
package preflight

import (
	"context"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/llm"
)

// State is how a check came out.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // the demo works, but not as it should
	Failed  State = "failed"
	Skipped State = "skipped" // it could not be looked at
)

// Result is one check.
type Result struct {
	Name  string        `json:"name"`
	State State         `json:"state"`
	Found string        `json:"found"`
	Do    string        `json:"do,omitempty"` // what to do about it
	Took  time.Duration `json:"took_ns"`
}

// Broker is what the app asks of its broker.
type Broker interface {
	CreateAgent(ctx context.Context, req agentwrit.AgentRequest) (*agentwrit.Agent, error)
	Validate(ctx context.Context, token string) (*agentwrit.Claims, error)
	Health(ctx context.Context) (*agentwrit.Health, error)
}

// Config is what is looked at. Broker, Model and PageURL are required.
type Config struct {
	Broker    Broker
	BrokerURL string
	Admin     *agentwrit.Admin // nil: the audit chain is skipped
	Model     llm.Model
	PageURL   string           // where the page and the records answer
	Clock     func() time.Time // nil means time.Now
}

const (
	eachTimeout  = 10 * time.Second
	modelTimeout = 45 * time.Second // models think
)

// check is one thing to look at.
type check struct {
	name    string
	timeout time.Duration
	look    func(*examination, context.Context) (State, string, string)
}

// checks are all of them, in the order in which one builds on the other.
var checks = []check{
	{"broker", eachTimeout, (*examination).broker},
	{"credentials", eachTimeout, (*examination).credentials},
	{"ceiling", eachTimeout, (*examination).ceiling},
	{"clocks", eachTimeout, (*examination).clocks},
	{"model: a tool call", modelTimeout, (*examination).toolCall},
	{"model: streaming", modelTimeout, (*examination).modelStreams},
	{"page: streaming", eachTimeout, (*examination).pageStreams},
	{"records: closed without a token", eachTimeout, (*examination).recordsClosed},
	{"audit chain", 30 * time.Second, (*examination).auditChain},
}

// Run makes all checks, one after the other, and reports each as it is done.
// It ends early when ctx does.
func Run(ctx context.Context, cfg Config, report func(Result)) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	x := &examination{Config: cfg, http: &http.Client{Transport: transport}}
	for _, c := range checks {
		if ctx.Err() != nil {
			return
		}
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		start := time.Now()
		r := Result{Name: c.name}
		r.State, r.Found, r.Do = c.look(x, limited)
		if limited.Err() != nil && r.State != OK {
			r.State, r.Found = Failed, "no answer within "+c.timeout.String()
		}
		cancel()
		r.Took = time.Since(start)
		report(r)
	}
}

// examination is what one check leaves for the next.
type examination struct {
	Config
	http *http.Client

	skew     time.Duration // of the broker's clock against ours
	issued   bool
	messages []llm.Message // up to the model's tool call
}
