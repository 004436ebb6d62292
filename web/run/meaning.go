package run

import (
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/ui"
)

// meaningOf is the one table from a step to its meaning.
func meaningOf(e trace.Event) ui.Meaning {
	switch s := e.Step.(type) {
	case trace.ToolCall:
		return ui.Allowed
	case trace.ScopeDenied, trace.TokenRejected, trace.DelegationDenied:
		return ui.Denied
	case trace.Delegation:
		return ui.Delegated
	case trace.AgentCreated, trace.TokenRenewed:
		return ui.Alive
	case trace.TokenReleased, trace.TokenRevoked:
		return ui.Ended
	case trace.StolenTokenUsed:
		if s.RefusedBy != "" {
			return ui.Denied
		}
		return ui.Trouble
	case trace.TokenValidated:
		if s.Valid {
			return ui.Alive
		}
		return ui.Ended
	case trace.PostReleaseValidation:
		if s.Valid {
			return ui.Trouble
		}
		return ui.Ended
	case trace.Validation, trace.PatientLookup, trace.BrokerHealth, trace.BrokerWait, trace.LLMStart, trace.LLMWait, trace.LLMDelta, trace.LLMResponse,
		trace.AgentError, trace.ToolError, trace.ReleaseError, trace.Incident, trace.Cancelled, trace.RunError, trace.Complete:
		// Their status decides, below.
	}
	if e.Status == trace.StatusError || e.Status == trace.StatusWarning {
		return ui.Trouble
	}
	return ui.Plain
}
