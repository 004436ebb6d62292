package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// ended waits for the end of a run and returns its trace.
func (a *app) ended(id string) result {
	a.Helper()
	resp := a.do("GET", "/api/runs/"+id+"/events", nil, "")
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		a.Fatal(err)
	}
	export := a.export(id)
	return result{RunID: id, Trace: export.Events}
}

// A client that disconnects ends its stream but not the run, which still releases
// every token.
func TestClientDisconnects(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	ctx, disconnect := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", a.Page+"/api/request", strings.NewReader(`{"patient_id":"P-1042","request":"`+fullRequest+`","pace":"talk:50ms"}`))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		closed <- err
	}()
	id := a.firstLiveRun()
	stream, err := http.NewRequestWithContext(ctx, "GET", a.Page+"/runs/"+id+"/frames", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(stream); err != nil {
		t.Fatal(err)
	}
	disconnect()
	if err := <-closed; err == nil {
		t.Fatal("the run ended before the client disconnected")
	}
	if c := a.ended(id).complete(t); c.Outcome != trace.OutcomeAnswered || !c.AllRevoked || c.Tokens != 4 {
		t.Errorf("after the client disconnected: %+v", c)
	}
}

func (a *app) firstLiveRun() string {
	a.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp := a.do("GET", "/runs", map[string]string{"Accept": "text/html"}, "")
		page, err := io.ReadAll(resp.Body)
		if err != nil {
			a.Fatal(err)
		}
		if _, rest, ok := strings.Cut(string(page), `href="/runs/run-`); ok {
			id, _, _ := strings.Cut(rest, `"`)
			return "run-" + id
		}
	}
	a.Fatal("no run is listed")
	return ""
}

// A run whose model hangs can be cancelled, and its tokens are then released at
// once.
func TestModelHangs(t *testing.T) {
	var asked atomic.Int32
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // the server notices a disconnect only after the body is read
		if asked.Add(1) == 1 {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c0","function":{"name":"get_lab_results","arguments":"{\"patient_id\":\"P-1042\"}"}}]}}]}`+"\n\n"+
				`data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`+"\n\n")
			return
		}
		<-r.Context().Done()
	}))
	defer model.Close()
	a := startApp(t, func(c *Config) { c.LLMBaseURL, c.LLMAPIKey, c.LLMModel = model.URL, "k", "m" })
	id := a.begin(aRequest)
	for deadline := time.Now().Add(10 * time.Second); countEvents(t, a.admin(), id, "agent_registered") == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no agent was created")
		}
	}
	began := time.Now()
	a.post("/api/runs/"+id+"/cancel", "")
	c := a.ended(id).complete(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("cancelling took %s", took)
	}
	if c.Outcome != trace.OutcomeCancelled || !c.AllRevoked || c.Tokens != 1 {
		t.Errorf("%+v", c)
	}
}

// The run's own token used by an attacker: the records API accepts it for its
// patient until it is released, and never for another patient.
func TestStolenToken(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	a := startApp(t)
	form := url.Values{"scenario": {"stolen-token"}}.Encode()
	started := a.do("POST", "/runs", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, form)
	id := strings.TrimPrefix(started.Header.Get("Location"), "/runs/")
	if started.StatusCode != http.StatusSeeOther || id == "" {
		t.Fatalf("start: %s", started.Status)
	}
	var line []byte
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		resp := a.do("POST", "/runs/"+id+"/stolen", nil, "")
		if resp.StatusCode == http.StatusOK {
			if line, err = io.ReadAll(resp.Body); err != nil {
				t.Fatal(err)
			}
			break
		}
		if resp.StatusCode != http.StatusConflict || time.Now().After(deadline) {
			t.Fatalf("no stolen token: %s", resp.Status)
		}
	}
	use := func() string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(string(line), "curl ", curl+" ", 1)).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := use(); !strings.Contains(got, "Alvarez") || !strings.Contains(got, "\n200\n") || !strings.Contains(got, "\n403\n") || strings.Contains(got, "Kessler") {
		t.Errorf("before release: %s", got)
	}
	a.post("/api/runs/"+id+"/next", "")
	r := a.ended(id)
	if got := use(); strings.Count(got, "\n401\n") != 2 {
		t.Errorf("after release: %s", got)
	}
	if c := r.complete(t); !c.AllRevoked {
		t.Errorf("%+v", c)
	}
	if resp := a.do("POST", "/runs/"+id+"/stolen", nil, ""); resp.StatusCode != http.StatusConflict {
		t.Errorf("a token of a finished run: %s", resp.Status)
	}
}
