package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
)

const adminSecret = "an-admin-secret-for-tests-8731"

// app is the whole demo, started by the same Run as the binary.
type app struct {
	*testing.T
	Addresses
	stop func() error // ends the demo as a signal does; called at the end of the test too
	key  string       // the presenter's, if one is configured
}

// startApp starts the demo in memory on free ports. change may adjust the
// configuration.
func startApp(t *testing.T, change ...func(*Config)) *app {
	t.Helper()
	ready := make(chan Addresses, 1)
	cfg := Config{Addr: "127.0.0.1:0", BrokerAddr: "127.0.0.1:0", Ephemeral: true, AdminSecret: adminSecret, LogLevel: "error", secretCost: bcrypt.MinCost,
		ready: func(a Addresses) { ready <- a }}
	for _, c := range change {
		c(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var log bytes.Buffer
	go func() { ended <- Run(ctx, cfg, stdio{io.Discard, &log}) }()
	a := &app{T: t}
	var once bool
	a.stop = func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(30 * time.Second):
			t.Error("the demo did not stop")
			return nil
		}
	}
	select {
	case a.Addresses = <-ready:
	case err := <-ended:
		cancel()
		t.Fatalf("the demo did not start: %v", err)
	}
	t.Cleanup(func() {
		if err := a.stop(); err != nil {
			t.Errorf("the demo ended with: %v", err)
		}
	})
	return a
}

// admin returns an admin client of the embedded broker.
func (a *app) admin() *agentwrit.Admin {
	a.Helper()
	admin, err := agentwrit.NewAdmin(a.Broker, adminSecret)
	if err != nil {
		a.Fatal(err)
	}
	return admin
}

// post sends a body as curl -d does and returns the status and the response body.
func (a *app) post(path, body string) (int, []byte) {
	a.Helper()
	resp := a.do("POST", path, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, body)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return resp.StatusCode, answer
}

// begin starts a run and returns its ID without waiting for its end.
func (a *app) begin(body string) (id string) {
	a.Helper()
	status, answer := a.post("/api/runs", body)
	var started struct {
		RunID string `json:"run_id"`
	}
	if status != http.StatusAccepted || json.Unmarshal(answer, &started) != nil {
		a.Fatalf("start: %d %s", status, answer)
	}
	return started.RunID
}

// export returns a run's whole trace.
func (a *app) export(id string) (x trace.Export) {
	a.Helper()
	resp, err := http.Get(a.Page + "/api/runs/" + id)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&x); err != nil {
		a.Fatal(err)
	}
	return x
}

// result is a finished run.
type result struct {
	RunID  string        `json:"run_id"`
	Trace  []trace.Event `json:"trace"`
	answer string        // the response body
}

// run runs a request to completion.
func (a *app) run(patient, request string) result {
	a.Helper()
	return a.play(scenario.Scenario{Patient: patient, Request: request})
}

// play runs a scenario to completion.
func (a *app) play(s scenario.Scenario) result {
	a.Helper()
	body, err := json.Marshal(map[string]string{"patient_id": s.Patient, "request": s.Request, "scenario": s.ID})
	if err != nil {
		a.Fatal(err)
	}
	status, answer := a.post("/api/request", string(body))
	if status != http.StatusOK {
		a.Fatalf("POST /api/request: %d %s", status, answer)
	}
	r := result{answer: string(answer)}
	if err := json.Unmarshal(answer, &r); err != nil {
		a.Fatal(err)
	}
	return r
}

// steps returns the steps of one type, in order.
func steps[S trace.Step](r result) []S {
	var out []S
	for _, e := range r.Trace {
		if s, ok := e.Step.(S); ok {
			out = append(out, s)
		}
	}
	return out
}

// complete returns the run's last step.
func (r result) complete(t testing.TB) trace.Complete {
	t.Helper()
	all := steps[trace.Complete](r)
	if len(all) != 1 {
		t.Fatalf("%d complete steps in\n%s", len(all), r.types())
	}
	return all[0]
}

// types lists the steps of a trace, for a failure message.
func (r result) types() string {
	var b strings.Builder
	for _, e := range r.Trace {
		b.WriteString("  " + string(e.Step.Type()) + ": " + e.Label + "\n")
	}
	return b.String()
}
