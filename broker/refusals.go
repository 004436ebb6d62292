package broker

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/clientaddr"
)

// Limits of the refusal log. Together they bound how fast unauthenticated callers
// can grow the audit log: refusalRefill new kinds a second after the first
// strangerKinds, and one summary of a kind per window.
const (
	refusalWindow    = time.Minute // before the first summary of a kind
	maxRefusalWindow = time.Hour   // between summaries while it continues
	strangerEvents   = 1           // refusals of a kind recorded in full, by address
	provenEvents     = 8           // the same, by credential
	strangerKinds    = 256         // kinds by address tracked at once
	provenKinds      = 4096        // kinds by credential tracked at once
	refusalRefill    = 0.1         // further kinds by address, per second
)

// An origin is who a refused request came from, as far as that is proven.
type origin struct {
	proven bool   // name is a credential of the broker; otherwise it is an address
	agent  bool   // the event's agent and task are proven too
	name   string // "" for all addresses or credentials that are not tracked
	route  string
}

// stranger is the origin of an unauthenticated request: its address.
func stranger(r *request) origin {
	return origin{name: clientaddr.Network(r.addr).String(), route: r.route}
}

// bearer is the origin of a request with a token that the broker has signed.
func bearer(c *wire.Claims) origin { return origin{proven: true, agent: true, name: "token " + c.ID} }

// holder is the origin of a registration with a valid launch token. It chooses the
// task itself.
func holder(l store.LaunchToken) origin {
	if l.AppID == "" {
		return origin{proven: true, name: "a launch token of the admin"}
	}
	return origin{proven: true, name: "a launch token of app " + l.AppID}
}

// A refusalKind is what refusals must have in common to be counted together.
type refusalKind struct {
	origin
	event  wire.EventType
	reason string // the refusal's detail before text of the request is filled in
}

// refusals limits how many refusals are recorded in full. The first ones of a kind
// are; further ones are counted, and the count is recorded as one event when a
// window is over, so that refused requests can't grow the audit log without
// bound. Its own memory is bounded too: when there are too many kinds, further ones
// are counted without their origin. A crash loses the counts of the current
// windows. It is safe for concurrent use.
type refusals struct {
	mu     sync.Mutex
	kinds  map[refusalKind]*refusalCount
	proven int       // kinds by credential; the others are by address
	tokens float64   // kinds by address that may still be added
	filled time.Time // when tokens was last refilled
}

type refusalCount struct {
	recorded int   // in full
	counted  int64 // since the last summary
	since    time.Time
	window   time.Duration
	event    wire.AuditEvent // with what a summary repeats of the first one
}

func newRefusals() *refusals {
	return &refusals{kinds: make(map[refusalKind]*refusalCount), tokens: strangerKinds}
}

// count counts a refusal and returns true, or returns false if it must be recorded
// in full. pending is the number of refusals of the kind that are about to be
// recorded.
func (l *refusals) count(kind refusalKind, pending int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind = l.resolve(kind, now)
	n := l.kinds[kind]
	recorded := pending
	if n != nil {
		if n.counted == 0 && now.Sub(n.since) >= n.window {
			l.remove(kind) // the last window had none: begin again
			n = nil
		} else {
			recorded += n.recorded
		}
	}
	most := strangerEvents
	if kind.proven {
		most = provenEvents
	}
	if recorded < most {
		return false
	}
	if n == nil {
		n = l.add(kind, now)
	}
	n.counted++
	return true
}

// recorded notes that a refusal was recorded in full as e.
func (l *refusals) recorded(kind refusalKind, e wire.AuditEvent, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind = l.resolve(kind, now)
	n := l.kinds[kind]
	if n == nil {
		n = l.add(kind, now)
	}
	if n.recorded == 0 {
		n.event = wire.AuditEvent{Resource: e.Resource}
		if kind.agent {
			n.event.AgentID, n.event.TaskID, n.event.OrchID = e.AgentID, e.TaskID, e.OrchID
		}
	}
	n.recorded++
}

