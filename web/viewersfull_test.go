package web_test

import (
	"net/http"
	"testing"

	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// While viewers have all their places, a further one reads why and what to do, and
// the page keeps trying. The presenter's projector always gets in.
func TestBrowserViewersFull(t *testing.T) {
	t.Parallel()
	const key = "a-key-for-the-presenter"
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey, c.Viewers = key, 1 }})
	first, err := http.Get(s.URL + "/stage/frames")
	must(t, err)
	defer first.Body.Close()

	b := browsertest.Start(t)
	p := b.Open(t, browsertest.Phone)
	p.ExpectError("503")
	p.Go(s.URL + "/follow")
	p.Wait("the reason", `document.querySelector("#connection")?.innerText.includes("tries again by itself")`)

	projector := open(t, b, browsertest.Laptop, s.URL+"/?key="+key)
	projector.Go(s.URL + "/stage")
	if got := browsertest.Eval[int](projector, `fetch("/stage/frames").then((r) => { r.body.cancel(); return r.status; })`); got != http.StatusOK {
		t.Errorf("the projector's stream: %d", got)
	}
}
