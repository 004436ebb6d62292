package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/web/trail"
	"github.com/devonartis/medassist-go/web/view"
)

// Bounds of the audit page.
const (
	auditRows   = 200 // events on the page when it is opened
	auditBlocks = 10  // of the picture of the chain
	labEvents   = 10  // that the tamper lab copies
)

// needsAdmin answers for a page that can't read the trail.
func (s *Server) needsAdmin(w http.ResponseWriter, r *http.Request) bool {
	if s.trail != nil {
		return false
	}
	s.fail(w, r, http.StatusForbidden, "The audit trail needs the broker's admin secret: set AGENTWRIT_ADMIN_SECRET and start again.")
	return true
}

// audit is GET /audit: the newest events first, those that the query asks for.
func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	state := s.trail.Refresh(r.Context())
	a := view.Audit{Page: s.page(r, "Audit", "audit", "/audit"), Filter: auditFilter(r.URL.Query()), Trail: s.trailView(state)}
	var err error
	if a.Rows, err = s.chosen(r.Context(), state, a.Filter); err != nil {
		s.refuse(w, r, err)
		return
	}
	a.Lab = s.lab(state, r.URL.Query())
	render(w, http.StatusOK, view.AuditPage(a))
}

func (s *Server) trailView(state trail.State) view.Trail {
	v := view.Trail{Verified: state.Verified, Total: state.Total, Head: state.Head, Away: state.Away != nil, Since: state.Since, Broker: s.cfg.BrokerURL}
	if state.Broken != nil {
		v.Broken = state.Broken.Error()
	}
	if state.Signed != nil {
		v.SignedSize = state.Signed.Size
	}
	for _, e := range state.Newest[max(0, len(state.Newest)-auditBlocks):] {
		v.Blocks = append(v.Blocks, view.Block{Hash: e.Hash, Words: view.EventWords(e.EventType), Good: true})
	}
	return v
}

func auditFilter(q url.Values) view.AuditFilter {
	f := view.AuditFilter{Type: q.Get("type"), Outcome: q.Get("outcome"), Agent: q.Get("agent"), Task: q.Get("task")}
	if run := q.Get("run"); run != "" {
		f.Task = run // a run is its agents' task
	}
	return f
}

// chosen are the newest events that fit, newest first. Those that are no longer
// in memory the broker is asked for.
func (s *Server) chosen(ctx context.Context, state trail.State, f view.AuditFilter) ([]view.AuditRow, error) {
	events := state.Newest
	if !f.Empty() && state.First() > 1 {
		var err error
		if events, err = s.newestOf(ctx, f); err != nil {
			return nil, err
		}
	}
	var rows []view.AuditRow
	for _, e := range slices.Backward(events) {
		if len(rows) == auditRows {
			break
		}
		if f.Matches(e) {
			rows = append(rows, view.NewAuditRow(e))
		}
	}
	return rows, nil
}

// newestOf asks the broker for the last events that fit. It answers oldest
// first, so their number is asked for before.
func (s *Server) newestOf(ctx context.Context, f view.AuditFilter) ([]agentwrit.AuditEvent, error) {
	filter := agentwrit.AuditFilter{AgentID: f.Agent, TaskID: f.Task, EventType: agentwrit.EventType(f.Type), Outcome: agentwrit.Outcome(f.Outcome), Limit: 1}
	page, err := s.cfg.Admin.AuditPage(ctx, filter)
	if err != nil {
		return nil, err
	}
	filter.Limit, filter.Offset = auditRows, max(0, page.Total-auditRows)
	if page, err = s.cfg.Admin.AuditPage(ctx, filter); err != nil {
		return nil, err
	}
	return page.Events, nil
}

// auditFrames is GET /audit/frames: each new event that fits, and how the trail
// stands, as it grows.
func (s *Server) auditFrames(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	after, err := resumeAfter(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	f := auditFilter(r.URL.Query())
	ctx, done := s.untilStop(r.Context())
	defer done()
	leave := s.trail.Watch()
	defer leave()
	stream, err := openStream(w)
	if err != nil {
		return
	}
	var known trail.State
	for {
		waiting, cancel := context.WithTimeout(ctx, keepAlive)
		state, err := s.trail.Next(waiting, known)
		cancel()
		out := []byte(": waiting\n\n")
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			known = state
			out = appendMessage(nil, state.Verified, s.auditFrame(state, f, after))
			after = state.Verified
		}
		if stream.write(out) != nil {
			return
		}
	}
}

