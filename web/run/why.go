package run

import (
	"fmt"
	"net/http"
	"regexp"
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
	switch e.Step.(type) {
	case trace.AgentCreated, trace.ToolCall, trace.ScopeDenied, trace.TokenRejected, trace.Delegation, trace.DelegationDenied,
		trace.TokenRevoked, trace.StolenTokenUsed:
		return "/runs/" + run.ID + "/why/" + ui.Decimal(e.Seq)
	default:
		return ""
	}
}

// why is GET /runs/{id}/why/{seq}.
func (p *Pages) why(w http.ResponseWriter, r *http.Request) error {
	seq, err := parseSeq("seq", chi.URLParam(r, "seq"))
	if err != nil {
		return err
	}
	run, decided, err := p.projectTo(r.Context(), chi.URLParam(r, "id"), seq, NewRun)
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
	id := r.subject(decided.Step)
	v := Why{Run: r, Step: r.Steps[len(r.Steps)-1], Chain: r.chain(id, e), Problem: e.problem, Token: r.card(id)}
	var holder string
	if v.Token != nil {
		holder = v.Token.Token().SPIFFEID
	}
	record := func(found *event) {
		if found != nil {
			v.Events = append(v.Events, *found)
		}
	}
	recorded := func(t wire.EventType, agent string) { record(e.find(t, agent, decided.Time)) }
	switch s := decided.Step.(type) {
	case trace.AgentCreated:
		v.By, v.Held = deniedBy(trace.RefusedByBroker), ui.Chips(s.Scope)
		v.Reason = "The launch token, and above it the operator's ceiling, cover every scope that the agent asked for."
		recorded(wire.EventAgentRegistered, s.SPIFFEID)
		recorded(wire.EventTokenIssued, s.SPIFFEID)
	case trace.ToolCall:
		v.By, v.Required, v.Held = deniedBy(trace.RefusedByGate), ui.Chips(s.RequiredScope), ui.Chips(s.HeldScope)
		v.Reason = "The token holds every scope that the call required."
		recorded(wire.EventTokenIssued, holder)
	case trace.ScopeDenied:
		v.By, v.Required, v.Held = deniedBy(s.RefusedBy), ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), ui.Chips(s.HeldScope)
		v.Reason = lacksScope
		recorded(wire.EventTokenIssued, holder)
	case trace.TokenRejected:
		v.By, v.Required, v.Reason = deniedBy(s.RefusedBy), ui.Chips(s.RequiredScope), r.Verdict.NotAccepted(id)
		record(e.revocation(r.revocationOf(id)))
		recorded(wire.EventTokenIssued, holder)
	case trace.Delegation:
		v.By, v.Required, v.Held = deniedBy(trace.RefusedByBroker), ui.Chips(s.DelegatedScope), ui.Chips(s.DelegatorScope)
		v.Reason = "The delegator holds every scope that it delegates. The delegated token can't outlive the delegator's."
		recorded(wire.EventDelegationCreated, s.DelegateID)
	case trace.DelegationDenied:
		v.By, v.Required, v.Held = deniedBy(s.RefusedBy), ui.RequiredChips(s.RequestedScope, s.MissingScope, s.DelegatorScope), ui.Chips(s.DelegatorScope)
		v.Reason = "An agent can't delegate what it does not hold. The broker: " + sentence(s.Reason)
		recorded(wire.EventDelegationAttenuation, s.DelegatorID)
	case trace.TokenRevoked:
		v.By = "the operator"
		v.Reason = fmt.Sprintf("The operator revoked %s %s, which ended %s of this run.", s.Level, s.Target, text.Count(len(s.Credentials), "token"))
		record(e.revocation(&at[trace.TokenRevoked]{decided.Seq, decided.Time, s}))
	case trace.StolenTokenUsed:
		v.By, v.Required, v.Held = deniedBy(trace.RefusedByRecords), ui.RequiredChips(s.RequiredScope, s.MissingScope, s.HeldScope), ui.Chips(s.HeldScope)
		recorded(wire.EventTokenIssued, holder)
		switch {
		case s.Authorized:
			v.Reason = "A bearer token works for anyone who has it, within its scopes, until it expires or is revoked."
		case len(s.MissingScope) > 0:
			v.Reason = lacksScope
		case s.RefusedBy != "":
			v.Reason = r.Verdict.NotAccepted(id)
			record(e.revocation(r.revocationOf(id)))
			recorded(wire.EventTokenReleased, holder)
		default: // the call failed
			v.Reason = sentence(s.Reason)
		}
	default: // not a decision
	}
	v.Checks = v.checks()
	return v
}

const lacksScope = "The token lacks what is marked."

// subject returns the credential that a decision is about.
func (r *Run) subject(step trace.Step) trace.Credential {
	switch s := step.(type) {
	case trace.DelegationDenied:
		return trace.Credential{Category: r.categoryOf(s.DelegatorID)}
	case trace.TokenRevoked:
		if len(s.Credentials) > 0 {
			return s.Credentials[0]
		}
		return trace.Credential{}
	default:
		id, _ := trace.CredentialOf(step)
		return id
	}
}

// quotable matches what is safe between single quotes in a shell.
var quotable = regexp.MustCompile(`^[A-Za-z0-9.:/\[\]_?=&-]+$`)

// checks returns the commands that confirm a decision.
func (v Why) checks() (out []check) {
	broker := v.Run.Info.BrokerURL
	add := func(says, format, address string) {
		if quotable.MatchString(address) {
			out = append(out, check{says, fmt.Sprintf(format, address)})
		}
	}
	if v.Token != nil {
		add("Ask the broker what the token holds. TOKEN is the access token, which never leaves the app.",
			`curl -s -H 'Content-Type: application/json' -d "{\"token\":\"$TOKEN\"}" '%s'`, broker+"/v1/token/validate")
	}
	if len(v.Events) > 0 {
		e := v.Events[0]
		address := broker + "/v1/audit/events?event_type=" + string(e.EventType)
		if e.TaskID != "" {
			address += "&task_id=" + e.TaskID
		}
		add("Read the event at the broker. ADMIN_TOKEN is from the operator's login.", `curl -s -H "Authorization: Bearer $ADMIN_TOKEN" '%s'`, address)
	}
	return out
}

// sentence returns a reason with one full stop.
func sentence(reason string) string { return strings.TrimSuffix(reason, ".") + "." }