// resolve returns kind, or the kind without its origin if it can't be tracked.
func (l *refusals) resolve(kind refusalKind, now time.Time) refusalKind {
	if _, tracked := l.kinds[kind]; tracked {
		return kind
	}
	l.tokens = min(strangerKinds, l.tokens+refusalRefill*max(0, now.Sub(l.filled).Seconds()))
	l.filled = now
	if kind.proven && l.proven >= provenKinds || !kind.proven && (l.tokens < 1 || len(l.kinds)-l.proven >= strangerKinds) {
		kind.name, kind.agent = "", false
	}
	return kind
}

func (l *refusals) add(kind refusalKind, now time.Time) *refusalCount {
	n := &refusalCount{since: now, window: refusalWindow}
	l.kinds[kind] = n
	if kind.proven {
		l.proven++
	} else if kind.name != "" {
		l.tokens--
	}
	return n
}

func (l *refusals) remove(kind refusalKind) {
	delete(l.kinds, kind)
	if kind.proven {
		l.proven--
	}
}

// verbs replaces the formatting verbs of a refusal's detail.
var verbs = strings.NewReplacer("%s", "…", "%d", "…")

// summaries returns the events of the windows that are over, or of all windows,
// and a function to call when the events are recorded. Kinds that have stopped are
// no longer tracked.
func (l *refusals) summaries(now time.Time, all bool) (events []wire.AuditEvent, done func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	reported := make(map[refusalKind]int64)
	for kind, n := range l.kinds {
		if !all && now.Sub(n.since) < n.window {
			continue
		}
		if n.counted == 0 {
			l.remove(kind)
			continue
		}
		from := kind.name
		switch {
		case from == "" && kind.proven:
			from = "other credentials"
		case from == "":
			from = "other addresses"
		}
		e := n.event
		e.EventType, e.Outcome = kind.event, wire.OutcomeDenied
		e.Detail = fmt.Sprintf("repeated %d times since %s by %s: %s", n.counted, n.since.Format(time.RFC3339), from, verbs.Replace(kind.reason))
		events = append(events, e)
		reported[kind] = n.counted
	}
	return events, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for kind, counted := range reported {
			if n := l.kinds[kind]; n != nil {
				n.counted -= counted
				n.since, n.window = now, min(2*n.window, maxRefusalWindow)
			}
		}
	}
}

// deny refuses a request without changing anything else. Counting needs no write;
// while storage fails, every refusal must find out.
func (b *Broker) deny(r *request, from origin, why *refusal, e wire.AuditEvent) error {
	kind := refusalKind{from, e.EventType, why.reason()}
	if b.writer.fault.Load() == nil && b.refusals.count(kind, 0, b.now()) {
		return why
	}
	return b.write(r, func(c *change) error { return c.deny(from, why, e) })
}

// deny records the event of a refusal, or counts it, and returns the refusal.
func (c *change) deny(from origin, why *refusal, e wire.AuditEvent) error {
	e.Outcome = wire.OutcomeDenied
	if e.Detail == "" {
		e.Detail = why.detail
	}
	kind := refusalKind{from, e.EventType, why.reason()}
	if c.b.refusals.count(kind, c.refused[kind], c.now) {
		return why
	}
	c.refused[kind]++
	c.record(e)
	now := c.now
	c.then(func() { c.b.refusals.recorded(kind, e, now) })
	return why
}

// recordRefusals records the summaries of counted refusals.
func (w *writer) recordRefusals(all bool) {
	events, done := w.b.refusals.summaries(w.b.now(), all)
	for len(events) > 0 {
		part := events[:min(len(events), maxBatch)]
		events = events[len(part):]
		op := &operation{done: make(chan error, 1), do: func(c *change) error {
			for _, e := range part {
				c.record(e)
			}
			return nil
		}}
		w.commit([]*operation{op})
		if <-op.done != nil {
			return // try again with the next sweep
		}
	}
	done()
}
