package audit

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
	"github.com/devonartis/medassist-go/web/static"
)

//go:embed *.css
var files embed.FS

// Assets are the package's stylesheets.
var Assets = static.Assets{FS: files, Styles: []string{"audit.css"}}

// Bounds of the page.
const (
	maxRows   = 200 // events on the page when it is opened
	maxBlocks = 10  // in the picture of the chain
)

// Config is what the pages need. All fields but Log are required.
type Config struct {
	Log       auditlog.Source // nil without the broker's admin secret
	Decisions *decisions.Log  // MedAssist's own
	Broker    string          // its address
	Values    values.Store    // that the replicas of the app share
	Clock     func() time.Time
	Logger    *slog.Logger

	Respond *respond.Responder
	Streams *sse.Streams
}

// Pages serves the audit log. Safe for concurrent use.
type Pages struct {
	cfg      Config
	follower *auditlog.Follower
	restarts *values.Value[int64] // how often all replicas have started over
	work     sync.WaitGroup       // of what follows restarts

	mu        sync.Mutex
	restarted int64 // version of restarts
}

// New returns the pages.
func New(cfg Config) *Pages {
	p := &Pages{cfg: cfg, follower: auditlog.New(cfg.Log, cfg.Clock), restarts: values.New(cfg.Values, "audit.restarts", int64(0), cfg.Logger)}
	if cfg.Log != nil {
		p.work.Go(func() { p.restarts.Keep(cfg.Streams.Stopping()) })
		p.work.Go(func() {
			p.restarts.Follow(cfg.Streams.Stopping(), func(_, version int64) { p.restart(version) })
		})
	}
	return p
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.GetCostly("/audit", p.page)
	r.Stream("/audit/frames", p.needsLog(p.frames))
	r.Get("/audit/lab", p.lab)
	r.Get("/audit/decisions", p.decisions)
	r.GetByPresenter("/audit/decisions/export", p.exportOwn)
	// An export is expensive for the broker.
	r.GetByPresenter("/audit/export", p.needsLog(p.export))
	r.GetCostly("/audit/checkpoint", p.needsLog(p.checkpoint))
	r.Post("/audit/reverify", p.needsLog(p.startOver))
}

// Wait ends the reading of the log, after the streams were stopped.
func (p *Pages) Wait() {
	p.work.Wait()
	p.follower.Close()
}

// needsLog returns a handler that answers for a page whose log can't be read.
func (p *Pages) needsLog(h respond.HandlerFunc) respond.HandlerFunc {
	if p.cfg.Log != nil {
		return h
	}
	return func(http.ResponseWriter, *http.Request) error { return respond.NoAuditLog }
}

// page is GET /audit: MedAssist's own log and the broker's, the newest events that the
// query selects, newest first.
func (p *Pages) page(w http.ResponseWriter, r *http.Request) error {
	v := Page{Page: p.cfg.Respond.Page(r, "Audit", "audit", "/audit"), Filter: readFilter(r.URL.Query()), HasLog: p.cfg.Log != nil}
	if v.HasLog {
		state := p.follower.Refresh(r.Context())
		v.Log = p.logView(state)
		var err error
		if v.Rows, err = p.rows(r.Context(), state, v.Filter); err != nil {
			return err
		}
	}
	v.Own, v.Lab = p.own(v.Filter), p.newLab(r.Context(), r.URL.Query())
	return respond.Render(w, http.StatusOK, AuditPage(v))
}

func (p *Pages) logView(state auditlog.State) Log {
	v := Log{Verified: state.Verified, Read: state.Read, Breaks: state.Breaks, Unsigned: state.Unsigned, Total: state.Total, Head: state.Head, Away: state.Unreachable != nil, Since: state.Since, Broker: p.cfg.Broker}
	if state.Broken != nil {
		v.Broken = state.Broken.Error()
	}
	if state.Signed != nil {
		v.SignedSize = state.Signed.Size
	}
	first := max(0, len(state.Newest)-maxBlocks)
	for i, e := range state.Newest[first:] {
		follows := first+i == 0 || e.PrevHash == state.Newest[first+i-1].Hash
		v.Blocks = append(v.Blocks, Block{Hash: e.Hash, Words: eventWords(e.EventType), Good: follows && NewRow(e).Good()})
	}
	return v
}

