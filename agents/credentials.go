package agents

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// delegatedCredential names the one delegated credential that a run can have.
var delegatedCredential = trace.Credential{Category: string(tools.Prescription), Delegated: true}

// A credential is a token of the run. Its agent holds the token itself.
type credential struct {
	trace.Credential
	agent   *agentwrit.Agent
	jti     atomic.Value // string: see tokenID
	revoked atomic.Bool  // by the operator, through this service
	saved   atomic.Bool  // the current token is; see ownership.go
}

// tokenID returns the ID of the current token; empty until the broker returned it.
func (c *credential) tokenID() string {
	id, _ := c.jti.Load().(string)
	return id
}

// ended reports whether the broker has confirmed that it revoked or released the
// token.
func (c *credential) ended() bool { return c.agent.Released() || c.revoked.Load() }

// String names the credential in a sentence: "clinical", "delegated prescription".
func (c *credential) String() string {
	if c.Delegated {
		return "delegated " + c.Category
	}
	return c.Category
}

// preview returns the twelve characters of a token that may be shown. They are
// taken from both ends: all tokens of a broker begin alike, and a renewed token
// should look different.
func preview(token string) string {
	const end = 6
	if len(token) < 8*end {
		return "…"
	}
	return token[:end] + "…" + token[len(token)-end:]
}

// header returns the decoded header of a token, which is no secret. It is zero if it
// can't be decoded.
func header(token string) (h trace.TokenHeader) {
	encoded, _, _ := strings.Cut(token, ".")
	return decoded[trace.TokenHeader](encoded)
}

// claimedID returns the "jti" in a token without asking the broker; empty if it can't
// be decoded.
func claimedID(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	return decoded[agentwrit.Claims](encoded).ID
}

// decoded decodes a part of a JWT. It returns the zero value if it can't.
func decoded[T any](part string) (v T) {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(raw, &v) != nil {
		return *new(T)
	}
	return v
}

// credentials holds the credentials of a run: at most one agent of each category
// and at most one delegated token. None is replaced. A revoked agent stays
// revoked for its run; otherwise a revocation would have no effect.
type credentials struct {
	mu  sync.Mutex
	all []*credential // in the order in which they were issued
}

func (c *credentials) add(cred *credential) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, cred)
}

// find returns nil if the run has no such credential.
func (c *credentials) find(id trace.Credential) *credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cred := range c.all {
		if cred.Credential == id {
			return cred
		}
	}
	return nil
}

// list returns the credentials in the order in which they were issued.
func (c *credentials) list() []*credential {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.all)
}

// delegatedFirst returns the credentials in the order in which they are released.
// Releasing a delegator revokes what it delegated, so delegated tokens come first.
func (c *credentials) delegatedFirst() []*credential {
	var delegated, own []*credential
	for _, cred := range c.list() {
		if cred.Delegated {
			delegated = append(delegated, cred)
		} else {
			own = append(own, cred)
		}
	}
	return append(delegated, own...)
}
