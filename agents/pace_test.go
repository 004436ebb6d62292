package agents

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

func TestParsePace(t *testing.T) {
	for in, want := range map[string]Pace{
		"": Instant, "instant": Instant, "step": Step, "talk": Talk(DefaultPause), "talk:1.5s": Talk(1500 * time.Millisecond),
		"talk:50ms": Talk(50 * time.Millisecond), "talk:30s": Talk(30 * time.Second),
	} {
		got, err := ParsePace(in)
		if err != nil || got != want {
			t.Errorf("%q = %v, %v", in, got, err)
		}
		if again, err := ParsePace(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is %v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"fast", "Talk", "talk:", "talk:1", "talk:0s", "talk:-1s", "talk:49ms", "talk:31s", "talk:9999999h", "step:1s", "instant:", ":", " step"} {
		if got, err := ParsePace(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func FuzzParsePace(f *testing.F) {
	for _, s := range []string{"", "instant", "talk", "talk:800ms", "step", "talk:1h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePace(s)
		if err != nil {
			return
		}
		if p.pause < 0 || p.pause > maxPause || p.step && p.pause > 0 {
			t.Errorf("%q gives %+v", s, p)
		}
		if again, err := ParsePace(p.String()); err != nil || again != p {
			t.Errorf("%q gives %v, which is read as %v, %v", s, p, again, err)
		}
	})
}

// waits runs f in a bubble of fake time with a pacer and an hour to work in,
// of which it must not have used any.
func waits(t *testing.T, pace Pace, f func(t *testing.T, p *pacer)) {
	synctest.Test(t, func(t *testing.T) {
		spent := false
		a := newAllowance(time.Hour, func() { spent = true })
		defer a.stop()
		f(t, newPacer(pace, a))
		time.Sleep(59 * time.Minute) // what was waited does not count
		synctest.Wait()
		if spent {
			t.Error("waiting for the presenter was counted as work")
		}
	})
}

func TestInstant(t *testing.T) {
	waits(t, Instant, func(t *testing.T, p *pacer) {
		start := time.Now()
		p.wait(t.Context(), "x", true)
		if time.Since(start) != 0 {
			t.Errorf("it waited %v", time.Since(start))
		}
	})
}

func TestTalk(t *testing.T) {
	waits(t, Talk(20*time.Second), func(t *testing.T, p *pacer) {
		for _, holds := range []bool{true, false} {
			start := time.Now()
			p.wait(t.Context(), "x", holds)
			if time.Since(start) != 20*time.Second {
				t.Errorf("it paused for %v", time.Since(start))
			}
		}
	})
}

func TestStepWaitsForNext(t *testing.T) {
	waits(t, Step, func(t *testing.T, p *pacer) {
		p.wait(t.Context(), "ask the model", false) // not held
		if p.advance() {
			t.Error("Next was taken while nothing waited")
		}
		time.AfterFunc(3*time.Hour, func() {
			if s := p.current(); s.Waiting != "spawn" {
				t.Errorf("state = %+v", s)
			}
			if !p.advance() {
				t.Error("Next was not taken")
			}
			if p.advance() {
				t.Error("a second Next was taken")
			}
		})
		start := time.Now()
		p.wait(t.Context(), "spawn", true)
		if time.Since(start) != 3*time.Hour || p.current().Waiting != "" {
			t.Errorf("it waited %v, state %+v", time.Since(start), p.current())
		}
	})
}

func TestPaceChangesDuringWait(t *testing.T) {
	tests := []struct {
		name     string
		from, to Pace
		want     time.Duration // in all; the change comes after a second
	}{
		{"step to instant", Step, Instant, time.Second},
		{"step to talk, whose pause began with the wait", Step, Talk(5 * time.Second), 5 * time.Second},
		{"talk to instant", Talk(20 * time.Second), Instant, time.Second},
		{"talk to less", Talk(20 * time.Second), Talk(4 * time.Second), 4 * time.Second},
		{"talk to more", Talk(2 * time.Second), Talk(10 * time.Second), 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			waits(t, tt.from, func(t *testing.T, p *pacer) {
				time.AfterFunc(time.Second, func() { p.set(tt.to) })
				start := time.Now()
				p.wait(t.Context(), "x", true)
				if time.Since(start) != tt.want {
					t.Errorf("it waited %v, want %v", time.Since(start), tt.want)
				}
			})
		})
	}
	t.Run("talk to step", func(t *testing.T) {
		waits(t, Talk(20*time.Second), func(t *testing.T, p *pacer) {
			time.AfterFunc(time.Second, func() { p.set(Step) })
			time.AfterFunc(time.Hour, func() { p.advance() })
			start := time.Now()
			p.wait(t.Context(), "x", true)
			if time.Since(start) != time.Hour {
				t.Errorf("it waited %v", time.Since(start))
			}
		})
	})
}

func TestCancelledRunDoesNotWait(t *testing.T) {
	for _, pace := range []Pace{Step, Talk(20 * time.Second)} {
		waits(t, pace, func(t *testing.T, p *pacer) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			for range 3 {
				p.wait(ctx, "x", true)
			}
			if time.Since(start) != time.Second {
				t.Errorf("%v waited %v", pace, time.Since(start))
			}
		})
	}
}

func TestStates(t *testing.T) {
	waits(t, Step, func(t *testing.T, p *pacer) {
		time.AfterFunc(time.Second, func() { p.advance() })
		p.wait(t.Context(), "spawn", true)
		p.set(Instant)
		p.set(Instant)
		got, err := p.states.From(0).Next(t.Context())
		want := []State{{Pace: Step}, {Step, "spawn"}, {Pace: Step}, {Pace: Instant}}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("states = %v, %v", got, err)
		}
	})
}

func TestAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var spent time.Duration
		a := newAllowance(time.Minute, func() { spent = time.Since(start) })
		defer a.stop()
		time.Sleep(20 * time.Second)
		goOn := a.pause()
		time.Sleep(time.Hour)
		goOn()
		time.Sleep(time.Hour)
		synctest.Wait()
		if spent != time.Hour+time.Minute {
			t.Errorf("spent after %v", spent)
		}
		goOn = a.pause() // too late to be held
		goOn()
	})
}

func TestStreamGathersPieces(t *testing.T) {
	type piece struct {
		at   time.Duration
		text string
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []piece
		s := newStream(func(text string) { got = append(got, piece{time.Since(start), text}) })
		for _, w := range strings.Split("abcdefghij", "") { // one each 10 ms
			s.write(w)
			time.Sleep(10 * time.Millisecond)
		}
		s.write("k")
		s.close()
		s.write("after the end")
		time.Sleep(time.Second)
		s.close()
		want := []piece{{0, "a"}, {40 * time.Millisecond, "bcde"}, {80 * time.Millisecond, "fghi"}, {100 * time.Millisecond, "jk"}}
		// Whether the word of the 40th millisecond still goes with its piece is
		// for the scheduler to say; nothing is lost, and nothing comes sooner.
		var text string
		for i, p := range got {
			text += p.text
			if i > 0 && i < len(got)-1 && p.at-got[i-1].at < deltaEvery {
				t.Errorf("piece %d came after %v", i, p.at-got[i-1].at)
			}
		}
		if text != "abcdefghijk" || len(got) != len(want) || got[0] != want[0] || got[3].at != want[3].at {
			t.Errorf("pieces = %v", got)
		}
	})
}

// A run with an audience stays at a denial, a delegation and a revocation, but not
// at what follows from them, and never after it was cancelled.
func TestKeyMoment(t *testing.T) {
	for _, tc := range []struct {
		step trace.Step
		pace Pace
		want time.Duration
	}{
		{trace.ScopeDenied{}, Instant, 2 * time.Second},
		{trace.TokenRejected{}, Instant, 2 * time.Second},
		{trace.DelegationDenied{}, Instant, 2 * time.Second},
		{trace.Delegation{}, Instant, 2 * time.Second},
		{trace.TokenRevoked{}, Instant, 2 * time.Second},
		{trace.StolenTokenUsed{}, Instant, 2 * time.Second},
		{trace.ScopeDenied{}, Talk(500 * time.Millisecond), 2 * time.Second},
		{trace.ScopeDenied{}, Talk(3 * time.Second), 3 * time.Second},
		{trace.ToolCall{}, Instant, 0},
		{trace.TokenReleased{}, Instant, 0},
		{trace.PostReleaseValidation{}, Instant, 0},
	} {
		waits(t, tc.pace, func(t *testing.T, p *pacer) {
			p.keyMoment = 2 * time.Second
			p.logged(tc.step)
			start := time.Now()
			p.wait(t.Context(), "x", true)
			if got := time.Since(start); got != tc.want {
				t.Errorf("%s at pace %s: the next step waited %v, want %v", tc.step.Type(), tc.pace, got, tc.want)
			}
			p.logged(tc.step)
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			start = time.Now()
			p.wait(cancelled, "x", true)
			if time.Since(start) != 0 {
				t.Error("a cancelled run waits")
			}
		})
	}
}
