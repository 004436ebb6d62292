package twin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/twin"
)

// logged keeps what was logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// Each scenario, as both sides played it.
func TestComparison(t *testing.T) {
	t.Parallel()
	w := newWorld(t, llm.NewPlanner())
	before := w.chart("P-2187")
	for _, tc := range []struct {
		scenario     string
		calls        []string // tool, patient, with the shared key, with AgentWrit
		sharedWrites int
	}{
		{"cross-patient", []string{"get_patient_records P-1042 allowed allowed", "get_patient_records P-2187 allowed denied"}, 0},
		{"injection", []string{"get_patient_records P-3301 allowed allowed", "get_patient_records P-2187 allowed denied", "file_insurance_claim P-2187 allowed denied"}, 1},
		{"over-reach", []string{"check_drug_interactions P-2187 allowed denied", "write_prescription P-2187 allowed denied"}, 1},
		{"stolen-token", []string{"get_patient_records P-1042 allowed allowed"}, 0},
	} {
		started, err := w.Start(t.Context(), tc.scenario)
		must(t, err)
		r := w.wait(t, started.ID)
		var calls []string
		for _, c := range r.Calls {
			calls = append(calls, fmt.Sprint(c.Tool, " ", c.Patient, " ", c.Shared, " ", c.Writ))
		}
		if r.Phase != twin.Done || !slices.Equal(calls, tc.calls) {
			t.Errorf("%s: %s %s, calls %q", tc.scenario, r.Phase, r.Problem, calls)
		}
		if shared, writ := len(r.Writes(true)), len(r.Writes(false)); shared != tc.sharedWrites || writ != 0 {
			t.Errorf("%s: %d writes with the shared key, %d with AgentWrit", tc.scenario, shared, writ)
		}
		if got := r.Reached(false); slices.ContainsFunc(got, func(id string) bool { return id != r.Patient }) {
			t.Errorf("%s: with AgentWrit the task reached %v", tc.scenario, got)
		}
		// The attacker: every patient, and still after the task; or one, until then.
		all := []string{"P-1042", "P-2187", "P-3301", "P-4455"}
		if got := r.Shared.Stolen(); !slices.Equal(got, all) {
			t.Errorf("%s: the stolen key opened %v", tc.scenario, got)
		}
		if got := r.Writ.Stolen(); !slices.Equal(got, []string{r.Patient}) || len(r.Writ.Thefts) != len(all)+1 {
			t.Errorf("%s: the stolen token opened %v in %d tries", tc.scenario, got, len(r.Writ.Thefts))
		}
		if last, ok := r.Shared.Last(); !ok || last.Outcome != twin.OutcomeAllowed || last.Since <= 0 {
			t.Errorf("%s: the key after the task: %+v", tc.scenario, last)
		}
		if last, ok := r.Writ.Last(); !ok || last.Outcome != twin.OutcomeDenied || r.Writ.Tokens == 0 || r.Writ.Revoked != r.Writ.Tokens || r.Writ.ValidFor != 0 {
			t.Errorf("%s: the token after the task: %+v, %d of %d revoked", tc.scenario, last, r.Writ.Revoked, r.Writ.Tokens)
		}
		// What the logs can say.
		if n := r.Shared.Names; len(n) != 1 || n[0].Name != twin.KeyName || n[0].Task != "" || n[0].Entries != len(r.Calls)+len(all)+1 {
			t.Errorf("%s: the log of the shared key names %+v", tc.scenario, n)
		}
		for _, n := range r.Writ.Names {
			if !strings.HasSuffix(n.Name, " agent") || n.Name == "Unknown agent" || n.Task != r.RunID {
				t.Errorf("%s: the log with AgentWrit names %+v", tc.scenario, n)
			}
		}
		if len(r.Writ.Names) == 0 || w.Open() != 0 {
			t.Errorf("%s: %d names, %d second instances are open", tc.scenario, len(r.Writ.Names), w.Open())
		}
	}
	if w.chart("P-2187") != before {
		t.Error("a comparison changed the real record of a patient whom its run does not cover")
	}
}

// One comparison at a time, of known scenarios only.
func TestStart(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	w := newWorld(t, held{block})
	if _, err := w.Start(t.Context(), "billing"); !errors.Is(err, twin.ErrScenario) {
		t.Errorf("a scenario without a comparison: %v", err)
	}
	first, err := w.Start(t.Context(), "cross-patient")
	must(t, err)
	if _, err := w.Start(t.Context(), "cross-patient"); !errors.Is(err, twin.ErrBusy) {
		t.Errorf("a second comparison: %v", err)
	}
	close(block)
	w.wait(t, first.ID)
	if _, err := w.Result(t.Context(), "twin-0"); !errors.Is(err, twin.ErrNotFound) {
		t.Errorf("an unknown comparison: %v", err)
	}
	must(t, w.runs.Shutdown(t.Context()))
	for w.Open() > 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := w.Start(t.Context(), "cross-patient"); !errors.Is(err, agents.ErrStopping) && !errors.Is(err, twin.ErrBusy) || w.Open() != 0 {
		t.Errorf("after the stop: %v, %d second instances", err, w.Open())
	}
}

