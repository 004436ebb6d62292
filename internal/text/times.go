package text

import (
	"fmt"
	"time"
)

// Duration returns how long something took in at most four digits: "4 ms",
// "1.2 s", "1:35 min". It returns an empty string for zero.
func Duration(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 50*time.Microsecond:
		return "<0.1 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return Clock(d) + " min"
	}
}

// Clock returns a remaining time as minutes and seconds: "4:59". A started
// second counts as a whole one, and a negative duration as zero.
func Clock(d time.Duration) string {
	s := int((max(d, 0) + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
