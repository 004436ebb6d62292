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

// ended waits for a run's end and reads its trace.
func (a *app) ended(id string) result {
	a.Helper()
	resp := a.do("GET", "/api/runs/"+id+"/events", nil, "")
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		a.Fatal(err)
	}
	export := a.export(id)
	return result{RunID: id, Trace: export.Events}
}

// Whoever asked may leave: a closed tab ends its stream, and not the run, which
// still ends every token.
func TestAClosedTab(t *testing.T) {
	a := startApp(t)
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", a.Page+"/api/request", strings.NewReader(`{"patient_id":"P-1042","request":"`+fullRequest+`","pace":"talk:50ms"}`))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	id := a.firstLiveRun()
	stream, err := http.NewRequestWithContext(ctx, "GET", a.Page+"/runs/"+id+"/frames", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.DefaultClient.Do(stream); err != nil {
		t.Fatal(err)
	}
	leave()
	if err := <-gone; err == nil {
		t.Fatal("the run was over before its caller left")
	}
	if c := a.ended(id).complete(t); c.Outcome != trace.OutcomeAnswered || !c.AllRevoked || c.Tokens != 4 {
		t.Errorf("after its caller left: %+v", c)
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

// A model that hangs is shown as what is waited for, and holds nobody up who
// cancels: the tokens end at once.
func TestAModelThatHangs(t *testing.T) {
	var asked atomic.Int32
	model := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // only then is a client that leaves noticed
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
			t.Fatal("no agent was spawned")
		}
	}
	began := time.Now()
	a.post("/api/runs/"+id+"/cancel", "")
	c := a.ended(id).complete(t)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s to cancel", took)
	}
	if c.Outcome != trace.OutcomeCancelled || !c.AllRevoked || c.Tokens != 1 {
		t.Errorf("%+v", c)
	}
}

// The run's own token at the records API, as a thief would use it: good for its
// patient while it lives, for no other, and for nothing after release.
func TestTheRunsOwnTokenAtTheRecords(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl here")
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
			t.Fatalf("no token is stolen: %s", resp.Status)
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
		t.Errorf("while it lives: %s", got)
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
		t.Errorf("a token of a run that is over: %s", resp.Status)
	}
}
