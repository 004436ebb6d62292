package trace

// IncidentKind is something that befalls a token in the middle of a run,
// because its scenario wants it so. It is real: the broker revokes, time passes,
// requests are made.
type IncidentKind string

// The kinds of incident.
const (
	IncidentRevocation IncidentKind = "revocation" // the operator revokes the agent
	IncidentExpiry     IncidentKind = "expiry"     // nobody renews the token, and its time runs out
	IncidentTheft      IncidentKind = "theft"      // somebody copies the token, and uses it
)

// Incident says that one begins, and to which token.
type Incident struct {
	Credential
	Kind IncidentKind `json:"kind"`
}

// TokenRevoked is a revocation that takes tokens of the run down. Level and
// Target are the broker's (WIRE.md, "Revoke"); Count is what it answered.
type TokenRevoked struct {
	Level       string       `json:"level"`
	Target      string       `json:"target"`
	Count       int          `json:"count"`
	Credentials []Credential `json:"credentials"` // of this run, that die by it
}

// StolenTokenUsed is a request that was made with a copy of a token, past the
// gate, straight at the records API.
type StolenTokenUsed struct {
	Credential
	Tool          string    `json:"tool"`
	PatientID     string    `json:"patient_id"`
	TokenPreview  string    `json:"token_preview"`
	Authorized    bool      `json:"authorized"`
	RequiredScope []string  `json:"required_scope"`
	HeldScope     []string  `json:"held_scope,omitempty"`
	MissingScope  []string  `json:"missing_scope,omitempty"`
	RefusedBy     RefusedBy `json:"refused_by,omitempty"` // empty if it was let through
	Reason        string    `json:"reason,omitempty"`
}
