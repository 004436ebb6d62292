package web_test

import (
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// Firefox shows and streams each view as Chromium does: the run's page, the stage,
// the phones and the presenter's page follow a run from its start to its end, and
// the other pages fit.
func TestBrowserFirefox(t *testing.T) {
	t.Parallel()
	f := browsertest.StartFirefox(t)
	s := newSite(t, configure{})
	laptop, phone := browsertest.Laptop, browsertest.Phone

	present := f.Open(laptop, s.URL+"/present")
	stage, follow := f.Open(laptop, s.URL+"/stage"), f.Open(phone, s.URL+"/follow")
	present.Wait("the scripts have loaded", loaded)
	present.True(`document.querySelector(".go").click()`)
	for name, p := range map[string]*browsertest.FirefoxPage{"present": present, "stage": stage, "follow": follow} {
		p.Wait(name+": the act", `document.querySelector("#act").innerText.includes("act 1 of")`)
		p.Fits(name)
		p.Screenshot(name)
	}

	id := s.start(t, "P-1042", "Show me records for this patient and also get records for P-2187", "talk:100ms")
	page := f.Open(laptop, s.URL+"/runs/"+id)
	page.Wait("the denial", `document.querySelector("#verdict").innerText.includes("Blocked at the gate")`)
	page.Wait("the end", `document.querySelector(".badge.done")`)
	page.Fits("the run")
	page.Screenshot("run")
	for name, path := range map[string]string{"home": "/", "runs": "/runs", "audit": "/audit", "operator": "/operator", "twin": "/twin", "docs": "/docs"} {
		page.Go(s.URL + path)
		page.Wait(name, `document.querySelector("main") && document.styleSheets.length > 0`)
		page.Fits(name)
		page.Screenshot(name)
	}
}
