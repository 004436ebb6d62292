package browsertest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Page is a tab with cookies and storage of its own. Its methods fail the test
// instead of returning errors. It is not safe for concurrent use.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu        sync.Mutex
	requested []string // addresses, in order
	expected  []string // parts of console errors that the test expects
	failing   bool
}

// Open opens a tab, and closes it when the test ends.
func (b *Browser) Open(t testing.TB, screen Screen) *Page {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	// The tab lives as long as the context of its first action.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p := &Page{t: t, ctx: ctx}
	p.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	}), screen.set())
	p.watch()
	return p
}

// watch fails the test for errors on the console and for requests to anywhere
// but one host.
func (p *Page) watch() {
	ctx, stop := context.WithCancel(p.ctx)
	var watching sync.WaitGroup
	messages, requests := chromedp.Console(ctx), chromedp.Events(ctx, network.RequestWillBeSent)
	watching.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if (m.Type == chromedp.ConsoleError || m.IsException()) && !p.isExpected(m.String()) {
				p.t.Errorf("on the console: %s", m)
			}
		}
	})
	watching.Go(func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			p.mu.Lock()
			p.requested = append(p.requested, e.Request.URL)
			p.mu.Unlock()
		}
	})
	p.t.Cleanup(func() {
		stop()
		watching.Wait()
		p.checkRequests()
	})
}

func (p *Page) isExpected(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.expected {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// checkRequests fails the test if the page requested anything from another host.
func (p *Page) checkRequests() {
	host := ""
	for _, address := range p.requested {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		if host == "" {
			host = u.Host
		}
		if u.Host != host {
			p.t.Errorf("the page requested %s, and not only from %s", address, host)
		}
	}
}

// ExpectError has the test accept errors with this text on the console.
func (p *Page) ExpectError(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, part)
}

// Requested returns the addresses that were requested, in order.
func (p *Page) Requested() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.requested...)
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(address string) {
	p.t.Helper()
	p.do(chromedp.Navigate(address))
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.do(chromedp.Reload())
}

// Back goes back in history.
func (p *Page) Back() {
	p.t.Helper()
	p.do(chromedp.NavigateBack())
}

// Show puts the page, as it is, on another screen.
func (p *Page) Show(screen Screen) {
	p.t.Helper()
	p.do(screen.set())
	p.Wait("the page has its new size", fmt.Sprintf(
		"new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() => document.documentElement.clientWidth === %d)", screen.Width))
}

// Fits fails the test if the page is wider than its screen. The argument says
// which page it is.
func (p *Page) Fits(what string) {
	p.t.Helper()
	if wide := Eval[int](p, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		p.t.Errorf("%s is %d px wider than the screen", what, wide)
	}
}

// Click clicks on the first element of a CSS selector, once it is visible.
func (p *Page) Click(css string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(css)))
}

// Type replaces the text of a field.
func (p *Page) Type(css, text string) {
	p.t.Helper()
	p.do(chromedp.Clear(chromedp.CSS(css)), chromedp.SendKeys(chromedp.CSS(css), text))
}

// Press presses keys where the focus is; "\r" is Enter, "\t" is Tab.
func (p *Page) Press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// Text returns the visible text of the first element of a selector, once it is
// there.
func (p *Page) Text(css string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(css)))
	if err != nil {
		p.fail("read "+css, err)
	}
	return strings.TrimSpace(text)
}

// Count returns how many elements match a selector now.
func (p *Page) Count(css string) int {
	p.t.Helper()
	return Eval[int](p, fmt.Sprintf("document.querySelectorAll(%q).length", css))
}

// Wait waits until a JavaScript expression, or the promise that it returns, is
// true on this page or on the next one. The first argument describes it in a
// failure.
func (p *Page) Wait(what, expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	// The page looks itself, which is cheaper than to ask it each time, and answers
	// after half a second at the latest.
	look := fmt.Sprintf(`(async () => {
		for (const end = Date.now() + 500;;) {
			const is = Boolean(await (%s));
			if (is || Date.now() > end) return is;
			await new Promise(next => setTimeout(next, 20));
		}
	})()`, expression)
	for {
		// An error may come from a page that is being left: the next one is asked.
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](look, chromedp.EvalAwaitPromise))
		if is {
			return
		}
		if err == nil && ctx.Err() == nil {
			continue
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			p.fail("wait until "+what, cmp.Or(err, ctx.Err()))
		}
	}
}

// Eval returns the value of a JavaScript expression, awaited if it is a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail(expression, err)
	}
	return v
}

// Screenshot writes what the screen shows, after all animations have ended, to
// <name>.png in the folder that MEDASSIST_SCREENSHOTS names. It does nothing if
// that is not set.
func (p *Page) Screenshot(name string) {
	p.t.Helper()
	dir := os.Getenv("MEDASSIST_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	p.settle()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Errorf("screenshot %s: %v", name, err)
	}
}

// settle waits until all animations have ended.
func (p *Page) settle() {
	p.t.Helper()
	Eval[bool](p, "Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => true)")
}

func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail("drive the page", err)
	}
}

// fail fails the test, and shows what the page showed.
func (p *Page) fail(what string, err error) {
	p.t.Helper()
	if p.failing {
		p.t.Fatalf("%s: %v", what, err)
	}
	p.failing = true // what follows reads the page, and may fail too
	p.Screenshot("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(p.t.Name()))
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	seen, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + ', ' + document.visibilityState + '\\n' + (document.body?.innerText ?? '')"))
	p.t.Fatalf("%s: %v\nThe page shows:\n%s", what, err, seen)
}

// Keys without a character.
const (
	ArrowLeft  = kb.ArrowLeft
	ArrowRight = kb.ArrowRight
	PageUp     = kb.PageUp
	PageDown   = kb.PageDown
	Escape     = kb.Escape
)
