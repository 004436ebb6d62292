package conformance

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// session is what a client remembers from one exchange to the next.
type session struct {
	t      *testing.T
	url    string
	secret string

	appName, appID, clientID, clientSecret string
	launchTokens                           []string
	first, second, worker                  agent // of tasks t1, t1 and t2
	chained                                string
	third                                  agent
	bearers                                map[string]string // by the recording's "auth"
}

type agent struct{ id, token string }

// response is an answer as it came; body is nil when there is none.
type response struct {
	status int
	header http.Header
	body   any
}

func (r response) text(name string) string {
	object, _ := r.body.(map[string]any)
	s, _ := object[name].(string)
	return s
}

// do sends a request; body is sent as it is when it is a string.
func (s *session) do(method, path, bearer string, body any) response {
	s.t.Helper()
	var reader io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(v)
	default:
		text, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, s.url+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := response{status: resp.StatusCode, header: resp.Header}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&out.body); err != nil {
			s.t.Fatalf("%s %s = %d %q: %v", method, path, resp.StatusCode, text, err)
		}
	}
	return out
}

// need is do for a step on the way, which must succeed.
func (s *session) need(method, path, bearer string, body any) response {
	s.t.Helper()
	r := s.do(method, path, bearer, body)
	if r.status >= 300 {
		s.t.Fatalf("%s %s = %d %v", method, path, r.status, r.body)
	}
	return r
}

func (s *session) nonce() string {
	s.t.Helper()
	return s.need("GET", "/v1/challenge", "", nil).text("nonce")
}

// launch issues a launch token as the admin.
func (s *session) launch(scope ...string) string {
	s.t.Helper()
	return s.need("POST", "/v1/admin/launch-tokens", s.bearers["admin"],
		map[string]any{"agent_name": "wire/agent", "allowed_scope": scope, "max_ttl": 120}).text("launch_token")
}

// registration is the body of a registration with a fresh key and nonce.
func (s *session) registration(launchToken, orch, task string, scope ...string) map[string]any {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	nonce := s.nonce()
	challenge, err := hex.DecodeString(nonce)
	if err != nil {
		s.t.Fatal(err)
	}
	return map[string]any{
		"launch_token": launchToken, "orch_id": orch, "task_id": task, "requested_scope": scope,
		"nonce":      nonce,
		"public_key": base64.StdEncoding.EncodeToString(public),
		"signature":  base64.StdEncoding.EncodeToString(ed25519.Sign(private, challenge)),
	}
}

func (s *session) register(orch, task string, scope ...string) agent {
	s.t.Helper()
	r := s.need("POST", "/v1/register", "", s.registration(s.launch(scope...), orch, task, scope...))
	return agent{r.text("agent_id"), r.text("access_token")}
}

func (s *session) delegate(from agent, to string, scope ...string) string {
	s.t.Helper()
	return s.need("POST", "/v1/delegate", from.token, map[string]any{"delegate_to": to, "scope": scope}).text("access_token")
}
