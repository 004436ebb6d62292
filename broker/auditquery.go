package broker

import (
	"net/http"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

// auditEvents is GET /v1/audit/events.
func (b *Broker) auditEvents(r *request, _ *none) (*wire.AuditPage, error) {
	filter, err := parseFilter(r.query)
	if err != nil {
		return nil, err
	}
	if err := b.read(r, filter.Limit); err != nil {
		return nil, err
	}
	events, total, err := b.store.Events(r.ctx, filter)
	if err != nil {
		return nil, b.readFault(r.ctx, err)
	}
	return &wire.AuditPage{Events: events, Total: total, Offset: filter.Offset, Limit: filter.Limit}, nil
}

func parseFilter(query map[string][]string) (store.EventFilter, error) {
	get := func(name string) string {
		if values := query[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	f := store.EventFilter{
		AgentID:   get("agent_id"),
		TaskID:    get("task_id"),
		EventType: get("event_type"),
		Outcome:   get("outcome"),
		Limit:     wire.DefaultAuditPage,
	}
	var err error
	if f.Since, err = parseTime("since", get("since")); err != nil {
		return f, err
	}
	if f.Until, err = parseTime("until", get("until")); err != nil {
		return f, err
	}
	if s := get("limit"); s != "" {
		if f.Limit, err = strconv.Atoi(s); err != nil || f.Limit < 1 || f.Limit > wire.MaxAuditPage {
			return f, refuse(wire.CodeInvalidRequest, "limit must be a number from 1 to %d", wire.MaxAuditPage)
		}
	}
	if s := get("offset"); s != "" {
		if f.Offset, err = strconv.Atoi(s); err != nil || f.Offset < 0 {
			return f, refuse(wire.CodeInvalidRequest, "offset must be a number, 0 or more")
		}
	}
	return f, nil
}

// Bounds of the times that fit into Unix nanoseconds.
var (
	firstYear = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	lastYear  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

func parseTime(field, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, s) // accepts fractions of a second too
	if err != nil || t.Before(firstYear) || t.After(lastYear) {
		return t, refuse(wire.CodeInvalidRequest, "%s must be an RFC 3339 time", field)
	}
	return t, nil
}

// checkpoint is GET /v1/audit/checkpoint: the current signed head of the audit
// log. It needs no credential, so that anyone can keep one and later check the
// log against it.
func (b *Broker) checkpoint(w http.ResponseWriter, r *http.Request) {
	head := b.audit.head()
	note, err := b.signer.SignCheckpoint(wire.Checkpoint{
		Origin: b.cfg.TrustDomain + "/audit",
		Size:   head.Size,
		Hash:   head.Head,
		Time:   b.now(),
	})
	if err != nil {
		b.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", wire.CheckpointContentType)
	w.Write(note)
}
