package picture

import (
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
)

// Encounter returns the frame of an encounter: the catalogue's ceiling and, for
// each category of tools, the scopes that its agent registers with or may obtain
// by delegation.
func Encounter(id, app string) Frame {
	anyone := patient.MustParseID("anyone") // strands are identified by resource
	f := Frame{ID: id, App: app, Ceiling: tools.Ceiling()}
	for _, c := range tools.Categories() {
		plan := Plan{Category: string(c), Scopes: tools.AgentScopes(c, anyone)}
		if c == tools.Prescription {
			plan.Delegated = []string{tools.DelegatedScope(anyone)}
		}
		f.Lanes = append(f.Lanes, plan)
	}
	return f
}
