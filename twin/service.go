package twin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

// scenarios lists the scenarios that can be compared: those in which the model, or
// someone else, tries to go beyond the request's patient.
var scenarios = []string{"cross-patient", "injection", "over-reach", "stolen-token"}

// Scenarios returns the scenarios that can be compared.
func Scenarios() (out []scenario.Scenario) {
	for _, id := range scenarios {
		if s, ok := scenario.ByID(id); ok {
			out = append(out, s)
		}
	}
	return out
}

// Errors of a [Service].
var (
	ErrBusy     = errors.New("another comparison is running; wait for it to end")
	ErrScenario = errors.New("no such scenario to compare")
	ErrNotFound = errors.New("no such comparison")
)

// Runs starts the runs of the side with AgentWrit.
type Runs interface {
	Start(ctx context.Context, req agents.Request) (trace.Run, error)
	Cancel(runID, by, reason string) error
}

// Config configures a [Service]. All fields but Values are required.
type Config struct {
	Runs      Runs
	Log       trace.Log      // to which the runs are written
	Decisions *decisions.Log // as the runs' service has it
	Clock     func() time.Time
	Logger    *slog.Logger
	// Values holds the results, for all replicas of the app. Nil means that there is
	// only this one.
	Values values.Store
}

// A Service makes comparisons, one at a time. It is safe for concurrent use.
type Service struct {
	cfg     Config
	newest  *values.Value[newest]
	closing context.Context // ends when the service closes
	close   context.CancelFunc
	reading sync.WaitGroup // of what other replicas compare

	mu      sync.Mutex
	busy    bool
	closed  bool
	playing sync.WaitGroup
	// instances counts the second instances that are open, for tests.
	instances int
}

// New returns a service. It must be closed.
func New(cfg Config) *Service {
	if cfg.Values == nil {
		cfg.Values = new(values.Memory)
	}
	s := &Service{cfg: cfg, newest: values.New(cfg.Values, "comparison", newest{}, cfg.Logger)}
	s.closing, s.close = context.WithCancel(context.Background())
	s.reading.Go(func() { s.newest.Keep(s.closing) })
	return s
}

// Start starts a comparison and returns once its run has started. It goes on in the
// background, also after ctx ends. It fails with ErrScenario and ErrBusy, and with
// the errors of [agents.Service.Start].
func (s *Service) Start(ctx context.Context, scenarioID string) (Result, error) {
	if !slices.Contains(scenarios, scenarioID) {
		return Result{}, ErrScenario
	}
	sc, ok := scenario.ByID(scenarioID)
	if !ok {
		return Result{}, ErrScenario
	}
	if err := s.begin(); err != nil {
		return Result{}, err
	}
	p, err := s.open(ctx, sc)
	if err != nil {
		s.end()
		return Result{}, err
	}
	first := p.result
	s.playing.Go(func() {
		defer s.end()
		p.play(context.WithoutCancel(ctx))
	})
	return first, nil
}

// open opens the second instance and starts the run.
func (s *Service) open(ctx context.Context, sc scenario.Scenario) (_ *play, err error) {
	in, err := openInstance(ctx, s.cfg.Clock, s.cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("twin: open the second instance: %w", err)
	}
	s.count(1)
	p := &play{Service: s, instance: in, categories: make(map[string]string)}
	defer func() {
		if err != nil {
			p.cancel()
			err = errors.Join(err, p.release())
		}
	}()
	patients, err := in.patients(ctx)
	if err != nil {
		return nil, err
	}
	req := agents.Request{Patient: patient.MustParseID(sc.Patient), Text: sc.Request, Scenario: "", Incident: trace.IncidentTheft}
	for _, other := range patients {
		if other.ID != sc.Patient {
			req.Targets = append(req.Targets, patient.MustParseID(other.ID))
		}
	}
	run, err := s.cfg.Runs.Start(ctx, req)
	if err != nil {
		return nil, err
	}
	p.result = Result{ID: "twin-" + random.Hex(6), Scenario: sc.ID, Title: sc.Title, Patient: sc.Patient, Request: sc.Request, RunID: run.ID,
		Model: run.ModelName, Phase: Running, Started: s.cfg.Clock(), Patients: patients, KeyPreview: in.key.preview()}
	return p, s.add(ctx, p.result)
}

func (s *Service) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return agents.ErrStopping
	case s.busy:
		return ErrBusy
	}
	s.busy = true
	return nil
}

func (s *Service) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
}

func (s *Service) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instances += n
}

// Cancel stops a comparison: its run is cancelled and releases its tokens. It fails
// with ErrNotFound if it is not running.
func (s *Service) Cancel(ctx context.Context, id, by string) error {
	r, err := s.Result(ctx, id)
	if err != nil {
		return err
	}
	if !r.Live() || s.cfg.Runs.Cancel(r.RunID, by, "The comparison was cancelled.") != nil {
		return ErrNotFound
	}
	return nil
}

// Close refuses further comparisons and returns when the running one has ended. Its
// run must have been stopped before: a comparison ends with its run.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.close()
	s.playing.Wait()
	s.reading.Wait()
}
