//go:build unix

package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/trace"
)

// Replicas work through a pooler in transaction mode, with a direct URL for what needs
// a session: a run is stepped at the other replica, and taken over.
func TestReplicasBehindAPooler(t *testing.T) {
	t.Parallel()
	skipProcesses(t)
	direct := pgtest.URL(t)
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	owner := joinCluster(t, direct, adminSecret) // as the operations guide says
	if _, err := owner.Pool().Exec(t.Context(), `ALTER ROLE test IN DATABASE `+strings.TrimPrefix(u.Path, "/")+` SET idle_in_transaction_session_timeout = '2s'`); err != nil {
		t.Fatal(err)
	}
	owner.Close()
	pooled := pgtest.Pooler(t, direct, "transaction")
	survivor, killed := startReplica(t, pooled, "MEDASSIST_DATABASE_DIRECT_URL="+direct), startReplica(t, pooled, "MEDASSIST_DATABASE_DIRECT_URL="+direct)
	if c := killed.run("P-1042", fullRequest).complete(t); c.Outcome != trace.OutcomeAnswered || !c.AllRevoked {
		t.Errorf("complete: %+v", c)
	}
	id := killed.runWithLiveAgent()
	viewer := follow(t, survivor.Page, id, 0)
	if status, answer := survivor.post("/api/runs/"+id+"/next", ""); status/100 != 2 {
		t.Errorf("next: %d %s", status, answer)
	}
	killed.kill()
	r := survivor.runEnded(id, 2*takenOverWithin)
	assertTakenOver(t, r, survivor.admin())
	viewer.all(t, len(r.Trace))
	assertIntact(t, survivor.admin())
}
