package picture

import (
	"slices"
	"strconv"
	"time"
)

// An axis maps run time to coordinates. A presenter may talk for minutes between
// two steps, so the longest idle intervals are shortened to breaks that show
// their length.
type axis struct {
	pieces []piece
	breaks []gap
	scale  float64 // pixels a nanosecond, the same on every piece
}

// A piece is an interval drawn to scale.
type piece struct {
	from, to time.Duration
	x        float64 // of from
}

// A gap is an interval shortened to a break.
type gap struct {
	took  time.Duration
	x0, x float64 // drawn from x0 to x
}

// breakWidth is the width of a break, unless there are too many.
const breakWidth = 46.0

// newAxis returns an axis for spans from x0 to x1. Idle intervals are drawn to
// scale, the shortest first, up to half of the busy time in total.
func newAxis(spans []span, x0, x1 float64) axis {
	busy := union(spans)
	var ran time.Duration
	waits := make([]time.Duration, 0, len(busy))
	for i, b := range busy {
		ran += b.to - b.from
		if i > 0 {
			waits = append(waits, b.from-busy[i-1].to)
		}
	}
	longest := longestKept(waits, ran/2)

	var a axis
	var drawn time.Duration
	for i, b := range busy {
		if i > 0 && waits[i-1] <= longest {
			a.pieces[len(a.pieces)-1].to = b.to
			drawn += waits[i-1]
		} else {
			a.pieces = append(a.pieces, b)
		}
		drawn += b.to - b.from
	}

	cuts := float64(len(a.pieces) - 1)
	width := min(breakWidth, (x1-x0)*0.4/max(cuts, 1))
	a.scale = (x1 - x0 - cuts*width) / float64(max(drawn, time.Microsecond))
	x := x0
	for i := range a.pieces {
		if i > 0 {
			a.breaks = append(a.breaks, gap{took: a.pieces[i].from - a.pieces[i-1].to, x0: x, x: x + width})
			x += width
		}
		a.pieces[i].x = x
		x += float64(a.pieces[i].to-a.pieces[i].from) * a.scale
	}
	return a
}

// union returns the intervals in which anything ran, in order, from the start.
func union(spans []span) []piece {
	all := make([]piece, 1, len(spans)+1) // the first is the start itself
	for _, s := range spans {
		all = append(all, piece{from: s.from, to: s.to})
	}
	slices.SortStableFunc(all, func(a, b piece) int { return int(a.from - b.from) })
	merged := all[:1]
	for _, p := range all[1:] {
		last := &merged[len(merged)-1]
		if p.from <= last.to {
			last.to = max(last.to, p.to)
		} else {
			merged = append(merged, p)
		}
	}
	return merged
}

// longestKept returns the length up to which idle intervals are drawn to scale, so
// that they stay within the budget in total.
func longestKept(waits []time.Duration, budget time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(waits))
	longest := time.Duration(-1)
	for i := 0; i < len(sorted); {
		same := i
		for same < len(sorted) && sorted[same] == sorted[i] {
			budget -= sorted[same]
			same++
		}
		if budget < 0 {
			break
		}
		longest, i = sorted[i], same
	}
	return longest
}

// x returns the coordinate of a run time.
func (a axis) x(d time.Duration) float64 {
	p := a.pieces[0]
	for _, next := range a.pieces {
		if next.from <= d {
			p = next
		}
	}
	return p.x + float64(min(d, p.to)-p.from)*a.scale
}

// A tick is a round run time on the axis.
type tick struct {
	x    float64
	text string
}

// steps are the distances between ticks that are easy to read.
var steps = []time.Duration{
	10 * time.Microsecond, 20 * time.Microsecond, 50 * time.Microsecond,
	100 * time.Microsecond, 200 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
	20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
	5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
}

// ticks returns round run times at least room pixels apart and from any break.
func (a axis) ticks(room float64) []tick {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if float64(s)*a.scale >= room {
			step = s
			break
		}
	}
	var ticks []tick
	free := -room // where the next label may stand
	for i, p := range a.pieces {
		if i > 0 {
			free = p.x + room/3
		}
		end := p.x + float64(p.to-p.from)*a.scale
		for d := (p.from + step - 1) / step * step; d <= p.to; d += step {
			x := p.x + float64(d-p.from)*a.scale
			if x < free || i < len(a.breaks) && x > end-room/3 {
				continue
			}
			ticks = append(ticks, tick{x: x, text: moment(d, step)})
			free = x + room
		}
	}
	return ticks
}

// moment formats a run time as precisely as the distance of ticks requires.
func moment(d, step time.Duration) string {
	if d == 0 {
		return "0"
	}
	decimals := 0
	for unit := time.Second; step%unit != 0 && decimals < 5; unit /= 10 {
		decimals++
	}
	switch {
	case d < time.Second && step < 100*time.Millisecond:
		return trim(float64(d)/float64(time.Millisecond), 2) + " ms"
	case d < time.Minute:
		return trim(d.Seconds(), decimals) + " s"
	}
	s := trim((d % time.Minute).Seconds(), decimals)
	if d%time.Minute < 10*time.Second {
		s = "0" + s
	}
	return trim(float64(d/time.Minute), 0) + ":" + s
}

// trim returns f with at most that many decimals.
func trim(f float64, decimals int) string {
	s := strconv.FormatFloat(f, 'f', decimals, 64)
	if decimals == 0 {
		return s
	}
	for s[len(s)-1] == '0' {
		s = s[:len(s)-1]
	}
	if s[len(s)-1] == '.' {
		s = s[:len(s)-1]
	}
	return s
}
