package brokertest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/random"
)

// reference makes the embedded broker behave like the reference broker where the
// two differ and a client notices:
//
//   - It serves neither keys nor checkpoints, and reports that in plain text.
//   - If two requests for an app's launch token arrive at once, one of them is
//     answered with 403 "app not found". Two registrations of apps at once, or a
//     taken name, are answered with 500.
//   - Ending a token, or deleting an app, leaves what was delegated or issued by it
//     valid. Such a token can be renewed and released, but, unlike there, not be
//     delegated.
//   - A token is accepted during the second of its exp.
//   - After a restart it has forgotten its agents and launch tokens, and the newest
//     event of the audit log is missing, so that the hash chain breaks there.
type reference struct {
	next http.Handler
	now  func() time.Time

	launching, registering atomic.Int32 // requests in flight

	mu       sync.Mutex
	issued   map[string]*wire.Claims // by token
	ended    map[string]bool         // by token: released, renewed or revoked itself
	agents   map[string]bool         // by SPIFFE ID: false once forgotten
	launches map[string]bool         // by launch token: false once forgotten
	lost     map[string]bool         // IDs of missing audit events
}

func newReference(next http.Handler, now func() time.Time) *reference {
	if now == nil {
		now = time.Now
	}
	return &reference{next: next, now: now, issued: map[string]*wire.Claims{}, ended: map[string]bool{},
		agents: map[string]bool{}, launches: map[string]bool{}, lost: map[string]bool{}}
}

func (f *reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /v1/keys", "GET /v1/audit/checkpoint":
		http.NotFound(w, r)
		return
	case "GET /v1/audit/events":
		f.audit(w, r)
		return
	case "POST /v1/app/launch-tokens":
		defer f.launching.Add(-1)
		if f.launching.Add(1) > 1 {
			writeProblem(w, r, wire.CodeForbidden, "app not found")
			return
		}
	case "POST /v1/admin/apps":
		defer f.registering.Add(-1)
		if f.registering.Add(1) > 1 {
			writeProblem(w, r, wire.CodeInternal, "failed to register app")
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "can't read the request", http.StatusBadRequest)
		return
	}
	if f.forgotten(w, r, body) {
		return
	}
	resp := f.ask(r, body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.amend(resp, r, body)
	for name, values := range resp.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.Code)
	w.Write(resp.Body.Bytes())
}

// ask sends a request to the embedded broker.
func (f *reference) ask(r *http.Request, body []byte) *httptest.ResponseRecorder {
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp := httptest.NewRecorder()
	f.next.ServeHTTP(resp, r)
	return resp
}

// forgotten answers a request about an agent or a launch token that a restart has
// made the broker forget.
func (f *reference) forgotten(w http.ResponseWriter, r *http.Request, body []byte) bool {
	var in struct {
		DelegateTo  string `json:"delegate_to"`
		LaunchToken string `json:"launch_token"`
	}
	if json.Unmarshal(body, &in) != nil {
		return false
	}
	f.mu.Lock()
	agent, wasAgent := f.agents[in.DelegateTo]
	launch, wasLaunch := f.launches[in.LaunchToken]
	f.mu.Unlock()
	switch {
	case r.URL.Path == "/v1/delegate" && wasAgent && !agent:
		writeProblem(w, r, wire.CodeNotFound, "delegate agent not found")
	case r.URL.Path == "/v1/register" && wasLaunch && !launch:
		writeProblem(w, r, wire.CodeUnauthorized, "launch token not found")
	default:
		return false
	}
	return true
}

