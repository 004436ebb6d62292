package verdict

// A Meaning is one of the five things that a line, a shape or a color can mean.
type Meaning string

// The five meanings.
const (
	Allowed   Meaning = "allowed"
	Denied    Meaning = "denied"
	Delegated Meaning = "delegated"
	Alive     Meaning = "alive"
	Ended     Meaning = "ended"
)

// A Line is the verdict: what happened, and how it came out.
type Line struct {
	Meaning Meaning
	Lead    string // "Model asked for P-2187. Token covers P-1042."
	Outcome string // "Blocked at the gate.", set in bold; it may be empty
	Seq     int64  // of the event that decided it, or 0 if there is none yet
}

// String returns the line as plain text.
func (l Line) String() string {
	if l.Lead == "" || l.Outcome == "" {
		return l.Lead + l.Outcome
	}
	return l.Lead + " " + l.Outcome
}
