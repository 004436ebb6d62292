package agents

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// A Broker registers agents, resumes those of other replicas, and validates tokens.
type Broker interface {
	CreateAgent(ctx context.Context, req agentwrit.AgentRequest) (*agentwrit.Agent, error)
	Resume(ctx context.Context, token string) (*agentwrit.Agent, error)
	Validate(ctx context.Context, token string) (*agentwrit.Claims, error)
	Health(ctx context.Context) (*agentwrit.Health, error)
}

var _ Broker = (*agentwrit.App)(nil)

// A Directory looks up a patient.
type Directory func(ctx context.Context, id patient.ID) (DirectoryEntry, error)

// A DirectoryEntry is the result of a lookup.
type DirectoryEntry struct {
	Found       bool
	Name        string
	DateOfBirth string   // an ISO 8601 day
	Others      []string // IDs of all patients, if this one was not found
}

// Config configures a [Service]. The fields above Operator are required.
type Config struct {
	Broker    Broker
	BrokerURL string // shown to people
	Model     llm.Model
	Tools     *tools.Client
	Directory Directory
	Log       trace.Log

	Operator       Operator         // revokes; nil means that only the tokens of live runs can be ended, by releasing them
	Cluster        Cluster          // the other replicas; nil means that there are none
	Decisions      *decisions.Log   // receives each decision about a call; nil keeps none
	BrokerEmbedded bool             // the broker runs in this process
	ModelURL       string           // shown to people; "" if the model is in this process
	Limits         Limits           // zero fields take defaults
	TokenTTL       time.Duration    // lifetime of a token; 0 means 5 minutes
	KeyMoment      time.Duration    // pause after each denial, delegation and revocation of a run with Hold
	OrchID         string           // of the agents; "" means "medassist"
	Clock          func() time.Time // nil means time.Now
	Logger         *slog.Logger     // nil discards
}

// Errors of a [Service].
var (
	ErrBusy       = errors.New("too many live runs; wait for one to end")
	ErrStopping   = errors.New("the service is stopping")
	ErrNotLive    = errors.New("no live run has this ID")
	ErrNotWaiting = errors.New("the run is not waiting")
	ErrNoToken    = errors.New("the run has no stolen token that is still valid")
	ErrNoOperator = errors.New("revoking anything but the tokens of live runs needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET")
)

// A Service runs encounters, each in its own goroutine. It is safe for concurrent
// use.
type Service struct {
	cfg Config

	mu       sync.Mutex
	live     map[string]*encounter
	stopping bool
	started  int
	ended    map[trace.Outcome]int

	starts  starts        // by the requests' keys
	others  *others       // the runs of other replicas; nil without a cluster
	issuing chan struct{} // semaphore of the runs that a token is being issued to
}

// New checks cfg and returns a service. It sends no requests. With a cluster, it
// serves the other replicas and takes over their runs until [Service.Shutdown].
func New(cfg Config) (*Service, error) {
	if cfg.Broker == nil || cfg.Model == nil || cfg.Tools == nil || cfg.Directory == nil || cfg.Log == nil {
		return nil, errors.New("agents: a broker, a model, tools, a directory and a log are required")
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.TokenTTL = cmp.Or(cfg.TokenTTL, 5*time.Minute)
	cfg.OrchID = cmp.Or(cfg.OrchID, "medassist")
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, live: make(map[string]*encounter), ended: make(map[trace.Outcome]int), issuing: make(chan struct{}, maxIssuing)}
	if cfg.Cluster != nil {
		s.join()
	}
	return s, nil
}

// Start starts a run and returns once its first step is logged. The run continues
// in the background, also after ctx ends. A request with a key that was sent before
// returns the first one's run; see [Request]. Start fails with an [*InputError],
// ErrBusy or ErrStopping, and with the log's errors.
func (s *Service) Start(ctx context.Context, req Request) (trace.Run, error) {
	if err := req.check(); err != nil {
		return trace.Run{}, err
	}
	return s.starts.once(ctx, req, s.cfg.Clock(), func() (trace.Run, error) { return s.startOnce(ctx, req) })
}

// start starts a run with a given ID.
func (s *Service) start(ctx context.Context, req Request, runID string) (trace.Run, error) {
	detached := context.WithoutCancel(ctx)
	ctx, cancel := context.WithCancelCause(detached)
	run := s.newRun(req, runID)
	e := s.newEncounter(run, req, cancel)
	if err := s.admit(e); err != nil {
		e.stop()
		return trace.Run{}, err
	}
	// The trace of a run that is cancelled from here on is created and shows it.
	if err := s.cfg.Log.Create(detached, run); err != nil {
		s.remove(e)
		return trace.Run{}, fmt.Errorf("create the run: %w", err)
	}
	e.rec.add(ctx, trace.StatusSuccess, "Request accepted",
		trace.Validation{PatientID: run.PatientID, Request: run.Request, Pace: run.Pace})
	s.mu.Lock()
	s.started++
	s.mu.Unlock()
	go s.see(e, func() trace.Outcome { return e.run(ctx) })
	return run, nil
}

// see runs a run to its end.
func (s *Service) see(e *encounter, run func() trace.Outcome) {
	defer s.remove(e)
	if s.cfg.Cluster != nil {
		go e.share()
	}
	outcome := run()
	if e.left.Load() {
		return // its new owner counts it
	}
	s.mu.Lock()
	s.ended[outcome]++
	s.mu.Unlock()
}

// newRunID returns an ID for a run. It is also the task ID of the run's agents, so it
// must be valid in a SPIFFE ID.
func newRunID() string { return "run-" + random.Hex(8) }

func (s *Service) newRun(req Request, id string) trace.Run {
	return trace.Run{
		ID:        id,
		PatientID: req.Patient.String(), Request: req.Text, Pace: req.Pace.String(), Scenario: req.Scenario,
		ModelName: s.cfg.Model.Name(), ModelMode: string(s.cfg.Model.Mode()),
		BrokerURL: s.cfg.BrokerURL, BrokerEmbedded: s.cfg.BrokerEmbedded, Started: s.cfg.Clock(),
	}
}

// admit adds e to the live runs, if there is room.
func (s *Service) admit(e *encounter) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return ErrStopping
	case len(s.live) >= s.cfg.Limits.LiveRuns:
		return ErrBusy
	}
	s.live[e.id] = e
	return nil
}

func (s *Service) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Service) remove(e *encounter) {
	e.stop()
	s.mu.Lock()
	if s.live[e.id] == e {
		delete(s.live, e.id)
	}
	s.mu.Unlock()
	close(e.done)
}

// find returns a live run of this replica.
func (s *Service) find(runID string) (*encounter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live[runID]
	if e == nil || e.left.Load() {
		return nil, fmt.Errorf("%w: %s", ErrNotLive, runID)
	}
	return e, nil
}

// Counts returns how many runs of this replica are live, how many it has started,
// and how many it has ended, by outcome.
func (s *Service) Counts() (live, started int, ended map[trace.Outcome]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live), s.started, maps.Clone(s.ended)
}

// encounters returns the live runs of this replica, in no particular order.
func (s *Service) encounters() []*encounter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.live))
}
