package run

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
)

// A link is one station of the authority on its way from the operator to a token.
// Its scopes are those that the broker's answer or its audit log states.
type link struct {
	Name     string
	Scopes   []string // nil if they are not known
	Note     string
	Narrowed string // against the link before; empty if nothing was
	Event    *event // that records it; nil if it is not known
}

// An event is one of the broker's audit log, and where the audit page shows it.
type event struct {
	agentwrit.AuditEvent
	URL string
}

// evidence is what the broker has recorded about a run.
type evidence struct {
	events  []agentwrit.AuditEvent // of the run's agents
	launch  []agentwrit.AuditEvent // launch tokens that were issued meanwhile; they name no task
	revoked []agentwrit.AuditEvent // the operator's revocations since the run started; most name no task
	app     *agentwrit.AppRecord
	problem string // why the audit log can't be read; empty if it was
}

const (
	evidenceTimeout = 3 * time.Second
	unreadable      = "The broker's audit log can't be read now."
)

// evidence reads what the broker has recorded about a run.
func (p *Pages) evidence(ctx context.Context, r *Run) (e evidence) {
	if p.cfg.Audit == nil {
		e.problem = "The broker's audit log needs its admin secret: set AGENTWRIT_ADMIN_SECRET."
		return e
	}
	ctx, cancel := context.WithTimeout(ctx, evidenceTimeout)
	defer cancel()
	page, err := p.cfg.Audit.AuditPage(ctx, agentwrit.AuditFilter{TaskID: r.Info.ID, Limit: maxOwnAudit})
	if err != nil {
		e.problem = unreadable
		return e
	}
	e.events = page.Events
	if len(e.events) == 0 {
		return e
	}
	until := e.events[0].Timestamp
	for _, x := range e.events {
		if x.EventType == wire.EventAgentRegistered && x.Timestamp.After(until) {
			until = x.Timestamp
		}
	}
	since := r.Info.Started.Add(-time.Minute)
	page, err = p.cfg.Audit.AuditPage(ctx, agentwrit.AuditFilter{EventType: wire.EventLaunchTokenIssued,
		Since: since, Until: until.Add(time.Millisecond), Limit: maxOwnAudit})
	if err != nil {
		return e
	}
	e.launch = page.Events
	if id, ok := strings.CutPrefix(e.issuer(), "app:"); ok {
		e.app, _ = p.cfg.Audit.App(ctx, id) // without it the chain shows no ceiling
	}
	if firstStep(r, func(trace.TokenRevoked) bool { return true }) != nil {
		page, err = p.cfg.Audit.AuditPage(ctx, agentwrit.AuditFilter{EventType: wire.EventTokenRevoked, Since: since, Limit: maxOwnAudit})
		if err != nil {
			e.problem = unreadable
			return e
		}
		e.revoked = page.Events
	}
	return e
}

// issuer returns the subject that requested the newest launch token: the app.
func (e evidence) issuer() string {
	if len(e.launch) == 0 {
		return ""
	}
	return e.launch[len(e.launch)-1].AgentID
}

// find returns the event of a type and an agent that is closest to a time.
func (e evidence) find(t agentwrit.EventType, agent string, at time.Time) *event {
	found := closest(e.events, at, func(x agentwrit.AuditEvent) bool { return x.EventType == t && x.AgentID == agent })
	if found == nil {
		return nil
	}
	return &event{*found, "/audit?run=" + found.TaskID + "#event-" + found.ID}
}

// revocation returns the event of a revocation. It returns nil for nil.
func (e evidence) revocation(revoked *at[trace.TokenRevoked]) *event {
	if revoked == nil {
		return nil
	}
	return ofType(closest(e.revoked, revoked.at, func(x agentwrit.AuditEvent) bool { return strings.Contains(x.Detail, revoked.step.Target) }))
}

// ofType shows an event that names no run among those of its type.
func ofType(e *agentwrit.AuditEvent) *event {
	if e == nil {
		return nil
	}
	return &event{*e, "/audit?type=" + string(e.EventType) + "#event-" + e.ID}
}

// closest returns the event that matches and is closest to a time.
func closest(events []agentwrit.AuditEvent, at time.Time, matches func(agentwrit.AuditEvent) bool) (best *agentwrit.AuditEvent) {
	for i, x := range events {
		if matches(x) && (best == nil || x.Timestamp.Sub(at).Abs() < best.Timestamp.Sub(at).Abs()) {
			best = &events[i]
		}
	}
	return best
}

// launchToken returns the event of the launch token that an agent registered with:
// the last one before the registration that has the agent's name.
func (e evidence) launchToken(registered *event) *event {
	if registered == nil {
		return nil
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(registered.Detail, "agent "), " registered")
	if !ok {
		return nil
	}
	for _, x := range slices.Backward(e.launch) {
		if !x.Timestamp.After(registered.Timestamp) && strings.HasPrefix(x.Detail, "launch token for "+name+" ") {
			return ofType(&x)
		}
	}
	return nil
}

// listed returns the scopes that an event's detail lists after a word:
// "allowed=[read:records:P-1042 …]".
func listed(detail, after string) []string {
	_, rest, ok := strings.Cut(detail, after+"[")
	list, _, closed := strings.Cut(rest, "]")
	if !ok || !closed {
		return nil
	}
	return strings.Fields(list)
}

