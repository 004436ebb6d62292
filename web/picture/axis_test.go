package picture

import (
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

func ran(fromTo ...time.Duration) []span {
	var spans []span
	for i := 0; i < len(fromTo); i += 2 {
		spans = append(spans, span{lane: trace.LaneBroker, from: fromTo[i], to: fromTo[i+1]})
	}
	return spans
}

// Waits that would squash what ran are broken out; others stay to scale.
func TestAxisBreaks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		spans []span
		want  []time.Duration
	}{
		"nothing ran":              {nil, nil},
		"one span":                 {ran(0, 50*ms), nil},
		"short waits":              {ran(0, 20*ms, 25*ms, 50*ms), nil},
		"a wait as long as it all": {ran(0, 20*ms, 60*ms, 80*ms), []time.Duration{40 * ms}},
		"minutes of talking":       {ran(0, time.Second, 95*time.Second, 95*time.Second+9*ms), []time.Duration{94 * time.Second}},
		"the short wait is kept":   {ran(0, 100*ms, 110*ms, 200*ms, time.Minute, time.Minute+100*ms), []time.Duration{time.Minute - 200*ms}},
		"equal waits alike":        {ran(0, 10*ms, 20*ms, 30*ms, 40*ms, 50*ms, 60*ms, 70*ms), []time.Duration{10 * ms, 10 * ms, 10 * ms}},
		"spans that overlap":       {ran(0, 50*ms, 10*ms, 20*ms, 45*ms, 60*ms), nil},
		"a late first span":        {ran(time.Minute, time.Minute+10*ms), []time.Duration{time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []time.Duration
			for _, g := range newAxis(tt.spans, 0, 1000).breaks {
				got = append(got, g.took)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("breaks (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever ran, time goes from left to right, inside the plot, and ticks keep
// their distance.
func TestAxisKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var spans []span
		length := rapid.OneOf(rapid.Int64Range(0, int64(10*ms)), rapid.Int64Range(0, int64(10*time.Minute)))
		var now time.Duration
		for range rapid.IntRange(1, 40).Draw(t, "spans") {
			now += time.Duration(length.Draw(t, "wait"))
			took := time.Duration(length.Draw(t, "took"))
			spans = append(spans, span{lane: trace.LaneModel, from: now, to: now + took})
			now += took
		}
		a := newAxis(spans, 100, 900)
		last := 100.0
		for _, s := range spans {
			x0, x1 := a.x(s.from), a.x(s.to)
			if x0 < last-0.01 || x1 < x0-0.01 || x1 > 900.01 {
				t.Fatalf("%v to %v stands at %v to %v, after %v", s.from, s.to, x0, x1, last)
			}
			last = x1
		}
		previous := 0.0
		for i, k := range a.ticks(64) {
			if k.x < 99.99 || k.x > 900.01 || i > 0 && k.x-previous < 64/3 {
				t.Fatalf("tick %q at %v, after %v", k.text, k.x, previous)
			}
			previous = k.x
		}
	})
}

func TestMoments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d, step time.Duration
		want    string
	}{
		{0, time.Second, "0"},
		{20 * ms, 10 * ms, "20 ms"},
		{500 * time.Microsecond, 500 * time.Microsecond, "0.5 ms"},
		{500 * ms, 500 * ms, "0.5 s"},
		{1200 * ms, 200 * ms, "1.2 s"},
		{2 * time.Second, 500 * ms, "2 s"},
		{40 * time.Second, 20 * time.Second, "40 s"},
		{time.Minute, 20 * time.Second, "1:00"},
		{330500 * ms, 500 * ms, "5:30.5"},
		{65 * time.Second, 5 * time.Second, "1:05"},
		{100 * time.Second, 10 * time.Second, "1:40"},
	} {
		if got := moment(tt.d, tt.step); got != tt.want {
			t.Errorf("moment(%v, step %v) = %q, want %q", tt.d, tt.step, got, tt.want)
		}
	}
}

// A lane's total is of all its spans, also of those drawn as one bar.
func TestBarsStayFew(t *testing.T) {
	t.Parallel()
	tl := NewTimeline("")
	start := time.Date(2026, 11, 12, 9, 0, 0, 0, time.UTC)
	for i := range 1000 {
		tl.Apply(trace.Event{Time: start, Spans: []trace.Span{
			{Lane: trace.LaneBroker, Start: start.Add(time.Duration(i) * ms), Took: ms / 2},
		}})
	}
	bars := tl.bars(trace.LaneBroker, newAxis(tl.spans, 0, 900))
	if len(bars) > 300 {
		t.Errorf("%d bars in a strip of 900 pixels", len(bars))
	}
	n := 0
	for _, b := range bars {
		n += b.n
	}
	if sum := tl.total(trace.LaneBroker); n != 1000 || sum.n != 1000 || sum.took != 500*ms {
		t.Errorf("bars stand for %d spans; total %+v", n, sum)
	}
}
