package picture

import "time"

// Status returns the credential's state in a word or two.
func (c Credential) Status(now time.Time) string {
	state := c.StateAt(now)
	switch {
	case c.Proof == StillValid:
		return "still valid"
	case state == Alive && c.Problem != "":
		return c.Problem
	case state == Alive && c.Renewals > 0:
		return "renewed"
	case state == Released && c.Proof == ConfirmedRevoked:
		return "confirmed revoked"
	case c.Proof == ConfirmedRevoked:
		return string(state) + ", confirmed"
	case state == Denied:
		return "not issued"
	case state == Failed:
		return "failed"
	case state == Absent:
		return "not created"
	}
	return string(state)
}