// However a comparison ends, its run releases its tokens, and the second instance is
// closed.
func TestEverythingEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		model llm.Model
		stop  func(*world, twin.Result) error
		want  twin.Phase
	}{
		"cancelled":            {held{}, func(w *world, r twin.Result) error { return w.Cancel(t.Context(), r.ID, "presenter") }, twin.Cancelled},
		"the run is cancelled": {held{}, func(w *world, r twin.Result) error { return w.runs.Cancel(r.RunID, "presenter", "") }, twin.Cancelled},
		"the process stops":    {held{}, func(w *world, r twin.Result) error { return w.runs.Shutdown(context.Background()) }, twin.Cancelled},
		"the model fails":      {failing{}, func(*world, twin.Result) error { return nil }, twin.Failed},
		"the model panics":     {panicking{}, func(*world, twin.Result) error { return nil }, twin.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.model)
			r, err := w.Start(t.Context(), "cross-patient")
			must(t, err)
			must(t, tc.stop(w, r))
			r = w.wait(t, r.ID)
			if r.Phase != tc.want || r.Problem == "" || w.Open() != 0 {
				t.Errorf("%s: %q, %d second instances are open", r.Phase, r.Problem, w.Open())
			}
			run, err := w.log.Run(t.Context(), r.RunID)
			must(t, err)
			if run.Live() || run.Summary.Tokens > 0 && !run.Summary.AllEnded() {
				t.Errorf("the run: %+v", run.Summary)
			}
		})
	}
}

// The key opens the second instance while it is open, and nothing else; a broker's
// token does not open it.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, llm.NewPlanner())
	in := twin.NewInstance(t)
	defer in.Close()
	agent, err := w.app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:records:P-1042"}})
	must(t, err)
	chart, err := tools.Parse("get_patient_records", `{"patient_id":"P-1042"}`)
	must(t, err)
	real := tools.NewClient(w.api, nil)
	for name, tc := range map[string]struct {
		client     *tools.Client
		credential string
		allowed    bool
	}{
		"the key":                           {in.Client(), in.Key(), true},
		"a token of the broker":             {in.Client(), agent.AccessToken(), false},
		"a part of the key":                 {in.Client(), in.Key()[:len(in.Key())-1], false},
		"the key and more":                  {in.Client(), in.Key() + "0", false},
		"the key in upper case":             {in.Client(), strings.ToUpper(in.Key()), false},
		"what is shown of the key":          {in.Client(), in.Preview(), false},
		"the key of another comparison":     {in.Client(), twinKey(t), false},
		"the key at the real records API":   {real, in.Key(), false},
		"the token at the real records API": {real, agent.AccessToken(), true},
	} {
		if _, err := tc.client.Do(t.Context(), chart, tc.credential); (err == nil) != tc.allowed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if log := in.Accesses(); len(log) != 7 || !slices.ContainsFunc(log, func(a twin.Access) bool { return a.Status == 401 && a.Credential == "none" }) {
		t.Errorf("the access log: %+v", log)
	}
	must(t, in.Close())
	if in.Valid(in.Key()) {
		t.Error("the key is accepted after the instance was closed")
	}
	if _, err := in.Client().Do(t.Context(), chart, in.Key()); err == nil {
		t.Error("the instance answers after it was closed")
	}
}

func twinKey(t *testing.T) string {
	t.Helper()
	in := twin.NewInstance(t)
	defer in.Close()
	return in.Key()
}

// The key is in no result, no log and nothing that prints the instance.
func TestKeyIsNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, llm.NewPlanner())
	r, err := w.Start(t.Context(), "stolen-token")
	must(t, err)
	r = w.wait(t, r.ID)
	document, err := json.Marshal(r)
	must(t, err)
	in := twin.NewInstance(t)
	defer in.Close()
	var printed strings.Builder
	slog.New(slog.NewTextHandler(&printed, nil)).Info("instance", "key", in.Validator())
	fmt.Fprintf(&printed, "%v %+v %#v", in.Validator(), in.Validator(), in.Validator())
	if strings.Contains(printed.String(), in.Key()) {
		t.Error("the key is printed")
	}
	shown := r.KeyPreview[len(r.KeyPreview)-4:]
	w.logged.mu.Lock()
	defer w.logged.mu.Unlock()
	for name, text := range map[string]string{"result": string(document), "log": w.logged.text.String()} {
		rest := strings.ReplaceAll(text, r.KeyPreview, "")
		if strings.Contains(rest, "demo-key-") || strings.Contains(rest, shown+`"`) && strings.Contains(rest, "Bearer") || strings.Contains(rest, "eyJ") {
			t.Errorf("the %s shows a credential: %s", name, text)
		}
	}
}

// held is a model that waits until it may answer, or for the run's end.
type held struct{ until chan struct{} }

func (held) Name() string   { return "HELD" }
func (held) Mode() llm.Mode { return llm.ModeOffline }
func (h held) Complete(ctx context.Context, req llm.Request, onText func(string)) (llm.Reply, error) {
	select {
	case <-h.until:
		return llm.NewPlanner().Complete(ctx, req, onText)
	case <-ctx.Done():
		return llm.Reply{}, ctx.Err()
	}
}

type failing struct{ held }

func (failing) Complete(context.Context, llm.Request, func(string)) (llm.Reply, error) {
	return llm.Reply{}, &llm.Error{Message: http.StatusText(http.StatusServiceUnavailable)}
}

type panicking struct{ held }

func (panicking) Complete(context.Context, llm.Request, func(string)) (llm.Reply, error) {
	panic("a model that panics")
}
