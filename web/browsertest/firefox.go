package browsertest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// origin is the one that the driven Firefox accepts.
const origin = "http://localhost"

// A Firefox is a running Firefox with an empty profile, driven by WebDriver BiDi.
type Firefox struct {
	t    testing.TB
	conn *websocket.Conn
	id   int
}

// preferences keep Firefox from what costs time and tests nothing: its own pages and
// services, a process for each site, and drawing animations at 60 frames a second
// without a graphics card.
const preferences = `
user_pref("browser.startup.page", 0);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("dom.ipc.processPrelaunch.enabled", false);
user_pref("dom.ipc.processCount", 1);
user_pref("fission.autostart", false);
user_pref("layout.frame_rate", 10);
`

// StartFirefox starts a Firefox that ends with the test. The test is skipped with
// -short, and also without Firefox unless MEDASSIST_FIREFOX is "required".
func StartFirefox(t testing.TB) *Firefox {
	t.Helper()
	if testing.Short() {
		t.Skip("drives a browser")
	}
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		path, err = exec.LookPath("firefox")
	}
	if err != nil {
		if os.Getenv("MEDASSIST_FIREFOX") == "required" {
			t.Fatal(err)
		}
		t.Skip("no Firefox here")
	}
	profile := t.TempDir()
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(preferences), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--headless", "--no-remote", "--profile", profile,
		"--remote-debugging-port", "0", "--remote-allow-origins="+origin)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = cmd.Wait() // it was killed
	})
	lines := bufio.NewScanner(stderr)
	address := ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "WebDriver BiDi listening on ")
	}
	go func() {
		for lines.Scan() { // so that Firefox can go on writing
		}
	}()
	f := &Firefox{t: t}
	if f.conn, err = websocket.Dial(address+"/session", "", origin); err != nil {
		t.Fatalf("connect to Firefox at %q: %v", address, err)
	}
	t.Cleanup(func() { _ = f.conn.Close() })
	f.call("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	return f
}

// call sends a command and waits for its result.
func (f *Firefox) call(method string, params, result any) {
	f.t.Helper()
	f.id++
	_ = f.conn.SetDeadline(time.Now().Add(timeout))
	if err := websocket.JSON.Send(f.conn, map[string]any{"id": f.id, "method": method, "params": params}); err != nil {
		f.t.Fatal(err)
	}
	for {
		var answer struct {
			ID      int
			Type    string
			Message string
			Result  json.RawMessage
		}
		if err := websocket.JSON.Receive(f.conn, &answer); err != nil {
			f.t.Fatalf("%s: %v", method, err)
		}
		if answer.ID != f.id {
			continue // an event
		}
		if answer.Type != "success" {
			f.t.Fatalf("%s: %s", method, answer.Message)
		}
		if result != nil {
			if err := json.Unmarshal(answer.Result, result); err != nil {
				f.t.Fatal(err)
			}
		}
		return
	}
}

// A FirefoxPage is a window of a [Firefox].
type FirefoxPage struct {
	f       *Firefox
	context string
}

// Open opens a page in a new window, since a tab in the background is not shown.
func (f *Firefox) Open(s Screen, url string) *FirefoxPage {
	f.t.Helper()
	var window struct{ Context string }
	f.call("browsingContext.create", map[string]any{"type": "window"}, &window)
	f.call("browsingContext.setViewport", map[string]any{"context": window.Context,
		"viewport": map[string]int64{"width": s.Width, "height": s.Height}}, nil)
	p := &FirefoxPage{f, window.Context}
	p.Go(url)
	return p
}

// Go opens an address and waits until it is loaded.
func (p *FirefoxPage) Go(url string) {
	p.f.t.Helper()
	p.f.call("browsingContext.navigate", map[string]any{"context": p.context, "url": url, "wait": "complete"}, nil)
}

// True evaluates an expression as a condition.
func (p *FirefoxPage) True(expression string) bool {
	p.f.t.Helper()
	var out struct{ Result struct{ Value any } }
	p.f.call("script.evaluate", map[string]any{"expression": "!!(" + expression + ")", "awaitPromise": false,
		"target": map[string]string{"context": p.context}}, &out)
	return out.Result.Value == true
}

// Wait waits until an expression is true.
func (p *FirefoxPage) Wait(what, expression string) {
	p.f.t.Helper()
	for deadline := time.Now().Add(timeout); !p.True(expression); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.f.t.Fatalf("Firefox: timed out: %s", what)
		}
	}
}

// Fits checks that the page is not wider than the screen.
func (p *FirefoxPage) Fits(what string) {
	p.f.t.Helper()
	if !p.True("document.documentElement.scrollWidth <= document.documentElement.clientWidth") {
		p.f.t.Errorf("Firefox: %s is wider than the screen", what)
	}
}

// Screenshot saves a picture of the page in MEDASSIST_SCREENSHOTS, if that is set.
func (p *FirefoxPage) Screenshot(name string) {
	p.f.t.Helper()
	dir := os.Getenv("MEDASSIST_SCREENSHOTS")
	if dir == "" {
		return
	}
	var out struct{ Data string }
	p.f.call("browsingContext.captureScreenshot", map[string]any{"context": p.context}, &out)
	png, err := base64.StdEncoding.DecodeString(out.Data)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("firefox-%s.png", name)), png, 0o644)
	}
	if err != nil {
		p.f.t.Error(err)
	}
}
