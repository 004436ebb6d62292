package run

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/text"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/ui"
)

// Why explains one decision: what was required and held, where the authority came
// from, which events record it, and how anyone can check it.
type Why struct {
	Run      *Run
	Step     Step
	Seq      int64
	Required []ui.Chip
	Held     []ui.Chip
	Reason   string
	By       string
	Chain    []link
	Events   []event
	Problem  string // why events are missing
	Checks   []check
	Token    *Card // that the decision was about; nil if there was none
}

// A check is a command that confirms a decision. It contains no secret: variables
// stand for the tokens.
type check struct{ Says, Command string }

// whyURL returns the address of the explanation of a step, or "" if the step is no
// decision.
func whyURL(run trace.Run, e trace.Event) string {
	if _, _, ok := decisionOf(e.Step); !ok {
		return ""
	}
	return "/runs/" + run.ID + "/why/" + ui.Decimal(e.Seq)
}

// decisionOf returns the credential that a decision is about, and who made it.
func decisionOf(step trace.Step) (id trace.Credential, by string, ok bool) {
	switch s := step.(type) {
	case trace.AgentCreated:
		return s.Credential, deniedBy(trace.RefusedByBroker), true
	case trace.ToolCall:
		return s.Credential, deniedBy(trace.RefusedByGate), true
	case trace.ScopeDenied:
		return s.Credential, deniedBy(s.RefusedBy), true
	case trace.TokenRejected:
		return s.Credential, deniedBy(s.RefusedBy), true
	case trace.Delegation:
		return s.Credential, deniedBy(trace.RefusedByBroker), true
	case trace.DelegationDenied:
		return trace.Credential{}, deniedBy(s.RefusedBy), true
	case trace.TokenRevoked:
		if len(s.Credentials) > 0 {
			id = s.Credentials[0]
		}
		return id, "the operator", true
	case trace.StolenTokenUsed:
		return s.Credential, deniedBy(trace.RefusedByRecords), true
	default:
		return id, "", false
	}
}

// why is GET /runs/{id}/why/{seq}.
func (p *Pages) why(w http.ResponseWriter, r *http.Request) error {
	seq, err := strconv.ParseInt(chi.URLParam(r, "seq"), 10, 64)
	if err != nil {
		return respond.BadInput("seq", "A step is addressed by its number.")
	}
	run, decided, err := p.projectTo(r.Context(), chi.URLParam(r, "id"), seq)
	if err != nil {
		return err
	}
	if decided == nil || whyURL(run.Info, *decided) == "" {
		return &respond.Error{Status: http.StatusNotFound, Detail: "This step is no decision."}
	}
	v := run.why(*decided, p.evidence(r.Context(), run))
	if respond.FromPage(r) {
		return respond.Render(w, http.StatusOK, WhyDetail(v))
	}
	return respond.Render(w, http.StatusOK, DrawerPage(p.cfg.Respond.Page(r, "Why?", "drawer", "/runs"), run, WhyDetail(v)))
}

// why explains the run's last event, which is a decision.
func (r *Run) why(decided trace.Event, e evidence) Why {
	id, by, _ := decisionOf(decided.Step)
	v := Why{Run: r, Step: r.Steps[len(r.Steps)-1], Seq: decided.Seq, By: by, Problem: e.problem}
	record := func(t wire.EventType, agent string) {
		if found := e.find(t, agent, decided.Time); found != nil {
			v.Events = append(v.Events, *found)
		}
	}
	holder := func() string {
		if c := r.card(id); c != nil {
			return c.Token().SPIFFEID
		}
		return ""
	}
	switch s := decided.Step.(type) {
	case trace.AgentCreated:
		v.Held = ui.Chips(s.Scope)
		v.Reason = "The launch token, and above it the operator's ceiling, cover every scope that the agent asked for."
		record(wire.EventAgentRegistered, s.SPIFFEID)
		record(wire.EventTokenIssued, s.SPIFFEID)
	case trace.ToolCall:
		v.Required, v.Held = ui.Chips(s.RequiredScope), ui.Chips(s.HeldScope)
		v.Reason = "The token holds every scope that the call required."
		record(wire.EventTokenIssued, holder())
	case trace.ScopeDenied:
		v.Required, v.Held = ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), ui.Chips(s.HeldScope)
		v.Reason = "The token lacks what is marked."
		record(wire.EventTokenIssued, holder())
	case trace.TokenRejected:
		v.Required, v.Reason = ui.Chips(s.RequiredScope), "The token is no longer accepted: "+sentence(s.Reason)
		record(wire.EventTokenRevoked, "")
		record(wire.EventTokenIssued, holder())
	case trace.Delegation:
		v.Required, v.Held = ui.Chips(s.DelegatedScope), ui.Chips(s.DelegatorScope)
		v.Reason = "The delegator holds every scope that it delegates. The delegated token can't outlive the delegator's."
		record(wire.EventDelegationCreated, s.DelegateID)
	case trace.DelegationDenied:
		id = trace.Credential{Category: r.categoryOf(s.DelegatorID)}
		v.Required, v.Held = ui.RequiredChips(s.RequestedScope, s.MissingScope, s.DelegatorScope), ui.Chips(s.DelegatorScope)
		v.Reason = "An agent can't delegate what it does not hold. The broker: " + sentence(s.Reason)
		record(wire.EventDelegationAttenuation, s.DelegatorID)
	case trace.TokenRevoked:
		v.Reason = fmt.Sprintf("The operator revoked %s %s, which ended %s of this run.", s.Level, s.Target, text.Count(len(s.Credentials), "token"))
		record(wire.EventTokenRevoked, "")
	case trace.StolenTokenUsed:
		v.Required, v.Held = ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), ui.Chips(s.HeldScope)
		v.Reason = "A bearer token works for anyone who has it, within its scopes, until it ends."
		if s.RefusedBy != "" {
			v.Reason = s.Reason
		}
		record(wire.EventTokenIssued, holder())
		record(wire.EventTokenReleased, holder())
	default: // not a decision
	}
	v.Chain, v.Token = r.chain(id, e), r.card(id)
	v.Checks = r.checks(decided.Step, v.Events)
	return v
}

// quotable matches what is safe between single quotes in a shell.
var quotable = regexp.MustCompile(`^[A-Za-z0-9.:/\[\]_?=&-]+$`)

// checks returns the commands that confirm a decision.
func (r *Run) checks(step trace.Step, events []event) (out []check) {
	add := func(says, format, address string) {
		if quotable.MatchString(address) {
			out = append(out, check{says, fmt.Sprintf(format, address)})
		}
	}
	switch step.(type) {
	case trace.ToolCall, trace.ScopeDenied, trace.TokenRejected, trace.StolenTokenUsed, trace.AgentCreated, trace.Delegation:
		add("Ask the broker what the token holds. TOKEN is the access token, which never leaves the app.",
			`curl -s -H 'Content-Type: application/json' -d "{\"token\":\"$TOKEN\"}" '%s'`, r.Info.BrokerURL+"/v1/token/validate")
	default: // no token to ask about
	}
	if len(events) > 0 {
		e := events[0]
		add("Read the event at the broker. ADMIN_TOKEN is from the operator's login.",
			`curl -s -H "Authorization: Bearer $ADMIN_TOKEN" '%s'`, r.Info.BrokerURL+"/v1/audit/events?task_id="+e.TaskID+"&event_type="+string(e.EventType))
	}
	return out
}

// sentence returns a reason with one full stop.
func sentence(reason string) string { return strings.TrimSuffix(reason, ".") + "." }
