package broker_test

import (
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// edit changes a closed broker's database by hand.
func edit(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "broker.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// copyFolder copies a closed broker's files.
func copyFolder(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	names, err := filepath.Glob(filepath.Join(from, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Any change to the stored log is detected at the next start and located.
func TestModifiedLogIsReported(t *testing.T) {
	written := t.TempDir()
	h := start(t, broker.Config{Dir: written})
	clinic := h.newApp(h.admin(), "clinic", "read:records:*")
	h.newAgent(clinic, "t1", "read:records:p1")
	h.newAgent(clinic, "t2", "read:records:p1")
	if err := h.b.Close(); err != nil {
		t.Fatal(err)
	}

	for name, tt := range map[string]struct {
		statements []string
		problem    string // "" for none
	}{
		"untouched":          {nil, ""},
		"detail edited":      {[]string{`UPDATE audit_events SET detail = detail || '.' WHERE seq = 4`}, "event 4 "},
		"type edited":        {[]string{`UPDATE audit_events SET event_type = 'admin_auth' WHERE seq = 4`}, "event 4 "},
		"outcome edited":     {[]string{`UPDATE audit_events SET outcome = 'denied' WHERE seq = 4`}, "event 4 "},
		"agent edited":       {[]string{`UPDATE audit_events SET agent_id = '' WHERE seq = 5`}, "event 5 "},
		"task edited":        {[]string{`UPDATE audit_events SET task_id = 'x' WHERE seq = 5`}, "event 5 "},
		"orch edited":        {[]string{`UPDATE audit_events SET orch_id = 'x' WHERE seq = 5`}, "event 5 "},
		"resource edited":    {[]string{`UPDATE audit_events SET resource = 'x' WHERE seq = 5`}, "event 5 "},
		"time edited":        {[]string{`UPDATE audit_events SET at = at + 1 WHERE seq = 4`}, "event 4 "},
		"depth edited":       {[]string{`UPDATE audit_events SET deleg_depth = 1 WHERE seq = 4`}, "event 4 "},
		"chain hash edited":  {[]string{`UPDATE audit_events SET deleg_chain_hash = 'x' WHERE seq = 4`}, "event 4 "},
		"bytes edited":       {[]string{`UPDATE audit_events SET bytes = 1 WHERE seq = 4`}, "event 4 "},
		"hash edited":        {[]string{`UPDATE audit_events SET hash = zeroblob(32) WHERE seq = 4`}, "event 4 "},
		"prev_hash edited":   {[]string{`UPDATE audit_events SET prev_hash = zeroblob(32) WHERE seq = 4`}, "event 4 "},
		"two swapped":        {[]string{`UPDATE audit_events SET seq = -1 WHERE seq = 4`, `UPDATE audit_events SET seq = 4 WHERE seq = 5`, `UPDATE audit_events SET seq = 5 WHERE seq = -1`}, "event 4 "},
		"one deleted":        {[]string{`DELETE FROM audit_events WHERE seq = 4`}, "event 4 "},
		"deleted and closed": {[]string{`DELETE FROM audit_events WHERE seq = 4`, `UPDATE audit_events SET seq = -seq WHERE seq > 4`, `UPDATE audit_events SET seq = -seq - 1 WHERE seq < 0`}, "event 4 "},
		"the first deleted":  {[]string{`DELETE FROM audit_events WHERE seq = 1`}, "event 1 "},
		"last truncated":     {[]string{`DELETE FROM audit_events WHERE seq = (SELECT max(seq) FROM audit_events)`}, "truncated"},
		"last 3 truncated":   {[]string{`DELETE FROM audit_events WHERE seq > (SELECT max(seq) - 3 FROM audit_events)`}, "truncated"},
		"all deleted":        {[]string{`DELETE FROM audit_events`}, "truncated"},
		"one doubled":        {[]string{`INSERT INTO audit_events SELECT seq + 100, at, event_type, agent_id, task_id, orch_id, detail, resource, outcome, deleg_depth, deleg_chain_hash, bytes, hash, prev_hash FROM audit_events WHERE seq = 4`}, "event"},
		"renumbered":         {[]string{`UPDATE audit_events SET seq = seq + 10 WHERE seq > 3`}, "event 4 "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyFolder(t, written)
			edit(t, dir, tt.statements...)
			h := start(t, broker.Config{Dir: dir})
			got, status := h.health()
			if tt.problem == "" {
				if got.Status != wire.HealthOK {
					t.Errorf("health = %+v", got)
				}
				return
			}
			if got.Status != wire.HealthDegraded || status != 200 || len(got.Problems) != 1 || !strings.Contains(got.Problems[0], tt.problem) {
				t.Errorf("health = %d %+v, want degraded and %q", status, got, tt.problem)
			}
			h.admin() // the broker continues and writes events
			if got, _ := h.restart(dir).health(); got.Status != wire.HealthDegraded {
				t.Errorf("a second start does not report it: %+v", got)
			}
		})
	}
}

// A checkpoint detects a log that was rewritten with every hash recomputed, and a
// truncated log whose stored head was adjusted.
func TestCheckpointsDetectARewrittenLog(t *testing.T) {
	dir := t.TempDir()
	h := start(t, broker.Config{Dir: dir})
	var keys wire.JWKSet
	h.want(200, "GET", "/v1/keys", "", nil, &keys)
	key, err := keys.Keys[0].PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	checkpoint := func() wire.Checkpoint {
		t.Helper()
		a := h.call("GET", "/v1/audit/checkpoint", "", nil)
		if a.header.Get("Content-Type") != wire.CheckpointContentType {
			t.Errorf("content type %q", a.header.Get("Content-Type"))
		}
		c, err := wire.OpenCheckpoint(a.body, key)
		if err != nil {
			t.Fatalf("%v:\n%s", err, a.body)
		}
		return c
	}

	if c := checkpoint(); c.Size != 0 || c.Hash != wire.GenesisHash || c.Origin != "agentwrit.local/audit" {
		t.Errorf("checkpoint of an empty log: %+v", c)
	}
	admin := h.admin()
	h.newApp(admin, "clinic", "read:records:*")
	kept := checkpoint()
	events := h.events(admin, "")
	if kept.Size != int64(len(events)) || kept.Hash != events[len(events)-1].Hash || !kept.Time.Equal(h.clock.now()) {
		t.Errorf("checkpoint %+v of %d events", kept, len(events))
	}

	if err := h.b.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, dir, `DELETE FROM audit_events WHERE seq = 3`,
		`UPDATE audit_head SET size = 2, hash = (SELECT hash FROM audit_events WHERE seq = 2)`)
	h = h.restart(dir)
	if got, _ := h.health(); got.Status != wire.HealthOK {
		t.Fatalf("the truncation was not hidden: %+v", got)
	}
	if c := checkpoint(); c.Size >= kept.Size && c.Hash == kept.Hash {
		t.Error("a truncated log matches an earlier checkpoint")
	}
}

func TestAuditFilters(t *testing.T) {
	perBroker(t, "clocks")
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	h.clock.advance(time.Second)
	since := h.clock.now()
	a := h.newAgent(clinic, "t1", "read:records:p1")
	h.clock.advance(time.Second)
	until := h.clock.now()
	h.want(204, "POST", "/v1/token/release", a.token, nil, nil)
	h.call("POST", "/v1/token/renew", a.token, nil)
	h.clock.advance(time.Second)
	h.newAgent(clinic, "t2", "read:records:p1")

	page := func(query string) (out wire.AuditPage) {
		h.want(200, "GET", "/v1/audit/events?"+query, admin, nil, &out)
		return out
	}
	all := page("")
	for query, want := range map[string]string{
		"agent_id=" + a.id:                     "agent_registered token_issued token_released token_revoked_access",
		"agent_id=" + a.id + "&outcome=denied": "token_revoked_access",
		"task_id=t2":                           "agent_registered token_issued",
		"event_type=token_released":            "token_released",
		"event_type=no_such_type":              "",
		"outcome=denied":                       "token_revoked_access",
		"since=" + since.Format(time.RFC3339Nano) + "&until=" + until.Format(time.RFC3339Nano): "launch_token_issued agent_registered token_issued token_released token_revoked_access",
		"limit=2":          "admin_auth app_registered",
		"limit=2&offset=2": "app_authenticated launch_token_issued",
		"offset=1000":      "",
	} {
		got := page(query)
		var types []string
		for _, e := range got.Events {
			types = append(types, string(e.EventType))
		}
		if strings.Join(types, " ") != want {
			t.Errorf("%s: %v, want %s", query, types, want)
		}
		if strings.HasPrefix(query, "limit") || strings.HasPrefix(query, "offset") {
			if got.Total != all.Total {
				t.Errorf("%s: total %d, want %d", query, got.Total, all.Total)
			}
		} else if got.Total != len(types) {
			t.Errorf("%s: total %d of %d", query, got.Total, len(types))
		}
	}
	if all.Limit != 100 || all.Offset != 0 {
		t.Errorf("defaults: limit %d, offset %d", all.Limit, all.Offset)
	}
}

func TestMetricsHaveLabelsOfAFixedSet(t *testing.T) {
	perBroker(t, "metrics")
	h := start(t, broker.Config{})
	admin := h.admin()
	clinic := h.newApp(admin, "clinic", "read:records:*")
	a := h.newAgent(clinic, "t1", "read:records:P-4455")
	h.delegate(a, a.id, 0, "read:records:P-4455")
	h.call("GET", "/v1/P-4455", "", nil)
	h.call("P4455", "/v1/health", "", nil)
	h.call("GET", "/v1/admin/apps/P-4455", admin, nil)
	h.call("GET", "/v1/audit/events?event_type=P-4455", admin, nil)
	h.call("POST", "/v1/revoke", admin, wire.RevokeRequest{Level: "P-4455", Target: "P-4455"})
	h.revoke(admin, wire.RevokeAgent, a.id)

	resp, err := http.Get(h.url + "/v1/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	if !strings.Contains(text, "agentwrit_audit_write_duration_seconds_count ") || strings.Contains(text, "agentwrit_audit_write_duration_seconds_count 0\n") {
		t.Error("commits are not measured")
	}
	if strings.Contains(text, "4455") {
		t.Error("a label contains text that a caller chose")
	}
	for _, line := range []string{
		`agentwrit_tokens_issued_total{kind="agent"} 1`,
		`agentwrit_tokens_issued_total{kind="delegated"} 1`,
		`agentwrit_tokens_revoked_total{level="agent"} 1`,
		`agentwrit_registrations_total{status="success"} 1`,
		`agentwrit_admin_auth_total{status="success"} 1`,
		"agentwrit_launch_tokens_created_total 1",
		"agentwrit_active_agents 0",
		`agentwrit_audit_events_total{event_type="token_revoked",outcome="success"} 1`,
		`agentwrit_request_duration_seconds_count{endpoint="/v1/admin/apps/{id}",status="404"} 1`,
		`agentwrit_request_duration_seconds_count{endpoint="other",status="404"} 1`,
		"agentwrit_audit_events_loaded 0",
		`agentwrit_db_errors_total{operation="read"} 0`,
		`agentwrit_db_errors_total{operation="write"} 0`,
		"agentwrit_clock_skew_total 0",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("missing: %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