// auditFrame renders what has come after a position, newest on top.
func (s *Server) auditFrame(state trail.State, f view.AuditFilter, after int64) []byte {
	var b, rows bytes.Buffer
	partial(&b, "#trail", "innerMorph", view.TrailStands(s.trailView(state)))
	if i := after + 1 - state.First(); state.Verified > after {
		for _, e := range slices.Backward(state.Newest[max(0, min(i, int64(len(state.Newest)))):]) {
			if f.Matches(e) {
				write(&rows, view.AuditLine(view.NewAuditRow(e)))
			}
		}
	}
	if rows.Len() > 0 {
		fmt.Fprintf(&b, `<hx-partial hx-target="#events" hx-swap="afterbegin">%s</hx-partial>`, rows.Bytes())
	}
	return b.Bytes()
}

// auditLab is GET /audit/lab: the tamper lab alone.
func (s *Server) auditLab(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	if !fromPage(r) {
		http.Redirect(w, r, "/audit?"+r.URL.RawQuery+"#lab", http.StatusSeeOther)
		return
	}
	state := s.trail.State()
	if state.Verified == 0 {
		state = s.trail.Refresh(r.Context())
	}
	render(w, http.StatusOK, view.TamperLab(s.lab(state, r.URL.Query())))
}

// lab changes a copy of the trail's end as the query says.
func (s *Server) lab(state trail.State, q url.Values) view.Lab {
	lab := view.Lab{Change: q.Get("change"), Event: q.Get("event")}
	for _, c := range trail.Changes {
		lab.Changes = append(lab.Changes, view.Choice{Value: string(c.Change), Words: c.Words})
	}
	original := state.Newest[max(0, len(state.Newest)-labEvents):]
	for _, e := range original {
		lab.Original = append(lab.Original, view.Block{ID: e.ID, Hash: e.Hash, Words: view.EventWords(e.EventType), Good: true})
	}
	if lab.Change == "" {
		return lab
	}
	t, err := trail.Tamper(state, labEvents, trail.Change(lab.Change), lab.Event)
	if err != nil {
		lab.Problem = "That event is no longer among the newest, or it can't be changed so. Choose another."
		return lab
	}
	lab.Found, lab.ByCheckpoint = t.Found, t.ByCheckpoint
	for i, e := range t.Events {
		lab.Copy = append(lab.Copy, view.Block{ID: e.ID, Hash: e.Hash, Words: view.EventWords(e.EventType), Good: i < t.Good,
			Changed: !slices.ContainsFunc(original, func(o agentwrit.AuditEvent) bool { return o == e })})
	}
	return lab
}

// auditAnew is POST /audit/anew: the trail that was followed is given up, and
// the broker's is read from its beginning.
func (s *Server) auditAnew(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	s.trail.Anew()
	http.Redirect(w, r, "/audit", http.StatusSeeOther)
}

// auditExport is GET /audit/export: the whole trail, page by page, as medassist
// verify reads it. It costs the broker something, so it is the presenter's.
func (s *Server) auditExport(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	if !s.mayChange(r) {
		s.fail(w, r, http.StatusForbidden, "Exporting the whole trail needs the presenter's key: open /key.")
		return
	}
	page, err := s.cfg.Admin.AuditPage(r.Context(), agentwrit.AuditFilter{Limit: wire.MaxAuditPage})
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	download(w, "audit-"+s.cfg.Clock().UTC().Format("20060102-150405")+".json")
	w.Header().Set("Content-Type", "application/json")
	out := http.NewResponseController(w)
	sent, total := 0, page.Total // what comes while it is written waits for the next export
	fmt.Fprintf(w, `{"exported_at":%q,"total":%d,"events":[`, s.cfg.Clock().UTC().Format(time.RFC3339), total)
	for {
		for _, e := range page.Events[:min(len(page.Events), total-sent)] {
			if sent > 0 {
				io.WriteString(w, ",\n")
			}
			line, err := json.Marshal(e)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			w.Write(line)
			sent++
		}
		if out.SetWriteDeadline(time.Now().Add(writeTimeout)) != nil || sent >= total || len(page.Events) == 0 {
			break
		}
		if page, err = s.cfg.Admin.AuditPage(r.Context(), agentwrit.AuditFilter{Offset: sent, Limit: wire.MaxAuditPage}); err != nil {
			// Half a trail must not look like a whole one.
			panic(http.ErrAbortHandler)
		}
	}
	io.WriteString(w, "]}\n")
}

// auditCheckpoint is GET /audit/checkpoint: the broker's signed head, to keep.
func (s *Server) auditCheckpoint(w http.ResponseWriter, r *http.Request) {
	if s.needsAdmin(w, r) {
		return
	}
	note, _, err := s.cfg.Admin.Checkpoint(r.Context())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	download(w, "checkpoint.txt")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(note)
}
