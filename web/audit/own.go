package audit

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/internal/sse"
)

// maxOwnRows is how many decisions the page lists.
const maxOwnRows = 50

// Own is MedAssist's own log of decisions about calls, beside the broker's log.
type Own struct {
	Size, Dropped int64
	Head          string
	Broken        string // where the chain was broken when the log was opened; empty if it was not
	Rows          []Row  // newest first
	Filter        Filter
}

// own returns the newest decisions that the filter selects.
func (p *Pages) own(f Filter) Own {
	s := p.cfg.Decisions.State()
	o := Own{Size: s.Size, Dropped: s.Dropped, Head: s.Head, Filter: f}
	f.Type = "" // the types are the broker's
	if s.Broken != nil {
		o.Broken = s.Broken.Error()
	}
	for _, e := range slices.Backward(s.Newest) {
		if f.Matches(e) && len(o.Rows) < maxOwnRows {
			o.Rows = append(o.Rows, NewRow(e))
		}
	}
	return o
}

// URL returns the address at which the page asks for news.
func (o Own) URL() string {
	q := url.Values{"known": {strconv.FormatInt(o.Size, 10)}}
	return "/audit/decisions?" + q.Encode() + "&" + o.Filter.Query()
}

// decisions is GET /audit/decisions: the list of decisions, unless the page shows it
// as it is.
func (p *Pages) decisions(w http.ResponseWriter, r *http.Request) error {
	o := p.own(readFilter(r.URL.Query()))
	if r.URL.Query().Get("known") == strconv.FormatInt(o.Size, 10) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return respond.Render(w, http.StatusOK, Decisions(o))
}

// exportOwn is GET /audit/decisions/export: the decisions as one JSON document, which
// medassist verify reads. It is streamed. Its "first" is the position of its first
// entry, since the log drops its oldest ones.
func (p *Pages) exportOwn(w http.ResponseWriter, r *http.Request) error {
	if err := p.cfg.Decisions.Fault(); err != nil {
		return &respond.Error{Status: http.StatusServiceUnavailable, Detail: "The newest decisions can't be stored, so an export would lack them. Check the disk or the database; see the log."}
	}
	now := p.cfg.Clock().UTC()
	begin := func(first int64) {
		respond.Download(w, "decisions-"+now.Format("20060102-150405")+".json")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"exported_at":%q,"log":"medassist decisions","first":%d,"events":[`, now.Format(time.RFC3339), first)
	}
	control := http.NewResponseController(w)
	sent := 0
	for e, err := range p.cfg.Decisions.All(r.Context()) {
		if err != nil && sent == 0 {
			return err
		}
		line, failed := respond.Marshal(e.Event)
		if err != nil || failed != nil {
			panic(http.ErrAbortHandler) // part of a log must not look like a whole one
		}
		if sent == 0 {
			begin(e.Position)
		} else {
			io.WriteString(w, ",\n")
		}
		w.Write(line)
		if sent++; sent%1000 == 0 && control.SetWriteDeadline(time.Now().Add(sse.WriteTimeout)) != nil {
			panic(http.ErrAbortHandler)
		}
	}
	if sent == 0 {
		begin(1)
	}
	io.WriteString(w, "]}\n")
	return nil
}

// labState returns the log that the tamper lab copies: MedAssist's own, which has the
// blocked calls, unless the query asks for the broker's or there is no decision yet.
func (p *Pages) labState(q url.Values) (state auditlog.State, name string) {
	own := p.cfg.Decisions.State()
	if p.cfg.Log != nil && (q.Get("log") == brokerLog || own.Size == 0) {
		return p.follower.State(), brokerLog
	}
	return auditlog.State{Verified: own.Size, Read: own.Size, Total: own.Size, Head: own.Head, Newest: own.Newest}, ownLog
}

// The logs that the tamper lab can copy.
const (
	ownLog    = "own"
	brokerLog = "broker"
)

// blocked returns the index of the last denial that has something after it, or else
// of the last denial. It returns -1 if nothing was denied.
func blocked(events []agentwrit.AuditEvent) int {
	last := -1
	for i, e := range slices.Backward(events) {
		if e.Outcome == wire.OutcomeDenied {
			if last < 0 {
				last = i
			}
			if i < len(events)-1 {
				return i
			}
		}
	}
	return last
}
