package ui

// Meaning is what something means for authority. Each has a sign, a word and a
// color (the CSS classes "is-" and "m-" with its name), so that none is
// conveyed by color alone.
type Meaning string

// The meanings. Plain has none of the five; Trouble marks a failure for a
// reason other than authority.
const (
	Allowed   Meaning = "allowed"
	Denied    Meaning = "denied"
	Delegated Meaning = "delegated"
	Alive     Meaning = "alive"
	Ended     Meaning = "ended"
	Plain     Meaning = "plain"
	Trouble   Meaning = "trouble"
)

var signs = map[Meaning]string{Allowed: "✓", Denied: "✕", Delegated: "⇢", Alive: "●", Ended: "■", Plain: "·", Trouble: "!"}

// Sign returns the meaning's sign.
func (m Meaning) Sign() string { return signs[m] }

// Word returns the meaning as a word for screen readers. It is empty for Plain.
func (m Meaning) Word() string {
	if m == Plain {
		return ""
	}
	return string(m)
}
