package trace

// An IncidentKind is something that a scenario does to a token in the middle of a
// run. Incidents are real: the broker revokes, time passes, requests are made.
type IncidentKind string

// The kinds of incident.
const (
	IncidentRevocation IncidentKind = "revocation" // the operator revokes the agent
	IncidentExpiry     IncidentKind = "expiry"     // the token is not renewed and expires
	IncidentTheft      IncidentKind = "theft"      // an attacker copies the token and uses it
)

// TypeIncident is the type of a [Incident] step.
const TypeIncident Type = "incident"

// Incident records the start of an incident and the token that it concerns.
type Incident struct {
	Credential
	Kind IncidentKind `json:"kind"`
}

// Type implements [Step].
func (Incident) Type() Type { return TypeIncident }
func (Incident) step()      {}

// TypeTokenRevoked is the type of a [TokenRevoked] step.
const TypeTokenRevoked Type = "token_revoked"

// TokenRevoked records a revocation that affects tokens of the run. Level and
// Target are those of the broker's revocation (docs/protocol.md, "Revocation");
// Count is the number that it returned.
type TokenRevoked struct {
	Level       string       `json:"level"`
	Target      string       `json:"target"`
	Count       int          `json:"count"`
	Credentials []Credential `json:"credentials"` // of this run, which the broker no longer accepts
	// StillValid holds the credentials that were delegated from the revoked ones
	// and that the broker still accepts; Unconfirmed those about which it gave no
	// answer.
	StillValid  []Credential `json:"still_valid,omitempty"`
	Unconfirmed []Credential `json:"unconfirmed,omitempty"`
	// Remaining reports that the credential was revoked on its own, because the
	// broker had left it valid when it revoked its delegator.
	Remaining bool `json:"remaining,omitempty"`
	// Released reports that the app released the tokens because it has no admin
	// secret to revoke them.
	Released bool `json:"released,omitempty"`
}

// Type implements [Step].
func (TokenRevoked) Type() Type { return TypeTokenRevoked }
func (TokenRevoked) step()      {}

// TypeStolenTokenUsed is the type of a [StolenTokenUsed] step.
const TypeStolenTokenUsed Type = "stolen_token_used"

// StolenTokenUsed records a request that was sent directly to the records API,
// bypassing the gate, with a copied token.
type StolenTokenUsed struct {
	Credential
	Tool          string    `json:"tool"`
	PatientID     string    `json:"patient_id"`
	TokenPreview  string    `json:"token_preview"`
	Authorized    bool      `json:"authorized"`
	RequiredScope []string  `json:"required_scope"`
	HeldScope     []string  `json:"held_scope,omitempty"`
	MissingScope  []string  `json:"missing_scope,omitempty"`
	RefusedBy     RefusedBy `json:"refused_by,omitempty"` // empty if the request was allowed
	Reason        string    `json:"reason,omitempty"`
}

// Type implements [Step].
func (StolenTokenUsed) Type() Type { return TypeStolenTokenUsed }
func (StolenTokenUsed) step()      {}
