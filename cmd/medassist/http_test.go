package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// do sends a request with headers and does not follow redirects.
func (a *app) do(method, path string, headers map[string]string, body string) *http.Response {
	a.Helper()
	req, err := http.NewRequest(method, a.Page+path, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	if a.key != "" {
		req.Header.Set("X-Presenter-Key", a.key)
	}
	for k, v := range headers {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(func() { resp.Body.Close() })
	return resp
}

const aRequest = `{"patient_id":"P-1042","request":"Show labs"}`

// ids reads a stream to its end and returns its event IDs.
func ids(t *testing.T, resp *http.Response) (out []string) {
	t.Helper()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			out = append(out, id)
		}
	}
	return out
}

func TestStreamResumes(t *testing.T) {
	a := startApp(t)
	r := a.run("P-1042", "Show labs")
	events := "/api/runs/" + r.RunID + "/events"
	all := ids(t, a.do("GET", events, nil, ""))
	if len(all) != len(r.Trace) || all[0] != "1" {
		t.Fatalf("the stream has steps %v, the trace %d", all, len(r.Trace))
	}
	for name, got := range map[string][]string{
		"after=3":                  ids(t, a.do("GET", events+"?after=3", nil, "")),
		"Last-Event-ID":            ids(t, a.do("GET", events, map[string]string{"Last-Event-ID": "3"}, "")),
		"Last-Event-ID over after": ids(t, a.do("GET", events+"?after=1", map[string]string{"Last-Event-ID": "3"}, "")),
	} {
		if strings.Join(got, " ") != strings.Join(all[3:], " ") {
			t.Errorf("%s: %v, want %v", name, got, all[3:])
		}
	}
	for path, want := range map[string]int{events + "?after=x": 400, events + "?after=-1": 400, "/api/runs/run-none/events": 404, "/runs/run-none/frames": 404} {
		if got := a.do("GET", path, nil, "").StatusCode; got != want {
			t.Errorf("GET %s = %d, want %d", path, got, want)
		}
	}
}

// On loopback, local programs and the page itself may start runs; other sites may
// not.
func TestAccessOnLoopback(t *testing.T) {
	a := startApp(t)
	for _, tc := range []struct {
		name    string
		headers map[string]string
		want    int
	}{
		{"curl", nil, 202},
		{"the page itself", map[string]string{"Sec-Fetch-Site": "same-origin"}, 202},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another site in an old browser", map[string]string{"Origin": "http://evil.example"}, 403},
		{"a rebound host name", map[string]string{"Host": "evil.example"}, 421},
	} {
		if got := a.do("POST", "/api/runs", tc.headers, aRequest).StatusCode; got != tc.want {
			t.Errorf("%s: %d, want %d", tc.name, got, tc.want)
		}
	}
}

// Beyond loopback only the presenter may change anything.
func TestPresenterKey(t *testing.T) {
	const key = "a-key-for-the-presenter"
	a := startApp(t, func(c *Config) { c.Addr, c.PresenterKey = "0.0.0.0:0", key })
	link := a.do("GET", "/?key="+key, nil, "")
	cookies := link.Cookies()
	if link.StatusCode != 303 || link.Header.Get("Location") != "/" || len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("the printed address: %s, %v", link.Status, link.Header)
	}
	cookie := cookies[0].Name + "=" + cookies[0].Value
	for _, tc := range []struct {
		name    string
		headers map[string]string
		want    int
	}{
		{"no key", nil, 403},
		{"a wrong key", map[string]string{"X-Presenter-Key": "a-key-for-the-presenteR"}, 403},
		{"an empty key", map[string]string{"X-Presenter-Key": ""}, 403},
		{"a wrong cookie", map[string]string{"Cookie": cookies[0].Name + "=x"}, 403},
		{"the key", map[string]string{"X-Presenter-Key": key}, 202},
		{"the cookie", map[string]string{"Cookie": cookie}, 202},
		{"the cookie from another site", map[string]string{"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}, 403},
	} {
		for _, path := range []string{"/api/runs", "/runs", "/api/revoke", "/api/request", "/runs/x/cancel", "/runs/x/stolen"} {
			got := a.do("POST", path, tc.headers, aRequest).StatusCode
			if refused := got == 403; refused != (tc.want == 403) || path == "/api/runs" && got != tc.want {
				t.Errorf("%s, POST %s: %d", tc.name, path, got)
			}
		}
	}
	if resp := a.do("GET", "/?key=wrong", nil, ""); resp.Header.Get("Set-Cookie") != "" {
		t.Error("a wrong key sets a cookie")
	}
	page, _ := io.ReadAll(a.do("GET", "/", nil, "").Body)
	if strings.Contains(string(page), "request-form") || strings.Contains(string(page), key) {
		t.Error("the viewers' page contains the form or the key")
	}
}

var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:[^>]*)>[^<]|javascript:|(?:src|href)="(?:https?:)?//`)

