package audit

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

const labEvents = 10 // that the tamper lab copies

// Lab is the tamper lab: the end of the log, and a copy of it that was changed.
type Lab struct {
	Original, Copy []Block
	Changes        []Choice
	Change, Event  string // what was asked for; empty for nothing
	Found          string
	ByCheckpoint   bool // only a checkpoint that was kept detects the change
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
	state := p.follower.State()
	if state.Read == 0 {
		state = p.follower.Refresh(r.Context())
	}
	return respond.Render(w, http.StatusOK, TamperLab(newLab(state, r.URL.Query())))
}

// newLab changes a copy of the log's end as the query says.
func newLab(state auditlog.State, q url.Values) Lab {
	lab := Lab{Change: q.Get("change"), Event: q.Get("event")}
	for _, c := range auditlog.Changes {
		lab.Changes = append(lab.Changes, Choice{Value: string(c.Change), Words: c.Words})
	}
	original := state.Newest[max(0, len(state.Newest)-labEvents):]
	for _, e := range original {
		lab.Original = append(lab.Original, Block{ID: e.ID, Hash: e.Hash, Words: eventWords(e.EventType), Good: true})
	}
	if lab.Change == "" {
		return lab
	}
	t, err := auditlog.Tamper(state, labEvents, auditlog.Change(lab.Change), lab.Event)
	if err != nil {
		lab.Problem = "This event is no longer among the newest, or can't be changed this way. Choose another."
		return lab
	}
	lab.Found, lab.ByCheckpoint = t.Found, t.ByCheckpoint
	for i, e := range t.Events {
		lab.Copy = append(lab.Copy, Block{ID: e.ID, Hash: e.Hash, Words: eventWords(e.EventType), Good: i < t.Good,
			Changed: !slices.ContainsFunc(original, func(o agentwrit.AuditEvent) bool { return o == e })})
	}
	return lab
}
