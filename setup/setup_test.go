package setup

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestRegister(t *testing.T) {
	b := brokertest.Start(t)
	admin := b.Admin(t)
	narrow, wide := []string{"read:data:*"}, []string{"read:data:*", "write:data:*"}

	first, err := Register(t.Context(), admin, narrow, Credentials{}, false)
	if err != nil || first.Found != FoundNothing || first.Credentials.ClientSecret == "" || first.App.Name != AppName {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := Register(t.Context(), admin, narrow, first.Credentials, true)
	if err != nil || again.Found != FoundSame || again.Changed || again.Credentials != first.Credentials {
		t.Errorf("again: %+v, %v", again, err)
	}
	shown, err := Register(t.Context(), admin, wide, first.Credentials, false)
	if err != nil || shown.Found != FoundOther || shown.Changed || len(shown.App.Scopes) != 1 {
		t.Errorf("another ceiling, without update: %+v, %v", shown, err)
	}
	others, err := Register(t.Context(), admin, []string{"read:records:*"}, first.Credentials, false)
	if err != nil || others.Found != FoundOther {
		t.Errorf("another ceiling of the same size: %+v, %v", others, err)
	}
	changed, err := Register(t.Context(), admin, wide, first.Credentials, true)
	if err != nil || !changed.Changed || len(changed.App.Scopes) != 2 {
		t.Errorf("another ceiling, with update: %+v, %v", changed, err)
	}
	// Without the secret, the app can't be used, and its name is taken.
	lost, err := Register(t.Context(), admin, wide, Credentials{}, false)
	if err != nil || lost.Found != FoundNothing || lost.App.Name == AppName {
		t.Errorf("without the secret: %+v, %v", lost, err)
	}
	for _, c := range []Credentials{first.Credentials, lost.Credentials} {
		app, err := agentwrit.NewApp(b.URL, c.ClientID, c.ClientSecret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"write:data:a"}}); err != nil {
			t.Errorf("the credentials do not work: %v", err)
		}
	}
}

// Credentials that no longer work are not reused: neither those of a
// deregistered app nor those of an app that the broker has never had.
func TestRegisterAgain(t *testing.T) {
	b := brokertest.Start(t)
	admin := b.Admin(t)
	ceiling := []string{"read:data:*"}
	first, err := Register(t.Context(), admin, ceiling, Credentials{}, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.DeleteApp(t.Context(), first.App.AppID); err != nil {
		t.Fatal(err)
	}
	for name, known := range map[string]Credentials{
		"a deregistered app": first.Credentials,
		"an unknown app":     {ClientID: "unknown", ClientSecret: "secret"},
	} {
		again, err := Register(t.Context(), admin, ceiling, known, true)
		if err != nil || again.Found != FoundNothing || again.Credentials.ClientID == known.ClientID {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
		app, err := agentwrit.NewApp(b.URL, again.Credentials.ClientID, again.Credentials.ClientSecret)
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Login(t.Context()); err != nil {
			t.Errorf("%s: the new credentials do not work: %v", name, err)
		}
	}
}

func TestCredentialsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.json")
	if c, err := ReadFile(path); err != nil || c != (Credentials{}) {
		t.Errorf("a missing file: %+v, %v", c, err)
	}
	want := Credentials{"id", "secret"}
	if err := WriteFile(path, want); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFile(path); err != nil || got != want {
		t.Errorf("read back: %+v, %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("{nope"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil {
		t.Error("a damaged file is read")
	}
}

// WriteEnv keeps every other line of the file.
func TestWriteEnv(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	set, order := map[string]string{"A": "1", "B": "2"}, []string{"A", "B"}
	for _, tc := range []struct{ before, after string }{
		{"", "A=1\nB=2\n"},
		{"# mine\nX=9\n\n#A=old\n", "# mine\nX=9\n\n#A=old\nA=1\nB=2\n"},
		{"B=old\nX=9\nexport A=old", "B=2\nX=9\nexport A=1\n"},
		{"X=\"\nA=inside\n\"\n", "X=\"\nA=inside\n\"\nA=1\nB=2\n"},
	} {
		if err := os.WriteFile(path, []byte(tc.before), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // writing again changes nothing
			if err := WriteEnv(path, set, order); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != tc.after {
			t.Errorf("%q became %q, %v, want %q", tc.before, got, err, tc.after)
		}
	}
}

// A value from elsewhere can't add a line to .env or refer to another variable,
// and a file that can't be parsed is left alone.
func TestWriteEnvRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	const before = "LLM_API_KEY=sk-mine\n"
	for value, written := range map[string]string{
		"x\nLLM_BASE_URL=http://evil.example": "",
		"x'\n":                                "",
		"${LLM_API_KEY}":                      before + "A='${LLM_API_KEY}'\n",
	} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		err := WriteEnv(path, map[string]string{"A": value}, []string{"A"})
		got, readErr := os.ReadFile(path)
		if readErr != nil || (err == nil) != (written != "") || string(got) != cmp.Or(written, before) {
			t.Errorf("%q: %v, %q, %v", value, err, got, readErr)
		}
	}
	const broken = "A=1\nnot a variable\n"
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckEnv(path); err == nil {
		t.Error("CheckEnv accepts a file that can't be parsed")
	}
	if err := WriteEnv(path, map[string]string{"A": "2"}, []string{"A"}); err == nil {
		t.Error("WriteEnv edits a file that can't be parsed")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != broken {
		t.Errorf("the file became %q, %v", got, err)
	}
}

// Credentials with characters that could act on a terminal or a file are refused.
func TestRegisterRefusesCredentials(t *testing.T) {
	for _, secret := range []string{"", "a\nLLM_BASE_URL=http://evil.example", "a\x1b[2J", "a b", "a'b", "sécret", strings.Repeat("a", maxCredential+1)} {
		body, err := json.Marshal(map[string]any{"app_id": "app-1", "client_id": "id", "client_secret": secret, "scopes": []string{"read:data:*"}})
		if err != nil {
			t.Fatal(err)
		}
		evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			switch r.Method + r.URL.Path {
			case "POST/v1/admin/auth":
				io.WriteString(w, `{"access_token":"t","expires_in":300,"token_type":"Bearer"}`)
			case "GET/v1/admin/apps":
				io.WriteString(w, `{"apps":[],"total":0}`)
			default:
				w.WriteHeader(http.StatusCreated)
				w.Write(body)
			}
		}))
		admin, err := agentwrit.NewAdmin(evil.URL, "an admin secret")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Register(t.Context(), admin, []string{"read:data:*"}, Credentials{}, false)
		if err == nil || !strings.Contains(err.Error(), "app-1") {
			t.Errorf("secret %q: %+v, %v", secret, r.Credentials, err)
		}
		evil.Close()
	}
}
