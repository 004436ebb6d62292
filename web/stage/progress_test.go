package stage

import (
	"testing"
	"time"
)

func TestTimer(t *testing.T) {
	now := time.Date(2026, 11, 12, 14, 0, 0, 0, time.UTC)
	p := newProgress()
	check := func(when string, timer time.Duration, running bool) {
		t.Helper()
		now = now.Add(time.Minute)
		if v := p.view(now); v.Timer != timer || v.Running != running {
			t.Errorf("a minute after %s: %s, running %v", when, v.Timer, v.Running)
		}
	}
	check("nothing", 0, false)
	p.startTimer(now)
	check("the start", time.Minute, true)
	p.startTimer(now)
	check("a second start, which is ignored", 2*time.Minute, true)
	p.toggleTimer(now)
	check("a pause", 2*time.Minute, false)
	p.startTimer(now)
	check("a start while paused, which is ignored", 2*time.Minute, false)
	p.toggleTimer(now)
	check("a resume", 3*time.Minute, true)
	p.resetTimer()
	check("a reset", 0, false)
}

func TestChooseAct(t *testing.T) {
	p := newProgress()
	for _, tc := range []struct{ version, act, at int }{
		{10, 1, 1}, {10, -1, 1}, {10, 99, 1}, {25, 8, 8}, {10, 8, 3}, // the short talk has four acts
	} {
		p.choose(tc.version, tc.act)
		if v := p.view(time.Time{}); v.At != tc.at || v.Version != tc.version {
			t.Errorf("act %d of %d minutes: at %d of %d", tc.act, tc.version, v.At, v.Version)
		}
	}
}
