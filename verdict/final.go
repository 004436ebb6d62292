package verdict

import (
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// final is the line of a run that is over. What a reader must know first comes
// first: an operator's act, a denial of what the model asked for, a theft, then what
// was done.
func (r *Run) final(seq int64) Line {
	switch c := r.complete; {
	case len(r.revoked) > 0:
		return r.revocation()
	case len(r.rejections) > 0:
		return r.rejected()
	case len(r.refused) > 0:
		return r.refusedDelegation()
	case len(r.denials) > 0:
		return r.denied()
	case len(r.thefts) > 0:
		return r.theft()
	case c.Outcome == trace.OutcomeInterrupted:
		return Line{Ended, "The server stopped during this run.", r.tokens(), seq}
	case r.failure != nil:
		return Line{Denied, sentence(r.failure.step.Message), r.tokens(), r.failure.seq}
	case r.cancelled != nil:
		return Line{Ended, "Cancelled by the " + r.cancelled.step.By + ".", r.tokens(), r.cancelled.seq}
	case r.unknown:
		return r.unknownPatient(seq)
	}
	if found, ok := r.majorInteraction(); ok {
		line := Line{Ended, "Major interaction found.", "Nothing prescribed, nothing delegated.", found.seq}
		if len(r.granted) > 0 {
			line.Outcome = "Nothing prescribed."
		}
		return line
	}
	return r.work(seq)
}

// work is the line of a run in which nothing was denied.
func (r *Run) work(seq int64) Line {
	c := r.complete
	line := Line{Allowed, text.Count(c.Allowed, "call") + " allowed.", r.tokens(), seq}
	if c.MayLive() {
		line.Meaning = Alive
	}
	categories := make(map[string]bool)
	for _, call := range r.calls {
		categories[call.step.Category] = true
	}
	scopes := 0
	for _, g := range r.granted {
		scopes += len(g.step.DelegatedScope)
	}
	written := slices.ContainsFunc(r.calls, func(x at[trace.ToolCall]) bool { return x.step.Tool == "write_prescription" })
	switch {
	case c.Allowed == 0 && c.Errors > 0:
		line.Lead = text.Count(c.Errors, "call") + " failed."
		if !c.MayLive() {
			line.Meaning = Ended
		}
	case c.Allowed == 0:
		line.Meaning, line.Lead, line.Outcome = Ended, "No tool was called.", "This answer is not based on the record."
	case scopes > 0:
		line.Seq = r.granted[0].seq
		line.Lead = fmt.Sprintf("%s allowed, %s delegated.", text.Count(c.Allowed, "call"), text.Count(scopes, "scope"))
		if written && len(categories) == 1 {
			line.Lead = fmt.Sprintf("Prescription written with %d delegated %s.", scopes, plural(scopes, "scope"))
		}
	case len(r.agents) == 1 && c.AllRevoked:
		line.Outcome = fmt.Sprintf("One agent, %s scopes only.", r.agents[0])
	}
	return line
}

// tokens says what the broker has confirmed about the tokens of the run.
func (r *Run) tokens() string {
	switch c := r.complete; {
	case c.Unaccounted > 0:
		return fmt.Sprintf("%s may still be valid until it expires.", text.Count(c.Unaccounted, "lost token"))
	case c.Tokens == 0 && c.RevokedUnseen > 0:
		return "No token was received; the whole task is revoked."
	case c.Tokens == 0:
		return "No token was issued."
	case c.AllEnded() && c.ConfirmedRevoked == 0:
		return fmt.Sprintf("%s expired.", text.Count(c.Expired, "token"))
	case c.AllEnded() && !c.AllRevoked:
		return fmt.Sprintf("%s confirmed revoked, %d expired.", text.Count(c.ConfirmedRevoked, "token"), c.Expired)
	case !c.AllRevoked:
		return fmt.Sprintf("%d of %s confirmed revoked.", c.ConfirmedRevoked, text.Count(c.Tokens, "token"))
	case c.Tokens == 1:
		return "Its token is confirmed revoked."
	default:
		return fmt.Sprintf("All %d tokens confirmed revoked.", c.Tokens)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
