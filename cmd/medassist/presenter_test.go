package main

import (
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/internal/random"
)

func TestCheckKey(t *testing.T) {
	for key, want := range map[string]string{
		"correct horse battery": "", "Zwölf-Zähler;#+": "", "7f3a90cc14be5d2801ab77aa": "", `k"e'y\with&odd=chars?`: "",
		"short": "at least 12", "aaaaaaaaaaaa": "too easy", "abababababababab": "too easy", "123456789012": "too easy",
		"abcdefghijklmnop": "too easy", "password1234": "too easy", "aabbccddeeffgghh": "too easy",
		" correct horse battery": "space", "correct horse battery ": "space", "correct\thorse battery": "can't be typed",
		"correct\nhorse battery": "can't be typed", "correct horse \u202ebattery": "can't be typed", "correct horse \xff battery": "can't be typed",
		strings.Repeat("x1y2z3", 30): "at most 128",
	} {
		err := checkKey(key)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", key, err, want)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("the error quotes the key %q", key)
		}
	}
	for range 1000 {
		if key := random.Hex(12); checkKey(key) != nil {
			t.Fatalf("a generated key is refused: %s", key)
		}
	}
}

func TestPresenterKeyNeeded(t *testing.T) {
	loopback, network := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.TCPAddr{IP: net.IPv4zero}
	const configured = "correct horse battery"
	for _, tc := range []struct {
		name, key string
		addr      net.Addr
		want      func(string) bool
	}{
		{"loopback", "", loopback, func(k string) bool { return k == "" }},
		{"loopback, configured", configured, loopback, func(k string) bool { return k == configured }},
		{"network", "", network, func(k string) bool { return len(k) == 24 }},
		{"network, configured", configured, network, func(k string) bool { return k == configured }},
	} {
		if got, err := presenterKey(t.Context(), Config{PresenterKey: tc.key}, tc.addr, nil); err != nil || !tc.want(got) {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
}

// The printed link carries any key unchanged.
func TestKeyQuery(t *testing.T) {
	for _, key := range []string{"correct horse battery", "Zwölf-Zähler;#+", `a&b=c%20?/"'`} {
		u, err := url.Parse("http://127.0.0.1:5000" + keyQuery(key))
		if err != nil || u.Query().Get("key") != key {
			t.Errorf("%q arrives as %q, %v", key, u.Query().Get("key"), err)
		}
	}
}

// The cookie's secret stays the same in a data folder, and differs elsewhere.
func TestCookieSecret(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	kept, other := Config{Data: t.TempDir()}, Config{Data: t.TempDir()}
	first := storedCookieSecret(kept, log)
	if again := storedCookieSecret(kept, log); again != first || len(first) != 64 {
		t.Errorf("%q, then %q", first, again)
	}
	secrets := map[string]bool{first: true, storedCookieSecret(other, log): true, storedCookieSecret(Config{}, log): true}
	secrets[storedCookieSecret(Config{}, log)] = true
	if len(secrets) != 4 {
		t.Error("two servers have the same secret")
	}
	info, err := os.Stat(kept.file("cookie-secret"))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(kept.file("cookie-secret"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if replaced := storedCookieSecret(kept, log); len(replaced) != 64 || replaced != storedCookieSecret(kept, log) {
		t.Errorf("a broken file is not replaced: %q", replaced)
	}
	if missing := storedCookieSecret(Config{Data: "/nonexistent/folder"}, log); len(missing) != 64 {
		t.Errorf("without a place to store it: %q", missing)
	}
}
