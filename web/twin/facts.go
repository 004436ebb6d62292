package twin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/twin"
)

// A Fact is one figure of a side.
type Fact struct{ Name, Figure, More string }

// View is a comparison as a page shows it.
type View struct {
	twin.Result
	Left, Right Column
	// Lead and Outcome sum it up in one sentence.
	Lead, Outcome string
}

// A Column is one side.
type Column struct {
	Shared bool
	Count  string // of its calls
	Facts  []Fact
}

// NewView returns a view of a result.
func NewView(r twin.Result) View {
	v := View{Result: r, Left: column(r, true), Right: column(r, false)}
	v.Lead, v.Outcome = sentence(r)
	return v
}

// opened returns the patients whose records a credential opened: those that the task
// reached, and those that the attacker did.
func opened(r twin.Result, shared bool) []string {
	ids := slices.Concat(r.Reached(shared), r.Side(shared).Stolen())
	slices.Sort(ids)
	return slices.Compact(ids)
}

// of writes "1 of 4".
func of(ids []string, r twin.Result) string {
	return fmt.Sprintf("%d of %d", len(ids), len(r.Patients))
}

func sentence(r twin.Result) (lead, outcome string) {
	switch r.Phase {
	case twin.Running:
		return "The same request runs on both sides.", "Each call is made twice."
	case twin.Failed, twin.Cancelled:
		return r.Problem, "No comparison."
	case twin.Done:
	}
	lead = fmt.Sprintf("The shared key opened %s patients", of(opened(r, true), r))
	if last, ok := r.Shared.Last(); ok && last.Outcome == twin.OutcomeAllowed {
		lead += " and still works"
	}
	outcome = "AgentWrit: " + of(opened(r, false), r)
	if last, ok := r.Writ.Last(); r.Writ.Tokens == 0 || ok && last.Outcome == twin.OutcomeDenied && ended(r.Writ) {
		outcome += ", and now nothing"
	}
	return lead + ".", outcome + "."
}

// ended reports whether no credential of the task is valid any more.
func ended(s twin.Side) bool { return s.Revoked == s.Tokens && s.ValidFor == 0 }

func column(r twin.Result, shared bool) Column {
	c := Column{Shared: shared, Count: counted(r, shared)}
	for _, f := range []func(twin.Result, bool) Fact{reached, written, usable, named, stolen} {
		c.Facts = append(c.Facts, f(r, shared))
	}
	return c
}

func counted(r twin.Result, shared bool) string {
	allowed, denied, failed := r.Count(shared, twin.OutcomeAllowed), r.Count(shared, twin.OutcomeDenied), r.Count(shared, twin.OutcomeFailed)
	var parts []string
	switch {
	case len(r.Calls) == 0:
		return ""
	case denied == 0 && failed == 0:
		return text.Count(allowed, "call") + " allowed"
	case allowed > 0:
		parts = append(parts, fmt.Sprintf("%d allowed", allowed))
	}
	if denied > 0 {
		parts = append(parts, fmt.Sprintf("%d denied", denied))
	}
	if failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", failed))
	}
	return strings.Join(parts, ", ")
}

// open is what a fact shows before it is known.
const open = "…"

func reached(r twin.Result, shared bool) Fact {
	ids := r.Reached(shared)
	f := Fact{"Patients reached by the task", of(ids, r), list(ids)}
	switch {
	case len(r.Calls) == 0:
		f.Figure, f.More = open, "no call yet"
	case len(ids) == 0:
		f.More = "every call was denied"
	case slices.Equal(ids, []string{r.Patient}):
		f.More = r.Patient + ", the patient of the request"
	}
	return f
}

// kinds says what a tool writes.
var kinds = map[string]string{"write_prescription": "prescription", "write_clinical_notes": "note", "generate_billing_codes": "billing code",
	"file_insurance_claim": "insurance claim"}