// Pages load nothing from other hosts and contain no inline script or style.
func TestContentSecurityPolicy(t *testing.T) {
	a := startApp(t)
	r := a.run("P-1042", fullRequest)
	for _, path := range []string{"/", "/runs", "/runs/" + r.RunID, "/key", "/no-such-page"} {
		resp := a.do("GET", path, map[string]string{"Accept": "text/html"}, "")
		page, _ := io.ReadAll(resp.Body)
		policy := resp.Header.Get("Content-Security-Policy")
		if policy == "" || strings.Contains(policy, "unsafe") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, resp.Header)
		}
		if found := inline.Find(page); found != nil {
			t.Errorf("%s: %s", path, found)
		}
		for _, secret := range []string{adminSecret, "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIs"} {
			if strings.Contains(string(page), secret) {
				t.Errorf("%s contains a secret or a token", path)
			}
		}
	}
	if strings.Contains(r.answer, "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIs") {
		t.Error("the trace contains a whole token")
	}
}

func TestOverviews(t *testing.T) {
	a := startApp(t)
	a.run("P-1042", "Show labs")
	for path, want := range map[string]string{
		"/api/patients":               "Maria Alvarez",
		"/api/tools":                  "read:records:{patient_id}",
		"/api/audit/events?limit=5":   `"prev_hash"`,
		"/api/audit/events?limit=no":  "must be a number",
		"/api/audit/events?since=now": "must be a time",
		"/healthz":                    `"status":"ok"`,
		"/metrics":                    "medassist_runs_started_total 1",
		"/runs":                       "Show labs",
	} {
		body, _ := io.ReadAll(a.do("GET", path, nil, "").Body)
		if !strings.Contains(string(body), want) {
			t.Errorf("GET %s lacks %q: %.300s", path, want, body)
		}
	}
	if _, answer := a.post("/api/request", `{"patient_id":"P-9999","request":"Show labs"}`); !strings.Contains(string(answer), `"known_patients":["P-1042",`) {
		t.Errorf("an unknown patient: %.300s", answer)
	}
	for body, want := range map[string]int{`{"level":"task","target":"run-x"}`: 200, `{"level":"planet","target":"x"}`: 400, `{}`: 400, `{"level":7}`: 400} {
		if got, answer := a.post("/api/revoke", body); got != want {
			t.Errorf("revoke %s: %d %s, want %d", body, got, answer, want)
		}
	}
	for _, tc := range []struct{ kind, body string }{{"text/plain", aRequest}, {"multipart/form-data; boundary=x", aRequest}} {
		if got := a.do("POST", "/api/runs", map[string]string{"Content-Type": tc.kind}, tc.body).StatusCode; got != 415 {
			t.Errorf("%s: %d, want 415", tc.kind, got)
		}
	}
	if got, _ := a.post("/api/runs", fmt.Sprintf(`{"patient_id":"P-1042","request":"%s"}`, strings.Repeat("x", 70<<10))); got != 413 {
		t.Errorf("a large body: %d, want 413", got)
	}
}
