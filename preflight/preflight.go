// Package preflight checks, before an audience does, that a demo will work:
// the broker, the credentials and the ceiling, a real tool call by the model,
// streaming, the records API and the audit log. Each check reports what it
// found and, if that is not good, what to do.
//
// The operator's page and `medassist doctor` show the same checks. They
// register real agents at the broker, for a patient that does not exist, and
// release them.
package preflight

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/llm"
)

// State is the outcome of a check.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // the demo works, but not as it should
	Failed  State = "failed"
	Skipped State = "skipped" // an earlier failure, or a missing setting, prevents the check
)

// Result is the result of one check.
type Result struct {
	Name  string        `json:"name"`
	State State         `json:"state"`
	Found string        `json:"found"`
	Do    string        `json:"do,omitempty"` // what to do about it
	Took  time.Duration `json:"took_ns"`
}

func passed(found string) Result      { return Result{State: OK, Found: found} }
func warning(found, do string) Result { return Result{State: Warning, Found: found, Do: do} }
func failed(found, do string) Result  { return Result{State: Failed, Found: found, Do: do} }
func skipped(found, do string) Result { return Result{State: Skipped, Found: found, Do: do} }

// Broker is the part of [agentwrit.App] that the checks use.
type Broker interface {
	CreateAgent(ctx context.Context, req agentwrit.AgentRequest) (*agentwrit.Agent, error)
	Validate(ctx context.Context, token string) (*agentwrit.Claims, error)
	Health(ctx context.Context) (*agentwrit.Health, error)
	Promises(ctx context.Context, scope string) (agentwrit.Promises, error)
}

var _ Broker = (*agentwrit.App)(nil)

// Config names what is checked. Broker, Model and PageURL are required.
type Config struct {
	Broker    Broker
	BrokerURL string
	Admin     *agentwrit.Admin // nil skips the audit log
	Model     llm.Model
	PageURL   string           // base URL of the page and of the records API
	Database  *Database        // that replicas share; nil if there is none
	Clock     func() time.Time // nil means time.Now
}

const (
	eachTimeout  = 10 * time.Second
	modelTimeout = 3 * time.Minute // a local model may have to be loaded
)

// check is one thing to look at.
type check struct {
	name    string
	timeout time.Duration
	look    func(*examination, context.Context) Result
}

// checks lists the checks of every demo; later ones build on earlier ones.
var checks = []check{
	{"broker", eachTimeout, (*examination).broker},
	{"credentials", eachTimeout, (*examination).credentials},
	{"ceiling", eachTimeout, (*examination).ceiling},
	{"clocks", eachTimeout, (*examination).clocks},
	{"promises", eachTimeout, (*examination).promises},
	{"model: a tool call", modelTimeout, (*examination).toolCall},
	{"model: streaming", modelTimeout, (*examination).modelStreams},
	{"model: context", eachTimeout, (*examination).modelContext},
	{"page: streaming", eachTimeout, (*examination).pageStreams},
	{"records: closed without a token", eachTimeout, (*examination).recordsClosed},
	{"audit chain", 30 * time.Second, (*examination).auditChain},
}

// Run makes all checks, one after the other, and reports each result as soon
// as it is known. It ends early when ctx does.
func Run(ctx context.Context, cfg Config, report func(Result)) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // the page is on this machine
	defer transport.CloseIdleConnections()
	x := &examination{Config: cfg, http: &http.Client{Transport: transport}}
	all := checks
	if cfg.Database != nil {
		all = slices.Concat(databaseChecks, checks)
	}
	defer x.close(ctx)
	for _, c := range all {
		if ctx.Err() != nil {
			return
		}
		report(x.make(ctx, c))
	}
}

// examination is the state that checks share.
type examination struct {
	Config
	http *http.Client
	conn *pgx.Conn // to the database; nil if it can't be used

	skew   time.Duration // of the broker's clock against ours
	behind time.Duration // that the broker's clock is behind its time
	issued bool          // the broker has issued a token
	talk   conversation
}

func (x *examination) close(ctx context.Context) {
	if x.conn != nil {
		_ = x.conn.Close(context.WithoutCancel(ctx)) // everything was read
	}
}

func (x *examination) make(ctx context.Context, c check) Result {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	start := time.Now()
	r := c.look(x, limited)
	if limited.Err() != nil && r.State != OK {
		r.State, r.Found = Failed, "no answer within "+c.timeout.String()
	}
	r.Name, r.Took = c.name, time.Since(start)
	return r
}
