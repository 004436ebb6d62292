package verdict

import (
	"fmt"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// A CleanUp counts the steps that end a run's tokens after the answer.
type CleanUp struct{ Steps, Renewed, Released, Confirmed, Expired int }

// CleanUp returns the counts so far.
func (r *Run) CleanUp() CleanUp { return r.cleanup }

// IsCleanUp reports whether a step belongs to the end of a run, when its tokens
// are renewed, released and confirmed revoked.
func IsCleanUp(step trace.Step) bool {
	switch step.Type() {
	case trace.TypeTokenRenewed, trace.TypeTokenReleased, trace.TypePostReleaseValidation, trace.TypeReleaseError:
		return true
	}
	return false
}

func (c *CleanUp) apply(step trace.Step) {
	if IsCleanUp(step) {
		c.Steps++
	}
	switch s := step.(type) {
	case trace.TokenRenewed:
		c.Renewed++
	case trace.TokenReleased:
		c.Released++
	case trace.PostReleaseValidation:
		if s.Token == trace.TokenOfRelease && !s.Valid {
			c.Confirmed++
		}
	case trace.ReleaseError:
		if s.Expired {
			c.Expired++
		}
	default: // not a step of the clean-up
	}
}

// String returns the clean-up in one line: "4 tokens renewed, released, confirmed
// revoked".
func (c CleanUp) String() string {
	switch {
	case c.Expired > 0 && c.Confirmed == 0:
		return text.Count(c.Expired, "token") + " expired"
	case c.Expired > 0:
		return fmt.Sprintf("%s confirmed revoked, %d expired", text.Count(c.Confirmed, "token"), c.Expired)
	case c.Renewed == c.Released && c.Released == c.Confirmed && c.Confirmed > 0:
		return text.Count(c.Confirmed, "token") + " renewed, released, confirmed revoked"
	}
	return fmt.Sprintf("%s confirmed revoked, %d released", text.Count(c.Confirmed, "token"), c.Released)
}
