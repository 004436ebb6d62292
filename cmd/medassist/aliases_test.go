package main

import (
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// The reference broker's variables configure `medassist broker`. Our own take
// precedence, which a note reports; no note or error contains a value.
func TestAliases(t *testing.T) {
	for name, tc := range map[string]struct {
		set  map[string]string
		want map[string]string
		note string // in the notes, or in the error
	}{
		"as they are": {set: map[string]string{"AA_ADMIN_SECRET": "s3cret-value", "AA_TRUST_DOMAIN": "clinic.example", "AA_AUDIENCE": "records"},
			want: map[string]string{"AGENTWRIT_ADMIN_SECRET": "s3cret-value", "MEDASSIST_BROKER_TRUST_DOMAIN": "clinic.example", "MEDASSIST_BROKER_AUDIENCE": "records"}},
		"seconds":           {set: map[string]string{"AA_MAX_TTL": "600", "AA_APP_TOKEN_TTL": "90"}, want: map[string]string{"MEDASSIST_BROKER_MAX_TTL": "600s", "MEDASSIST_BROKER_APP_TOKEN_TTL": "90s"}},
		"a duration":        {set: map[string]string{"AA_DEFAULT_TTL": "2m"}, want: map[string]string{"MEDASSIST_BROKER_AGENT_TTL": "2m"}},
		"an address":        {set: map[string]string{"AA_BIND_ADDRESS": "0.0.0.0"}, want: map[string]string{"MEDASSIST_BROKER_ADDR": "0.0.0.0:8080"}},
		"a port":            {set: map[string]string{"AA_PORT": "9000"}, want: map[string]string{"MEDASSIST_BROKER_ADDR": "127.0.0.1:9000"}},
		"an IPv6 address":   {set: map[string]string{"AA_BIND_ADDRESS": "::1", "AA_PORT": "9000"}, want: map[string]string{"MEDASSIST_BROKER_ADDR": "[::1]:9000"}},
		"a database file":   {set: map[string]string{"AA_DB_PATH": "/data/data.db"}, want: map[string]string{"MEDASSIST_DATA": "/data"}},
		"a log level":       {set: map[string]string{"AA_LOG_LEVEL": "verbose"}, want: map[string]string{"MEDASSIST_LOG_LEVEL": "debug"}},
		"a level of ours":   {set: map[string]string{"AA_LOG_LEVEL": "warn"}, want: map[string]string{"MEDASSIST_LOG_LEVEL": "warn"}},
		"ours wins":         {set: map[string]string{"AA_ADMIN_SECRET": "s3cret-value", "AGENTWRIT_ADMIN_SECRET": "another"}, want: map[string]string{"AGENTWRIT_ADMIN_SECRET": "another"}, note: "AGENTWRIT_ADMIN_SECRET is used"},
		"both the same":     {set: map[string]string{"AA_DB_PATH": "/data/data.db", "MEDASSIST_DATA": "/data"}, want: map[string]string{"MEDASSIST_DATA": "/data"}},
		"no counterpart":    {set: map[string]string{"AA_SIGNING_KEY_PATH": "/data/signing.key"}, note: "AA_SIGNING_KEY_PATH is ignored"},
		"TLS off":           {set: map[string]string{"AA_TLS_MODE": "none", "AA_TLS_CERT": "c", "AA_TLS_KEY": "k"}, want: map[string]string{"MEDASSIST_BROKER_TLS_CERT": ""}},
		"TLS":               {set: map[string]string{"AA_TLS_MODE": "tls", "AA_TLS_CERT": "c", "AA_TLS_KEY": "k", "AA_TLS_CLIENT_CA": "ca"}, want: map[string]string{"MEDASSIST_BROKER_TLS_CERT": "c", "MEDASSIST_BROKER_TLS_KEY": "k", "MEDASSIST_BROKER_TLS_CLIENT_CA": ""}},
		"mutual TLS":        {set: map[string]string{"AA_TLS_MODE": "mTLS", "AA_TLS_CERT": "c", "AA_TLS_KEY": "k", "AA_TLS_CLIENT_CA": "ca"}, want: map[string]string{"MEDASSIST_BROKER_TLS_CLIENT_CA": "ca"}},
		"TLS by its files":  {set: map[string]string{"AA_TLS_CERT": "c", "AA_TLS_KEY": "k"}, want: map[string]string{"MEDASSIST_BROKER_TLS_CERT": "c"}},
		"mutual TLS, no CA": {set: map[string]string{"AA_TLS_MODE": "mtls", "AA_TLS_CERT": "c", "AA_TLS_KEY": "k"}, note: "needs AA_TLS_CLIENT_CA"},
		"TLS without a key": {set: map[string]string{"AA_TLS_MODE": "tls", "AA_TLS_CERT": "c"}, note: "needs AA_TLS_KEY"},
		"an unknown mode":   {set: map[string]string{"AA_TLS_MODE": "s3cret-value"}, note: "must be none, tls or mtls"},
		"an empty alias":    {set: map[string]string{"AA_ADMIN_SECRET": ""}, want: map[string]string{"AGENTWRIT_ADMIN_SECRET": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			clearAliases(t)
			for k, v := range tc.set {
				t.Setenv(k, v)
			}
			notes, err := applyAliases(&kong.Node{Name: "broker"})
			said := strings.Join(notes, "; ")
			if err != nil {
				said += err.Error()
			}
			if (tc.note == "") != (said == "") || !strings.Contains(said, tc.note) || strings.Contains(said, "s3cret") {
				t.Errorf("said %q, want %q", said, tc.note)
			}
			for k, want := range tc.want {
				if got := os.Getenv(k); got != want {
					t.Errorf("%s = %q, want %q", k, got, want)
				}
			}
		})
	}
}

// clearAliases unsets all variables that aliases concern, until the test ends.
func clearAliases(t *testing.T) {
	t.Helper()
	for alias, own := range aliases {
		t.Setenv(alias, "")
		if own != "" {
			t.Setenv(own, "")
		}
	}
	for name := range unsupported {
		t.Setenv(name, "")
	}
}

// The health check finds the broker by the same variables, without notes.
func TestAliasesOfTheHealthCheck(t *testing.T) {
	clearAliases(t)
	t.Setenv("AA_PORT", "9000")
	t.Setenv("AA_SIGNING_KEY_PATH", "/data/signing.key")
	notes, err := applyAliases(&kong.Node{Name: "healthcheck"})
	if got := os.Getenv("MEDASSIST_BROKER_ADDR"); got != "127.0.0.1:9000" || len(notes) > 0 || err != nil {
		t.Errorf("address %q, notes %q, %v", got, notes, err)
	}
}

// Other commands do not read them.
func TestAliasesAreTheBrokersAlone(t *testing.T) {
	clearAliases(t)
	t.Setenv("AA_ADMIN_SECRET", "s3cret-value")
	if notes, err := applyAliases(&kong.Node{Name: "serve"}); len(notes) > 0 || err != nil || os.Getenv("AGENTWRIT_ADMIN_SECRET") != "" {
		t.Errorf("notes %v, error %v", notes, err)
	}
}
