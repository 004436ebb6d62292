package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// verify runs `medassist verify`.
func verify(t *testing.T, c verifyCmd) (string, error) {
	t.Helper()
	var out strings.Builder
	err := c.Run(t.Context(), stdio{&out, io.Discard})
	return out.String(), err
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifyBroker(t *testing.T) {
	url, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret})
	saved := filepath.Join(t.TempDir(), "checkpoint")
	cmd := verifyCmd{BrokerURL: url, AdminSecret: testSecret, Save: saved}
	if out, err := verify(t, cmd); err != nil || !strings.Contains(out, "1 events, hash chain intact") {
		t.Errorf("%v\n%s", err, out)
	}
	cmd.Save, cmd.Checkpoint = "", []string{saved}
	if out, err := verify(t, cmd); err != nil || !strings.Contains(out, "agrees  with "+saved) {
		t.Errorf("%v\n%s", err, out)
	}

	// The checkpoint was not signed by another broker's key.
	other, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret})
	cmd.BrokerURL = other
	if out, err := verify(t, cmd); !errors.Is(err, errCheckFailed) || !strings.Contains(out, "not signed by this key") {
		t.Errorf("%v\n%s", err, out)
	}
	cmd.Keys = write(t, filepath.Join(t.TempDir(), "keys"), get(t, url+"/v1/keys"))
	cmd.Checkpoint = nil
	if out, err := verify(t, cmd); !errors.Is(err, errCheckFailed) || !strings.Contains(out, "not signed by this key") {
		t.Errorf("%v\n%s", err, out)
	}
	cmd.AdminSecret = ""
	cmd.BrokerURL = url
	if _, err := verify(t, cmd); err == nil || errors.Is(err, errCheckFailed) {
		t.Errorf("without a secret: %v", err)
	}
}

// An export is verified without the broker, and tampering is reported.
func TestVerifyExport(t *testing.T) {
	t.Parallel()
	url, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret})
	dir := t.TempDir()
	keys := write(t, filepath.Join(dir, "keys"), get(t, url+"/v1/keys"))
	admin, err := agentwrit.NewAdmin(url, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two", "three", "four", "five"} {
		if _, err := admin.RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: name, Scopes: []string{"read:x:*"}}); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint := write(t, filepath.Join(dir, "checkpoint"), get(t, url+"/v1/audit/checkpoint"))
	var events []wire.AuditEvent
	for e, err := range admin.AuditEvents(t.Context(), agentwrit.AuditFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	relink := func(events []wire.AuditEvent) []wire.AuditEvent {
		prev := wire.GenesisHash
		for i := range events {
			events[i].PrevHash = prev
			events[i].Hash = events[i].ComputeHash()
			prev = events[i].Hash
		}
		return events
	}

	for name, tt := range map[string]struct {
		change func([]wire.AuditEvent) []wire.AuditEvent
		want   string // "" if the log is intact
	}{
		"intact":         {func(e []wire.AuditEvent) []wire.AuditEvent { return e }, ""},
		"edited":         {func(e []wire.AuditEvent) []wire.AuditEvent { e[2].Detail = "x"; return e }, "event 3 (evt-000003): hash mismatch"},
		"two swapped":    {func(e []wire.AuditEvent) []wire.AuditEvent { e[2], e[3] = e[3], e[2]; return e }, "event 3 (evt-000004): prev_hash"},
		"one deleted":    {func(e []wire.AuditEvent) []wire.AuditEvent { return slices.Delete(e, 2, 3) }, "event 3 (evt-000004): prev_hash"},
		"cut":            {func(e []wire.AuditEvent) []wire.AuditEvent { return e[:4] }, "its end was removed"},
		"rewritten":      {func(e []wire.AuditEvent) []wire.AuditEvent { e[1].Detail = "x"; return relink(e) }, "rewritten"},
		"cut to nothing": {func(e []wire.AuditEvent) []wire.AuditEvent { return e[:0] }, "its end was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := tt.change(slices.Clone(events))
			page, err := json.Marshal(wire.AuditPage{Events: changed})
			if err != nil {
				t.Fatal(err)
			}
			array, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			var lines []byte
			for _, e := range changed {
				line, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(append(lines, line...), '\n')
			}
			for form, text := range map[string][]byte{"page": page, "array": array, "lines": lines} {
				out, err := verify(t, verifyCmd{Keys: keys, Checkpoint: []string{checkpoint},
					Events: write(t, filepath.Join(dir, "events"), text)})
				if tt.want == "" && err != nil {
					t.Errorf("%s: %v\n%s", form, err, out)
				}
				if tt.want != "" && (!errors.Is(err, errCheckFailed) || !strings.Contains(out, tt.want)) {
					t.Errorf("%s: %v\n%s", form, err, out)
				}
			}
		})
	}
	if _, err := verify(t, verifyCmd{Keys: keys, Events: write(t, filepath.Join(dir, "events"), []byte("nope"))}); err == nil || errors.Is(err, errCheckFailed) {
		t.Errorf("an export that is not JSON: %v", err)
	}
}

