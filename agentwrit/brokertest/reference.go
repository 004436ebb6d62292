package brokertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// reference makes the embedded broker behave like the reference broker where the
// two differ and a client notices:
//
//   - It serves neither keys nor checkpoints, and reports that in plain text.
//   - If two requests for an app's launch token arrive at once, one of them is
//     answered with 403 "app not found".
//   - A taken app name is answered with 500.
//   - Ending a token leaves those that were delegated from it valid. Such an orphan
//     can be validated and released here, but, unlike there, not renewed.
type reference struct {
	next http.Handler
	now  func() time.Time
	busy atomic.Int32 // requests for an app's launch token

	mu     sync.Mutex
	issued map[string]*wire.Claims // by token
	ended  map[string]bool         // by token: released, renewed or revoked itself
}

func newReference(next http.Handler, now func() time.Time) *reference {
	if now == nil {
		now = time.Now
	}
	return &reference{next: next, now: now, issued: map[string]*wire.Claims{}, ended: map[string]bool{}}
}

func (f *reference) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/keys" || r.URL.Path == "/v1/audit/checkpoint" {
		http.NotFound(w, r)
		return
	}
	if r.URL.Path == "/v1/app/launch-tokens" {
		defer f.busy.Add(-1)
		if f.busy.Add(1) > 1 {
			writeProblem(w, r, wire.CodeForbidden, "app not found")
			return
		}
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "can't read the request", http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp := httptest.NewRecorder()
	f.next.ServeHTTP(resp, r)
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")

	f.mu.Lock()
	defer f.mu.Unlock()
	ok := resp.Code < 300
	switch r.Method + " " + r.URL.Path {
	case "POST /v1/register", "POST /v1/delegate":
		f.keep(resp)
	case "POST /v1/token/renew":
		if ok {
			f.ended[bearer] = true
		}
		f.keep(resp)
	case "POST /v1/token/release":
		if ok || resp.Code == http.StatusUnauthorized && f.orphan(bearer) != nil {
			f.ended[bearer] = true
			w.WriteHeader(http.StatusNoContent)
			return
		}
	case "POST /v1/revoke":
		if ok {
			f.revoke(body)
		}
	case "POST /v1/token/validate":
		var in wire.ValidateRequest
		var out wire.ValidateResponse
		if ok && json.Unmarshal(body, &in) == nil && json.Unmarshal(resp.Body.Bytes(), &out) == nil && !out.Valid {
			if claims := f.orphan(in.Token); claims != nil {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(wire.ValidateResponse{Valid: true, Claims: claims})
				return
			}
		}
	case "POST /v1/admin/apps":
		if resp.Code == http.StatusConflict {
			writeProblem(w, r, wire.CodeInternal, "failed to register app")
			return
		}
	}
	for name, values := range resp.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.Code)
	w.Write(resp.Body.Bytes())
}

// keep remembers a token that a response issues.
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
	}
}

// orphan returns the claims of a delegated token that the embedded broker ended
// together with its delegator's, and that the reference broker would not.
func (f *reference) orphan(token string) *wire.Claims {
	claims := f.issued[token]
	if claims == nil || len(claims.DelegationChain) == 0 || f.ended[token] || f.now().Unix() > claims.ExpiresAt {
		return nil
	}
	return claims
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

func writeProblem(w http.ResponseWriter, r *http.Request, code wire.Code, detail string) {
	p := wire.NewProblem(code, detail, r.URL.Path, "0123456789abcdef")
	w.Header().Set("Content-Type", wire.ProblemContentType)
	w.Header().Set("X-Request-ID", p.RequestID)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}
