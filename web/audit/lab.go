package audit

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// The part of a log that the tamper lab shows.
const (
	labEvents = 8 // at most
	labBefore = 2 // before the blocked call
)

// Lab is the tamper lab: a part of a log, and a copy of it that was changed. It starts
// at the last blocked call.
type Lab struct {
	Log            string // "own" or "broker"
	Logs           []Choice
	Original, Copy []Block
	Changes        []Choice
	Change         string // what was asked for; empty for nothing
	Event          string // that is to be changed
	Found          string
	After          string // what became of the events that follow
	ByCheckpoint   bool   // only a checkpoint that was kept detects the change
	Problem        string
}

// Choice is one entry of a list to choose from.
type Choice struct{ Value, Words string }

// lab is GET /audit/lab: the tamper lab alone.
func (p *Pages) lab(w http.ResponseWriter, r *http.Request) error {
	if !respond.FromPage(r) {
		http.Redirect(w, r, "/audit?"+r.URL.RawQuery+"#lab", http.StatusSeeOther)
		return nil
	}
	return respond.Render(w, http.StatusOK, TamperLab(p.newLab(r.Context(), r.URL.Query())))
}

// newLab returns the tamper lab that a query asks for.
func (p *Pages) newLab(ctx context.Context, q url.Values) Lab {
	state, name := p.labState(q)
	if name == brokerLog && state.Read == 0 {
		state = p.follower.Refresh(ctx)
	}
	lab := tamper(state, q)
	lab.Log, lab.Logs = name, []Choice{{ownLog, "MedAssist's decisions"}}
	if p.cfg.Log != nil {
		lab.Logs = append(lab.Logs, Choice{brokerLog, "broker's events"})
	}
	return lab
}

// tamper changes a copy of the log's end as the query says.
func tamper(state auditlog.State, q url.Values) Lab {
	lab := Lab{Change: q.Get("change"), Event: q.Get("event")}
	for _, c := range auditlog.Changes {
		lab.Changes = append(lab.Changes, Choice{Value: string(c.Change), Words: c.Words})
	}
	from := max(0, len(state.Newest)-labEvents)
	if at := blocked(state.Newest); at >= 0 {
		from = max(0, min(at-labBefore, from))
		if lab.Event == "" {
			lab.Event = state.Newest[at].ID
		}
	}
	original := state.Newest[from:]
	for _, e := range original[:min(len(original), labEvents)] {
		lab.Original = append(lab.Original, newBlock(e, true))
	}
	if lab.Change == "" {
		return lab
	}
	t, err := auditlog.Tamper(state, len(original), auditlog.Change(lab.Change), lab.Event)
	if err != nil {
		lab.Problem = "This event is no longer among the newest, or can't be changed this way. Choose another."
		return lab
	}
	lab.Found, lab.ByCheckpoint = strings.TrimSuffix(t.Found, ".")+".", t.ByCheckpoint
	if broken := len(t.Events) - t.Good; broken > 1 {
		lab.After = fmt.Sprintf("Nothing after it can be trusted: %s.", text.Count(broken-1, "event"))
	}
	for i, e := range t.Events[:min(len(t.Events), labEvents)] {
		b := newBlock(e, i < t.Good)
		b.Changed = !slices.ContainsFunc(original, func(o agentwrit.AuditEvent) bool { return o == e })
		lab.Copy = append(lab.Copy, b)
	}
	return lab
}

// newBlock returns an event as a link of the chain. A decision is named by its call.
func newBlock(e agentwrit.AuditEvent, good bool) Block {
	b := Block{ID: e.ID, Hash: e.Hash, Words: eventWords(e.EventType), Good: good, Denied: e.Outcome == wire.OutcomeDenied}
	if call, _, ok := strings.Cut(e.Detail, " by="); ok && e.Resource != "" {
		b.Words = strings.Replace(call, " for ", " ", 1)
	}
	return b
}
