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
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

// kept is how many comparisons are kept in memory.
const kept = 20

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

// Config configures a [Service]. All fields are required.
type Config struct {
	Runs      Runs
	Log       trace.Log      // to which the runs are written
	Decisions *decisions.Log // as the runs' service has it
	Clock     func() time.Time
	Logger    *slog.Logger
}

// A Service makes comparisons, one at a time. It is safe for concurrent use.
type Service struct {
	cfg Config

	mu      sync.Mutex
	busy    bool
	closed  bool
	results []Result // oldest first
	playing sync.WaitGroup
	// instances counts the second instances that are open, for tests.
	instances int
}

// New returns a service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

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
	s.publish(p.result)
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
	return p, nil
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

// publish makes a result the current state of its comparison.
func (s *Service) publish(r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.results, func(x Result) bool { return x.ID == r.ID })
	if i < 0 {
		s.results = append(s.results, r)
		s.results = slices.Clone(s.results[max(0, len(s.results)-kept):])
	} else {
		s.results[i] = r
	}
}

// Cancel stops a comparison: its run is cancelled and releases its tokens. It fails
// with ErrNotFound if it is not running.
func (s *Service) Cancel(id, by string) error {
	r, err := s.Result(id)
	if err != nil {
		return err
	}
	if !r.Live() || s.cfg.Runs.Cancel(r.RunID, by, "The comparison was cancelled.") != nil {
		return ErrNotFound
	}
	return nil
}

// Result returns a comparison. It fails with ErrNotFound.
func (s *Service) Result(id string) (Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.results, func(x Result) bool { return x.ID == id })
	if i < 0 {
		return Result{}, ErrNotFound
	}
	return s.results[i], nil
}

// Latest returns the latest comparison, and false if there is none.
func (s *Service) Latest() (Result, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.results) == 0 {
		return Result{}, false
	}
	return s.results[len(s.results)-1], true
}

// Close refuses further comparisons and returns when the running one has ended. Its
// run must have been stopped before: a comparison ends with its run.
func (s *Service) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.playing.Wait()
}
