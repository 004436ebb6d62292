package view

import "strconv"

// Replay is how the events of a run that is over are shown again. Nothing is
// asked and nothing is issued.
type Replay struct {
	Speed float64 // 1 is as it was, 2 twice as fast; 0 is held
}

// replaySpeeds are those that the page offers.
var replaySpeeds = []float64{0.5, 1, 2, 4}

// paused reports whether a replay is held; what is no replay is not.
func (p *Replay) paused() bool { return p != nil && p.Speed == 0 }

// frames is the address of the replay's stream, from where the page is.
func (p *Replay) frames(r *Run) string {
	return "/runs/" + r.Info.ID + "/replay/frames?speed=" + number64(p.Speed) + "&after=" + decimal(r.LastSeq)
}

func replayURL(r *Run, speed float64) string {
	return "/runs/" + r.Info.ID + "/replay?speed=" + number64(speed)
}

func number64(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
