package stage

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// endedRuns has no live run: those of these tests are only in the log.
type endedRuns struct{ Runs }

func (endedRuns) Watch(string) (*trace.Cursor[agents.State], error) { return nil, trace.ErrEnded }

func newTestLog(t *testing.T) *trace.Store {
	t.Helper()
	log, err := trace.OpenStore(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

// newTestShow returns the stage of a replica.
func newTestShow(t *testing.T, log trace.Log, shared values.Store) *show {
	t.Helper()
	streams := sse.New()
	s := newShow(Config{Log: log, Runs: endedRuns{}, Streams: streams, Values: shared, Logger: slog.New(slog.DiscardHandler), Pages: []Page{{Path: "/audit", Title: "Audit log",
		View: func(_ context.Context, q url.Values) (templ.Component, error) {
			return respond.Text("the log, " + q.Get("change")), nil
		}}}})
	t.Cleanup(func() {
		streams.Stop()
		s.wait()
	})
	return s
}

// introduce clears the stage for an act of the long talk.
func introduce(t *testing.T, s *show, act int) {
	t.Helper()
	acts := talk.Acts(25)
	set(t, s, func(st *state) { st.introduce(acts[act], len(acts)) })
}

func set(t *testing.T, s *show, f func(*state)) {
	t.Helper()
	if _, err := s.set(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func goTo(t *testing.T, s *show, step int) {
	t.Helper()
	if err := s.goTo(t.Context(), step); err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until a stage shows all texts, and none of those after a "!".
func waitFor(t *testing.T, s *show, when string, wants ...string) {
	t.Helper()
	var html string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		html, _ = onStage(s)
		missing := false
		for _, want := range wants {
			missing = missing || strings.Contains(html, strings.TrimPrefix(want, "!")) == strings.HasPrefix(want, "!")
		}
		if !missing {
			return
		}
	}
	t.Fatalf("%s: want %q in %s", when, wants, html)
}

// onStage returns the scene, and its ID.
func onStage(s *show) (html, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.html(&s.scene, wall)
}

// The stage is cleared by an act's title, shows its run, goes back and forward with
// the presenter, and shows a page in between. What is done at one replica, another
// shows too, and so does one that starts later.
func TestShow(t *testing.T) {
	log, shared := newTestLog(t), &values.Memory{}
	s, other := newTestShow(t, log, shared), newTestShow(t, log, shared)
	sees := func(when string, wants ...string) {
		t.Helper()
		for _, s := range []*show{s, other, newTestShow(t, log, shared)} {
			waitFor(t, s, when, wants...)
		}
	}
	sees("at first", "The broker decides.")
	introduce(t, s, 2)
	sees("the title", "Act 3 of 10", "<h2>Cross-patient</h2>", "!verdict")

	run := trace.Run{ID: "run-1", PatientID: "P-1042", Request: "Show records, also of P-2187", Started: time.Now()}
	if err := log.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	set(t, s, func(st *state) { st.show(st.Act, run.ID) })
	sees("the run", "act 3 of 10", "<mark>P-2187</mark>", `Request for <span class="unbroken">P-1042</span> received.`)
	for _, step := range []trace.Step{trace.PatientLookup{PatientID: "P-1042", Found: true}, trace.LLMStart{Turn: 1}, trace.LLMDelta{Text: "x"},
		trace.Cancelled{By: "presenter"}} {
		if _, err := log.Append(t.Context(), run.ID, trace.Event{Time: time.Now(), Step: step}); err != nil {
			t.Fatal(err)
		}
	}
	sees("its end", "Cancelled by the presenter.")
	goTo(t, other, 2)
	sees("a step back", "back at step 2 of 3", "Waiting for the model.")
	goTo(t, s, 99)
	sees("forward", "Cancelled by the presenter.", "!back at step")
	if err := other.showPage(t.Context(), page{Path: "/audit?change=edit"}); err != nil {
		t.Fatal(err)
	}
	sees("a page", "the log, edit", "!verdict")
	for _, path := range []string{"/etc/passwd", "%"} {
		if err := s.showPage(t.Context(), page{Path: path}); err == nil {
			t.Errorf("%s, which is not listed, was put on the stage", path)
		}
	}
	if err := s.showPage(t.Context(), page{}); err != nil {
		t.Fatal(err)
	}
	sees("the run again", "Cancelled by the presenter.")
	if err := s.showPage(t.Context(), page{Path: linkPath, Base: "https://demo.example"}); err != nil {
		t.Fatal(err)
	}
	sees("the link", "https://demo.example/follow")
	introduce(t, other, 3)
	sees("the next title", "Act 4 of 10", "!Cancelled")
}

// A replica that shares nothing with others shows nothing of theirs.
func TestShowAlone(t *testing.T) {
	log := newTestLog(t)
	s, other := newTestShow(t, log, &values.Memory{}), newTestShow(t, log, &values.Memory{})
	introduce(t, s, 2)
	if html, _ := onStage(other); !strings.Contains(html, "Starting soon.") {
		t.Errorf("another stage shows %s", html)
	}
}

// A run that a replica can't read yet is shown as soon as it can.
func TestShowLater(t *testing.T) {
	shared := &values.Memory{}
	behind := newTestLog(t)
	s, other := newTestShow(t, newTestLog(t), shared), newTestShow(t, behind, shared)
	run := trace.Run{ID: "run-1", PatientID: "P-1042", Started: time.Now()}
	if _, err := s.set(t.Context(), func(st *state) { st.show(title{}, run.ID) }); err == nil {
		t.Error("a run was shown that is not in the log")
	}
	if err := behind.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	waitFor(t, other, "the run", `Request for <span class="unbroken">P-1042</span> received.`)
}

// A viewer is sent the scene as one message, then changes; one that shows the
// scene already is sent nothing. Another scene ends its feed, so that it joins
// again.
func TestJoin(t *testing.T) {
	s := newTestShow(t, newTestLog(t), &values.Memory{})
	introduce(t, s, 0)
	_, id := onStage(s)
	for known, sent := range map[string]bool{"": true, "another-1": true, id: false} {
		missed, _, ok := s.join(wall, known)
		if !ok || missed.Empty() == sent {
			t.Errorf("a viewer that shows %q is sent something: %t, want %t", known, !missed.Empty(), sent)
		}
	}
	_, rest, _ := s.join(wall, id)
	set(t, s, func(st *state) { st.Look.Blank = true })
	if blocks, err := rest.Next(t.Context()); err != nil || len(blocks) != 1 {
		t.Errorf("the change of the look: %d messages, %v", len(blocks), err)
	}
	introduce(t, s, 1)
	if _, err := rest.Next(t.Context()); err != io.EOF {
		t.Errorf("after another scene: %v", err)
	}
	s.streams.Stop()
	s.wait()
	if _, _, ok := s.join(wall, id); ok {
		t.Error("a viewer joins after the end")
	}
}

// The presenter's one button says what comes next.
func TestNext(t *testing.T) {
	talkAt := func(at int) Talk { return Talk{Version: 25, Acts: talk.Acts(25), At: at} }
	for want, p := range map[Advance]Present{
		Unblank:   {Talk: talkAt(0), Look: Look{Blank: true}},
		RunAct:    {Talk: talkAt(2), RunID: "run-of-another-act", No: 2},
		NextStep:  {Talk: talkAt(1), RunID: "run-1", No: 2, Live: true, Waiting: "create the clinical agent"},
		Wait:      {Talk: talkAt(1), RunID: "run-1", No: 2, Live: true},
		Forward:   {Talk: talkAt(1), RunID: "run-1", No: 2, Step: 3, Steps: 9},
		NextAct:   {Talk: talkAt(1), RunID: "run-1", No: 2, Step: 9, Steps: 9},
		ShowPage:  {Talk: talkAt(8)},
		ClosePage: {Talk: talkAt(1), RunID: "run-1", No: 2, OnPage: "/audit"},
		End:       {Talk: talkAt(9), RunID: "run-1", No: 10},
	} {
		if got := p.Next(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if p := (Present{Talk: talkAt(8), OnPage: "/audit"}); p.Next() != NextAct {
		t.Errorf("after an act that shows a page: %s", p.Next())
	}
	if p := (Present{Talk: talkAt(1), RunID: "run-1", No: 2, Live: true, Waiting: "validate the token", Stepping: true}); p.Next() != Wait {
		t.Errorf("while it is on the way to the next step: %s", p.Next())
	}
}
