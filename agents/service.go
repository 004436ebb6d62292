package agents

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// Broker is where agents are registered and tokens are validated.
type Broker interface {
	CreateAgent(ctx context.Context, req agentwrit.AgentRequest) (*agentwrit.Agent, error)
	Validate(ctx context.Context, token string) (*agentwrit.Claims, error)
	Health(ctx context.Context) (*agentwrit.Health, error)
}

var _ Broker = (*agentwrit.App)(nil)

// Directory looks a patient's name up; false means that there is no such
// patient.
type Directory func(ctx context.Context, id patient.ID) (name string, known bool, err error)

// Config is what a service is made of. The first six fields are required.
type Config struct {
	Broker    Broker
	BrokerURL string // for people to read
	Model     llm.Model
	Tools     *tools.Client
	Directory Directory
	Log       trace.Log

	Operator       Operator         // nil means that nothing can be revoked
	BrokerEmbedded bool             // the broker runs in this process
	Limits         Limits           // zero fields have defaults
	TokenTTL       time.Duration    // life of a token; 0 means 5 minutes
	OrchID         string           // of the agents; "" means "medassist"
	Clock          func() time.Time // nil means time.Now
	Logger         *slog.Logger     // nil discards
}

// Errors of a [Service].
var (
	ErrBusy       = errors.New("too many runs are live: wait for one to end")
	ErrStopping   = errors.New("the service is stopping")
	ErrNotLive    = errors.New("no live run of that ID")
	ErrNotWaiting = errors.New("the run does not wait")
	ErrNoToken    = errors.New("no token of the run has been stolen, or it has ended")
	ErrNoOperator = errors.New("revoking needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET")
)

// Service runs encounters, each in a goroutine of its own. Safe for concurrent
// use.
type Service struct {
	cfg Config

	mu       sync.Mutex
	live     map[string]*encounter
	stopping bool
}

// New checks a configuration and makes a service of it. It sends nothing.
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
	return &Service{cfg: cfg, live: make(map[string]*encounter)}, nil
}

// Start opens a run and returns while it goes on, its first step logged. It
// goes on when ctx ends. It fails with an [*InputError], ErrBusy or ErrStopping,
// or when the log does.
func (s *Service) Start(ctx context.Context, req Request) (trace.Run, error) {
	if err := req.check(); err != nil {
		return trace.Run{}, err
	}
	if req.Incident == trace.IncidentRevocation && s.cfg.Operator == nil {
		return trace.Run{}, &InputError{"scenario", ErrNoOperator.Error()}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	run := s.describe(req)
	e := s.newEncounter(run, req, cancel)
	if err := s.enter(e); err != nil {
		e.end()
		return trace.Run{}, err
	}
	if err := s.cfg.Log.Create(ctx, run); err != nil {
		s.leave(e)
		return trace.Run{}, fmt.Errorf("open the run: %w", err)
	}
	e.rec.add(ctx, trace.StatusSuccess, "Request accepted",
		trace.Validation{PatientID: run.PatientID, Request: run.Request, Pace: run.Pace})
	go func() {
		defer s.leave(e)
		e.run(ctx)
	}()
	return run, nil
}

func (s *Service) describe(req Request) trace.Run {
	id := make([]byte, 8)
	rand.Read(id) // never fails
	return trace.Run{
		// Fit for a SPIFFE path: it is the task ID of the run's agents.
		ID:        "run-" + hex.EncodeToString(id),
		PatientID: req.Patient.String(), Request: req.Text, Pace: req.Pace.String(), Scenario: req.Scenario,
		ModelName: s.cfg.Model.Name(), ModelMode: string(s.cfg.Model.Mode()),
		BrokerURL: s.cfg.BrokerURL, BrokerEmbedded: s.cfg.BrokerEmbedded, Started: s.cfg.Clock(),
	}
}

// enter takes one of the places for live runs.
func (s *Service) enter(e *encounter) error {
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

func (s *Service) leave(e *encounter) {
	e.end()
	s.mu.Lock()
	delete(s.live, e.id)
	s.mu.Unlock()
	close(e.done)
}

func (s *Service) find(runID string) (*encounter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.live[runID]
	if e == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotLive, runID)
	}
	return e, nil
}

// Wait returns when the run has ended, its tokens too. It fails with
// trace.ErrNotFound for a run that never was, and with ctx's error.
func (s *Service) Wait(ctx context.Context, runID string) error {
	e, err := s.find(runID)
	if err != nil {
		_, err := s.cfg.Log.Run(ctx, runID)
		return err
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Next lets a run go on that waits. It fails with ErrNotLive and ErrNotWaiting.
func (s *Service) Next(runID string) error {
	e, err := s.find(runID)
	if err != nil {
		return err
	}
	if !e.pace.goOn() {
		return fmt.Errorf("%w: %s", ErrNotWaiting, runID)
	}
	return nil
}

// SetPace changes a run's pace from now on. It fails with ErrNotLive.
func (s *Service) SetPace(runID string, p Pace) error {
	e, err := s.find(runID)
	if err != nil {
		return err
	}
	e.pace.set(p)
	return nil
}

// State says how fast a run goes and what it waits for. It fails with
// ErrNotLive.
func (s *Service) State(runID string) (State, error) {
	e, err := s.find(runID)
	if err != nil {
		return State{}, err
	}
	return e.pace.now(), nil
}

// Watch follows a run's state; io.EOF comes at its end. It fails with
// ErrNotLive.
func (s *Service) Watch(runID string) (*trace.Cursor[State], error) {
	e, err := s.find(runID)
	if err != nil {
		return nil, err
	}
	return e.pace.states.From(0), nil
}

// Cancel stops a run, which then ends its tokens without waiting for anyone.
// By and reason are shown. It fails with ErrNotLive.
func (s *Service) Cancel(runID, by, reason string) error {
	e, err := s.find(runID)
	if err != nil {
		return err
	}
	e.cancel(&cancellation{by, reason})
	return nil
}

// Stolen hands out the token that a run's theft has copied, for whoever shows
// what a thief can do with it. It is the one door by which a token leaves: the
// caller must know that it opens it for the presenter, and nothing is behind it
// but in a run that is about theft. It fails with ErrNotLive and ErrNoToken.
func (s *Service) Stolen(runID string) (string, error) {
	e, err := s.find(runID)
	if err != nil {
		return "", err
	}
	if loot := e.loot.Load(); loot != nil && !loot.from.agent.Released() {
		return loot.token, nil
	}
	return "", fmt.Errorf("%w: %s", ErrNoToken, runID)
}

// Live lists the live runs' IDs, in no order of time.
func (s *Service) Live() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.live))
	for id := range s.live {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Shutdown takes no more runs, cancels the live ones and waits until their
// tokens are ended, or for ctx.
func (s *Service) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	_, err := s.CancelAll(ctx, "shutdown", "The program is stopping.")
	return err
}