func readFilter(q url.Values) Filter {
	f := Filter{Type: q.Get("type"), Outcome: q.Get("outcome"), Agent: q.Get("agent"), Task: q.Get("task")}
	if run := q.Get("run"); run != "" {
		f.Task = run // the run's ID is its agents' task
	}
	return f
}

// rows returns the newest matching events, newest first. If some are no longer
// in memory it asks the broker.
func (p *Pages) rows(ctx context.Context, state auditlog.State, f Filter) ([]Row, error) {
	events := state.Newest
	if !f.Empty() && state.First() > 1 {
		var err error
		if events, err = p.newestMatching(ctx, f); err != nil {
			return nil, err
		}
	}
	var rows []Row
	for _, e := range slices.Backward(events) {
		if len(rows) == maxRows {
			break
		}
		if f.Matches(e) {
			rows = append(rows, NewRow(e))
		}
	}
	return rows, nil
}

// newestMatching asks the broker for the last matching events. The broker
// answers oldest first, so it is asked for their number before.
func (p *Pages) newestMatching(ctx context.Context, f Filter) ([]agentwrit.AuditEvent, error) {
	filter := agentwrit.AuditFilter{AgentID: f.Agent, TaskID: f.Task, EventType: agentwrit.EventType(f.Type), Outcome: agentwrit.Outcome(f.Outcome), Limit: 1}
	page, err := p.cfg.Log.AuditPage(ctx, filter)
	if err != nil {
		return nil, err
	}
	filter.Limit, filter.Offset = maxRows, max(0, page.Total-maxRows)
	if page, err = p.cfg.Log.AuditPage(ctx, filter); err != nil {
		return nil, err
	}
	return page.Events, nil
}

// frames is GET /audit/frames: each new event that matches the query, and the
// state of the log.
func (p *Pages) frames(w http.ResponseWriter, r *http.Request) error {
	after, err := sse.ResumeAfter(r)
	if err != nil {
		return err
	}
	f := readFilter(r.URL.Query())
	leave := p.follower.Watch()
	defer leave()
	return p.cfg.Streams.ServePage(w, r, func(stream *sse.Stream) {
		var known auditlog.State
		_ = stream.Send(func(ctx context.Context) ([]sse.Block, error) {
			state, err := p.follower.Next(ctx, known)
			if err != nil {
				return nil, err
			}
			frame := p.frame(state, f, after)
			// A page may show more than has been read here: another replica has read
			// it, or the log is being read again.
			known, after = state, max(after, state.Read)
			return []sse.Block{sse.Plain(sse.Append(nil, after, frame))}, nil
		})
	})
}

// frame renders the state of the log and the events after a position, newest
// first.
func (p *Pages) frame(state auditlog.State, f Filter, after int64) []byte {
	var b, rows bytes.Buffer
	respond.Partial(&b, "#trail", "innerMorph", LogState(p.logView(state)))
	if i := after + 1 - state.First(); state.Read > after {
		for _, e := range slices.Backward(state.Newest[max(0, min(i, int64(len(state.Newest)))):]) {
			if f.Matches(e) {
				respond.Write(&rows, EventLine(NewRow(e)))
			}
		}
	}
	if rows.Len() > 0 {
		fmt.Fprintf(&b, `<hx-partial hx-target="#events" hx-swap="afterbegin">%s</hx-partial>`, rows.Bytes())
	}
	return b.Bytes()
}

// startOver is POST /audit/reverify: the log that was read is forgotten, and the
// broker's log is read again from its first event, by all replicas.
func (p *Pages) startOver(w http.ResponseWriter, r *http.Request) error {
	_, version, err := p.restarts.Update(r.Context(), func(n *int64) error { *n++; return nil })
	if err != nil {
		return err
	}
	p.restart(version)
	http.Redirect(w, r, "/audit", http.StatusSeeOther)
	return nil
}

// restart starts over, unless it has done so for this version of restarts.
func (p *Pages) restart(version int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if version > p.restarted {
		p.restarted = version
		p.follower.Restart()
	}
}
