//go:build unix

package main

import (
	"bufio"
	"cmp"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// Each action at one replica takes effect at the other: runs are watched, stepped,
// paced and cancelled, records and decisions are shared, the stage follows, and a
// reset reaches all.
func TestReplicasAreOneDemo(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	database := pgtest.URL(t)
	a, b := startReplica(t, database), startReplica(t, database)
	page := startBalancer(t, a, b).Page

	t.Run("a run is stepped from the other replica, and watched at both", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		id := a.begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"step"}`)
		viewers := []*follower{follow(t, a.Page, id, 0), follow(t, b.Page, id, 0), follow(t, page, id, 3)}
		steered := time.Now()
		a.until(30*time.Second, "the run is over", func() bool {
			status, answer := b.post("/api/runs/"+id+"/next", "")
			if status/100 != 2 && status != http.StatusConflict {
				t.Fatalf("next: %d %s", status, answer)
			}
			x := b.export(id)
			return len(x.Events) > 0 && x.Events[len(x.Events)-1].Step.Type() == trace.TypeComplete
		})
		t.Logf("stepped to its end in %s", time.Since(steered).Round(time.Millisecond))
		r := b.runEnded(id, time.Second)
		if c := r.complete(t); c.Outcome != trace.OutcomeAnswered || !c.AllRevoked || c.Tokens != 4 {
			t.Errorf("complete: %+v", c)
		}
		for _, v := range viewers {
			v.all(t, len(r.Trace))
		}
	})

	t.Run("its pace is changed, and it is cancelled", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		id := a.runWithLiveAgent()
		if status, answer := b.post("/api/runs/"+id+"/pace", `{"pace":"talk:50ms"}`); status/100 != 2 {
			t.Errorf("pace: %d %s", status, answer)
		}
		before := len(a.export(id).Events)
		a.until(20*time.Second, "the run goes on by itself", func() bool { return len(a.export(id).Events) > before+1 })
		if status, answer := b.post("/api/runs/"+id+"/cancel", ""); status/100 != 2 {
			t.Errorf("cancel: %d %s", status, answer)
		}
		r := a.runEnded(id, 20*time.Second)
		if c := r.complete(t); c.Outcome != trace.OutcomeCancelled || !c.AllRevoked {
			t.Errorf("complete: %+v", c)
		}
		assertAllReleased(t, b.admin(), id)
	})

	t.Run("an agent is revoked", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		id := a.runWithLiveAgent()
		status, answer := b.post("/api/revoke", `{"level":"task","target":"`+id+`"}`)
		if status != http.StatusOK {
			t.Errorf("revoke: %d %s", status, answer)
		}
		b.post("/api/runs/"+id+"/cancel", "")
		if c := a.runEnded(id, 20*time.Second).complete(t); !c.AllRevoked {
			t.Errorf("complete: %+v", c)
		}
	})

	t.Run("a repeated request starts one run", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		started := map[string]bool{}
		for _, r := range []*replica{a, b, a} {
			resp := r.do("POST", "/api/runs", map[string]string{"Content-Type": "application/json", "Idempotency-Key": "once"}, aRequest)
			started[resp.Header.Get("Location")] = true
		}
		if len(started) != 1 {
			t.Errorf("started %v", started)
		}
	})

	t.Run("records and decisions are shared", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		a.run("P-1042", fullRequest)
		if got := medications(b); !strings.Contains(got, "Lisinopril") {
			t.Errorf("what one replica prescribed is unknown at the other: %s", got)
		}
		b.run("P-1042", "Show me records for this patient and also get records for P-2187")
		exports := map[string]bool{}
		for _, r := range []*replica{a, b} {
			text, err := io.ReadAll(r.do("GET", "/audit/decisions/export", nil, "").Body)
			if err != nil || !strings.Contains(string(text), "P-2187") {
				t.Errorf("%v: %.300s", err, text)
			}
			exports[string(text)] = true
		}
		if len(exports) != 1 {
			t.Error("the replicas have different logs")
		}
	})

	t.Run("the stage follows", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		stage := b.do("GET", "/stage/frames", nil, "")
		defer stage.Body.Close()
		shown := make(chan error, 1)
		go func() {
			lines := bufio.NewScanner(stage.Body)
			lines.Buffer(nil, 4<<20)
			for lines.Scan() {
				if strings.Contains(lines.Text(), "<b>Audit log</b>") {
					shown <- nil
					return
				}
			}
			shown <- cmp.Or(lines.Err(), io.EOF)
		}()
		if resp := a.do("POST", "/present/show", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, "page=%2Faudit"); resp.StatusCode/100 > 3 {
			t.Errorf("show: %s", resp.Status)
		}
		select {
		case err := <-shown:
			if err != nil {
				t.Errorf("the stage's stream: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the stage of the other replica does not follow")
		}
	})

	t.Run("a reset reaches all", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		id := a.runWithLiveAgent()
		if status, answer := b.post("/api/reset", ""); status/100 != 2 {
			t.Errorf("reset: %d %s", status, answer)
		}
		if c := a.runEnded(id, time.Second).complete(t); c.Outcome != trace.OutcomeCancelled || !c.AllRevoked {
			t.Errorf("complete: %+v", c)
		}
		before, after := medications(a), medications(b)
		if before == "" || before != after || strings.Contains(before, "Lisinopril") {
			t.Errorf("after a reset the replicas have %s and %s", before, after)
		}
	})

	t.Run("a replica that is told to stop ends its own runs", func(t *testing.T) {
		a, b := a.in(t), b.in(t)
		stopped, other := a.runWithLiveAgent(), b.runWithLiveAgent()
		viewer := follow(t, page, stopped, 0)
		a.signal(syscall.SIGTERM)
		if err := a.cmd.Wait(); err != nil {
			t.Errorf("%v, want exit code 0", err)
		}
		r := b.runEnded(stopped, 20*time.Second)
		if c := r.complete(t); c.Outcome != trace.OutcomeCancelled || !c.AllRevoked {
			t.Errorf("complete: %+v", c)
		}
		viewer.all(t, len(r.Trace))
		if x := b.export(other); x.Events[len(x.Events)-1].Step.Type() == trace.TypeComplete {
			t.Error("the other replica's run has ended, too")
		}
		b.post("/api/runs/"+other+"/cancel", "")
		b.runEnded(other, 20*time.Second)
		throughBoth := &app{T: t, Addresses: Addresses{Page: page}, key: replicaKey}
		throughBoth.run("P-1042", "Show labs")
	})
}

// medications returns what a replica's interaction check finds.
func medications(r *replica) string {
	for _, c := range steps[trace.ToolCall](r.run("P-1042", "Check interactions with Metformin")) {
		if c.Tool == "check_drug_interactions" {
			return string(c.Output)
		}
	}
	return ""
}