// Text of an event can't overwrite the verdict on the terminal.
func TestVerifyEscapes(t *testing.T) {
	const evil = "evt-1\r\x1b[2K\x1b[1AOK      99 events, hash chain intact\nOK"
	events, err := json.Marshal([]wire.AuditEvent{{ID: evil, PrevHash: wire.GenesisHash, Hash: "x", Detail: "d"}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := verify(t, verifyCmd{Events: write(t, filepath.Join(t.TempDir(), "events"), events)})
	if !errors.Is(err, errCheckFailed) || !strings.HasPrefix(out, "FAILED") || strings.ContainsAny(out, "\r\x1b") || strings.Contains(out, "\nOK") {
		t.Errorf("%v\n%q", err, out)
	}
}

// A broker without keys and checkpoints, as AgentWrit 2.0.0 is, is verified by its
// chain alone, and the output states it.
func TestVerifyWithoutCheckpoints(t *testing.T) {
	broker, _ := runBroker(t, brokerCmd{Ephemeral: true, AdminSecret: testSecret})
	target, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	for _, tc := range []struct{ missing, want string }{
		{"/v1/keys", "neither its key nor a checkpoint"},
		{"/v1/audit/checkpoint", "serves no checkpoint"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == tc.missing {
				http.NotFound(w, r)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		out, err := verify(t, verifyCmd{BrokerURL: server.URL, AdminSecret: testSecret})
		if err != nil || !strings.Contains(out, tc.want) || !strings.Contains(out, "hash chain intact") {
			t.Errorf("without %s: %v\n%s", tc.missing, err, out)
		}
		server.Close()
	}
}

// An export of MedAssist's own log is verified, also when its oldest entries were
// dropped, and tampering with one is reported.
func TestVerifyDecisions(t *testing.T) {
	var events []wire.AuditEvent
	prev := wire.GenesisHash
	for _, id := range []string{"dec-000001", "dec-000002", "dec-000003", "dec-000004"} {
		e := wire.AuditEvent{ID: id, EventType: "access_denied", Outcome: wire.OutcomeDenied, Detail: "get_patient_records for P-2187", PrevHash: prev}
		e.Hash = e.ComputeHash()
		events, prev = append(events, e), e.Hash
	}
	export := func(first int, events []wire.AuditEvent) string {
		b, err := json.Marshal(map[string]any{"log": "medassist decisions", "first": first, "events": events})
		if err != nil {
			t.Fatal(err)
		}
		return write(t, filepath.Join(t.TempDir(), "decisions.json"), b)
	}
	edited := slices.Clone(events)
	edited[2].Detail = "get_patient_records for P-1042"
	for name, tc := range map[string]struct {
		file, want string
		failed     bool
	}{
		"whole":                     {export(1, events), "OK      4 events, hash chain intact", false},
		"without the oldest":        {export(3, events[2:]), "note    the log begins with event 3;", false},
		"edited":                    {export(1, edited), "event 3 (dec-000003): hash mismatch", true},
		"edited, without oldest":    {export(2, edited[1:]), "event 3 (dec-000003): hash mismatch", true},
		"the oldest taken out":      {export(1, events[1:]), "event 1 (dec-000002): prev_hash", true},
		"one taken out of the rest": {export(2, []wire.AuditEvent{events[1], events[3]}), "event 3 (dec-000004): prev_hash", true},
	} {
		out, err := verify(t, verifyCmd{Events: tc.file})
		if errors.Is(err, errCheckFailed) != tc.failed || !strings.Contains(out, tc.want) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