// amend turns the embedded broker's response into the reference broker's. The
// caller holds the mutex.
func (f *reference) amend(resp *httptest.ResponseRecorder, r *http.Request, body []byte) {
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	ok := resp.Code < 300
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/app/launch-tokens", "POST /v1/admin/launch-tokens":
		var out wire.LaunchTokenResponse
		if ok && json.Unmarshal(resp.Body.Bytes(), &out) == nil {
			f.launches[out.LaunchToken] = true
		}
	case "POST /v1/register", "POST /v1/delegate":
		f.keep(resp)
	case "POST /v1/token/renew":
		claims := f.accepted(bearer)
		if resp.Code == http.StatusUnauthorized && claims != nil {
			answer(resp, http.StatusOK, f.renewal(claims))
			ok = true
		}
		if ok {
			f.ended[bearer] = true
		}
		f.keep(resp)
	case "POST /v1/token/release":
		if ok || resp.Code == http.StatusUnauthorized && f.accepted(bearer) != nil {
			f.ended[bearer] = true
			answer(resp, http.StatusNoContent, nil)
		}
	case "POST /v1/revoke":
		if ok {
			f.revoke(body)
		}
	case "POST /v1/token/validate":
		var in wire.ValidateRequest
		var out wire.ValidateResponse
		if ok && json.Unmarshal(body, &in) == nil && json.Unmarshal(resp.Body.Bytes(), &out) == nil && !out.Valid {
			if claims := f.accepted(in.Token); claims != nil {
				answer(resp, http.StatusOK, wire.ValidateResponse{Valid: true, Claims: claims})
			}
		}
	case "POST /v1/admin/apps":
		if resp.Code == http.StatusConflict {
			*resp = *httptest.NewRecorder()
			writeProblem(resp, r, wire.CodeInternal, "failed to register app")
		}
	}
}

// keep remembers the token that a response issues and its holder.
func (f *reference) keep(resp *httptest.ResponseRecorder) {
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(resp.Body.Bytes(), &out) != nil || out.AccessToken == "" {
		return
	}
	parts := strings.Split(out.AccessToken, ".")
	if len(parts) != 3 {
		return
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	claims := new(wire.Claims)
	if err == nil && json.Unmarshal(payload, claims) == nil {
		f.issued[out.AccessToken] = claims
		if len(claims.DelegationChain) == 0 {
			f.agents[claims.Subject] = true
		}
	}
}

// accepted returns the claims of a token that the reference broker accepts, also
// where the embedded broker does not.
func (f *reference) accepted(token string) *wire.Claims {
	claims := f.issued[token]
	if claims == nil || f.ended[token] || f.now().Unix() > claims.ExpiresAt {
		return nil
	}
	return claims
}

// renewal issues the successor of a token that the embedded broker no longer
// accepts. Nobody can check its signature, because the keys are not served.
func (f *reference) renewal(old *wire.Claims) wire.RenewResponse {
	claims := *old
	life := old.ExpiresAt - old.IssuedAt
	claims.ID, claims.IssuedAt = random.Hex(16), f.now().Unix()
	claims.NotBefore, claims.ExpiresAt = claims.IssuedAt, claims.IssuedAt+life
	payload, err := json.Marshal(&claims)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	signature := make([]byte, 64)
	rand.Read(signature)
	encode := base64.RawURLEncoding.EncodeToString
	token := encode([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"reference"}`)) + "." + encode(payload) + "." + encode(signature)
	return wire.RenewResponse{AccessToken: token, ExpiresIn: int(life)}
}

func (f *reference) revoke(body []byte) {
	var in wire.RevokeRequest
	if json.Unmarshal(body, &in) != nil {
		return
	}
	for token, c := range f.issued {
		switch in.Level {
		case wire.RevokeToken:
			f.ended[token] = f.ended[token] || c.ID == in.Target
		case wire.RevokeAgent:
			f.ended[token] = f.ended[token] || c.Subject == in.Target
		case wire.RevokeTask:
			f.ended[token] = f.ended[token] || c.TaskID == in.Target
		case wire.RevokeChain:
			first := slices.IndexFunc(c.DelegationChain, func(h wire.DelegationHop) bool { return h.Agent == in.Target })
			f.ended[token] = f.ended[token] || first == 0
		}
	}
}

// answer replaces a response and keeps its headers, except those about its body.
func answer(resp *httptest.ResponseRecorder, status int, body any) {
	header := resp.Header()
	header.Del("Content-Type")
	header.Del("Content-Length")
	*resp = *httptest.NewRecorder()
	maps.Copy(resp.Header(), header)
	if body != nil {
		resp.Header().Set("Content-Type", "application/json")
	}
	resp.WriteHeader(status)
	if body != nil {
		_ = json.NewEncoder(resp).Encode(body) // it is written to memory
	}
}

func writeProblem(w http.ResponseWriter, r *http.Request, code wire.Code, detail string) {
	p := wire.NewProblem(code, detail, r.URL.Path, "0123456789abcdef")
	w.Header().Set("Content-Type", wire.ProblemContentType)
	w.Header().Set("X-Request-ID", p.RequestID)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