// chain returns the authority of a credential, from the operator to the token.
func (r *Run) chain(id trace.Credential, e evidence) []link {
	ceiling := link{Name: "Operator's ceiling", Note: "not readable without the broker's admin secret"}
	app := link{Name: "App", Note: "requests launch tokens for its agents"}
	if e.app != nil {
		ceiling.Scopes, ceiling.Note = e.app.Scopes, "set by the operator for this app"
		app.Scopes, app.Note = e.app.Scopes, fmt.Sprintf("%s: may request these, never more", e.app.Name)
	}
	links := []link{ceiling, app}

	delegation := r.delegationOf(id)
	holder := id
	if delegation != nil {
		holder = trace.Credential{Category: r.categoryOf(delegation.step.DelegatorID)}
	}
	created := r.createdAs(holder)
	if created == nil {
		return narrow(links)
	}
	registered := e.find(wire.EventAgentRegistered, created.step.SPIFFEID, created.at)
	launch := link{Name: "Launch token", Note: "single use, for one agent"}
	if launch.Event = e.launchToken(registered); launch.Event != nil {
		launch.Scopes = listed(launch.Event.Detail, "allowed=")
	}
	agent := link{Name: text.Capitalize(holder.Category) + " agent", Scopes: created.step.Scope, Event: registered,
		Note: fmt.Sprintf("registered with its own key, for %d s", created.step.ExpiresIn)}
	links = append(links, launch, agent)
	if delegation != nil {
		links = append(links, link{Name: "Delegation", Scopes: delegation.step.DelegatedScope,
			Event: e.find(wire.EventDelegationCreated, delegation.step.DelegateID, delegation.at),
			Note:  fmt.Sprintf("to the %s agent, for %d s", id.Category, delegation.step.ExpiresIn)})
	}
	return narrow(links)
}

// narrow fills in what each link narrowed.
func narrow(links []link) []link {
	var before []string
	for i, l := range links {
		if l.Scopes == nil {
			continue
		}
		if before != nil {
			links[i].Narrowed = narrowed(before, l.Scopes)
		}
		before = l.Scopes
	}
	return links
}

// narrowed returns what one list of scopes lacks of another, in words.
func narrowed(before, after []string) string {
	var parts []string
	if len(before) != len(after) {
		parts = append(parts, fmt.Sprintf("%d → %s", len(before), text.Count(len(after), "scope")))
	}
	if a, b := patients(before), patients(after); a != b {
		parts = append(parts, a+" → "+b)
	}
	return strings.Join(parts, ", ")
}

// patients returns whose data scopes cover.
func patients(scopes []string) string {
	var ids []string
	for _, s := range scopes {
		parts := strings.SplitN(s, ":", 3)
		if id := parts[len(parts)-1]; id != wire.Wildcard && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "any patient"
	}
	return strings.Join(ids, ", ")
}

// Says returns the link's scopes in words.
func (l link) Says() string {
	if l.Scopes == nil {
		return ""
	}
	return text.Count(len(l.Scopes), "scope") + ", " + patients(l.Scopes)
}

// at is a step of a run and its time.
type at[S trace.Step] struct {
	seq  int64
	at   time.Time
	step S
}

// firstStep returns the first step of a type that matches.
func firstStep[S trace.Step](r *Run, matches func(S) bool) *at[S] {
	for _, e := range r.events {
		if s, ok := e.Step.(S); ok && matches(s) {
			return &at[S]{e.Seq, e.Time, s}
		}
	}
	return nil
}

func (r *Run) createdAs(id trace.Credential) *at[trace.AgentCreated] {
	return firstStep(r, func(s trace.AgentCreated) bool { return s.Credential == id })
}

func (r *Run) delegationOf(id trace.Credential) *at[trace.Delegation] {
	return firstStep(r, func(s trace.Delegation) bool { return s.Credential == id })
}

// revocationOf returns the revocation that ended a token, or nil.
func (r *Run) revocationOf(id trace.Credential) *at[trace.TokenRevoked] {
	return firstStep(r, func(s trace.TokenRevoked) bool { return slices.Contains(s.Credentials, id) })
}

// categoryOf returns the category of an agent.
func (r *Run) categoryOf(spiffeID string) string {
	if created := firstStep(r, func(s trace.AgentCreated) bool { return s.SPIFFEID == spiffeID }); created != nil {
		return created.step.Category
	}
	return ""
}

// funnel returns the outline of a link: as wide at the top as the link before, and at
// the bottom as its own scopes.
func funnel(chain []link, i int) string {
	most := 1
	for _, l := range chain {
		most = max(most, len(l.Scopes))
	}
	width := func(i int) int { // half of it
		for ; i >= 0; i-- {
			if n := len(chain[i].Scopes); n > 0 {
				return max(8, 44*n/most)
			}
		}
		return 44
	}
	a, b := width(i-1), width(i)
	return fmt.Sprintf("M%d 0H%dC%d 20 %d 4 %d 24V60H%dV24C%d 4 %d 20 %d 0z", 44-a, 44+a, 44+a, 44+b, 44+b, 44-b, 44-b, 44-a, 44-a)
}

// eventName returns an event's type in words.
func eventName(e event) string { return strings.ReplaceAll(string(e.EventType), "_", " ") }

func delegated(shares []share) (n int) {
	for _, s := range shares {
		if s.Delegated {
			n++
		}
	}
	return n
}
