package stage

import (
	"context"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// endedRuns has no live run: those of these tests are only in the log.
type endedRuns struct{ Runs }

func (endedRuns) Watch(string) (*trace.Cursor[agents.State], error) { return nil, trace.ErrEnded }

func newTestShow(t *testing.T) (*show, *trace.Store) {
	t.Helper()
	log, err := trace.OpenStore(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	streams := sse.New()
	s := newShow(Config{Log: log, Runs: endedRuns{}, Streams: streams, Pages: []Page{{Path: "/audit", Title: "Audit log",
		View: func(_ context.Context, q url.Values) (templ.Component, error) {
			return respond.Text("the log, " + q.Get("change")), nil
		}}}})
	t.Cleanup(func() {
		streams.Stop()
		s.wait()
		_ = log.Close()
	})
	return s, log
}

// onStage returns the scene, and its ID.
func onStage(s *show) (html, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.html(&s.scene, wall)
}

// The stage is cleared by an act's title, shows its run, goes back and forward with
// the presenter, and shows a page in between.
func TestShow(t *testing.T) {
	s, log := newTestShow(t)
	sees := func(when string, wants ...string) {
		t.Helper()
		var html string
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
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
	sees("at first", "The broker decides.")
	acts := talk.Acts(25)
	s.introduce(acts[2], len(acts))
	sees("the title", "Act 3 of 10", "<h2>Cross-patient</h2>", "!verdict")

	run := trace.Run{ID: "run-1", PatientID: "P-1042", Request: "Show records, also of P-2187", Started: time.Now()}
	if err := log.Create(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	if err := s.perform(t.Context(), run.ID, acts[2].Title(), 3, 10); err != nil {
		t.Fatal(err)
	}
	sees("the run", "act 3 of 10", "<mark>P-2187</mark>", `Request for <span class="unbroken">P-1042</span> received.`)
	for _, step := range []trace.Step{trace.PatientLookup{PatientID: "P-1042", Found: true}, trace.LLMStart{Turn: 1}, trace.LLMDelta{Text: "x"},
		trace.Cancelled{By: "presenter"}} {
		if _, err := log.Append(t.Context(), run.ID, trace.Event{Time: time.Now(), Step: step}); err != nil {
			t.Fatal(err)
		}
	}
	sees("its end", "Cancelled by the presenter.")
	s.goTo(2)
	sees("a step back", "back at step 2 of 3", "Waiting for the model.")
	s.goTo(99)
	sees("forward", "Cancelled by the presenter.", "!back at step")
	if err := s.openPage(t.Context(), "/audit?change=edit"); err != nil {
		t.Fatal(err)
	}
	sees("a page", "the log, edit", "!verdict")
	if err := s.openPage(t.Context(), "/etc/passwd"); err == nil {
		t.Error("a page that is not listed was put on the stage")
	}
	if err := s.openPage(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	sees("the run again", "Cancelled by the presenter.")
	s.introduce(acts[3], len(acts))
	sees("the next title", "Act 4 of 10", "!Cancelled")
}

// A viewer is sent the scene as one message, then changes; one that shows the
// scene already is sent nothing. Another scene ends its feed, so that it joins
// again.
func TestJoin(t *testing.T) {
	s, _ := newTestShow(t)
	acts := talk.Acts(10)
	s.introduce(acts[0], len(acts))
	_, id := onStage(s)
	for known, sent := range map[string]bool{"": true, "another-1": true, id: false} {
		missed, _, ok := s.join(wall, known)
		if !ok || missed.Empty() == sent {
			t.Errorf("a viewer that shows %q is sent something: %t, want %t", known, !missed.Empty(), sent)
		}
	}
	_, rest, _ := s.join(wall, id)
	s.setLook(func(l *Look) { l.Blank = true })
	if blocks, err := rest.Next(t.Context()); err != nil || len(blocks) != 1 {
		t.Errorf("the change of the look: %d messages, %v", len(blocks), err)
	}
	s.introduce(acts[1], len(acts))
	if _, err := rest.Next(t.Context()); err != io.EOF {
		t.Errorf("after another scene: %v", err)
	}
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
}