func written(r twin.Result, shared bool) Fact {
	writes := r.Writes(shared)
	f := Fact{"Writes done", fmt.Sprint(len(writes)), ""}
	var done []string
	for _, w := range writes {
		done = append(done, kinds[w.Tool]+" for "+w.Patient)
	}
	asked := 0
	for _, c := range r.Calls {
		if c.Writes {
			asked++
		}
	}
	switch {
	case r.Live() && asked == 0:
		f.Figure, f.More = open, "no write yet"
	case asked == 0:
		f.More = "the model asked for none"
	case len(writes) == 0:
		f.More = text.Count(asked, "write") + " blocked"
	default:
		f.More = strings.Join(done, ", ")
	}
	return f
}

func usable(r twin.Result, shared bool) Fact {
	f := Fact{"Usable after the task", open, "measured when the task is over"}
	last, ok := r.Side(shared).Last()
	switch {
	case r.Phase != twin.Done:
	case shared && ok && last.Outcome == twin.OutcomeAllowed:
		f.Figure, f.More = "no end", fmt.Sprintf("worked %s later; until someone rotates it", text.Duration(last.Since))
	case shared:
		f.Figure, f.More = "not measured", "the key was not tried again"
	case r.Writ.Tokens == 0:
		f.Figure, f.More = "0 s", "no token was issued"
	case r.Writ.ValidFor > 0:
		f.Figure, f.More = fmt.Sprintf("up to %s", r.Writ.ValidFor.Round(time.Second)), fmt.Sprintf("%d of %s confirmed revoked", r.Writ.Revoked, text.Count(r.Writ.Tokens, "token"))
	case ended(r.Writ):
		f.Figure, f.More = "0 s", fmt.Sprintf("%d of %d confirmed revoked", r.Writ.Revoked, r.Writ.Tokens)
		if ok && last.Outcome == twin.OutcomeDenied {
			f.More += fmt.Sprintf("; denied %s later", text.Duration(last.Since))
		}
	default:
		f.Figure, f.More = "unknown", fmt.Sprintf("%d of %s confirmed revoked", r.Writ.Revoked, text.Count(r.Writ.Tokens, "token"))
	}
	return f
}

func named(r twin.Result, shared bool) Fact {
	f := Fact{"Whom the log can name", open, "read when the task is over"}
	names := r.Side(shared).Names
	entries := 0
	for _, n := range names {
		entries += n.Entries
	}
	switch {
	case r.Phase != twin.Done:
	case len(names) == 0:
		f.Figure, f.More = "nobody", "no entry"
	case shared:
		f.Figure, f.More = "the API key", fmt.Sprintf("in all %s, the attacker's too", text.Count(entries, "entry"))
	default:
		f.Figure = strings.ToLower(names[0].Name)
		if len(names) > 1 {
			f.Figure = text.Count(len(names), "agent")
		}
		f.More = "agent, token and task in all " + text.Count(entries, "entry")
	}
	return f
}

func stolen(r twin.Result, shared bool) Fact {
	s := r.Side(shared)
	ids := s.Stolen()
	f := Fact{"What an attacker gets", open, "tried during the task and after it"}
	denied := 0
	for _, t := range s.Thefts {
		if t.Outcome == twin.OutcomeDenied && !t.After {
			denied++
		}
	}
	last, after := s.Last()
	switch {
	case r.Phase != twin.Done:
	case !s.Tried():
		f.Figure, f.More = "nothing", "no token was issued that could be stolen"
	case after && last.Outcome == twin.OutcomeAllowed:
		f.Figure = of(ids, r) + " patients, and keeps it"
		f.More = list(ids) + "; " + last.Patient + " again after the task"
	case after && last.Outcome == twin.OutcomeDenied:
		f.Figure = of(ids, r) + " patients, until release"
		f.More = fmt.Sprintf("%s; %d others denied, and after the task %s too", list(ids), denied, last.Patient)
	default:
		f.Figure, f.More = of(ids, r)+" patients", list(ids)
	}
	return f
}

func list(ids []string) string { return strings.Join(ids, ", ") }
