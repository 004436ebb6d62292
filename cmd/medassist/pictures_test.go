package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// pictures lists the screenshots in the guides. `make pictures` retakes them.
var pictures = []struct {
	name   string
	screen browsertest.Screen
	take   func(p *browsertest.Page, a *app)
}{
	{"encounter", browsertest.Laptop, func(p *browsertest.Page, a *app) {
		p.Go(a.Page)
		p.Press("3")
		p.Wait("the run is over", `document.querySelector(".expectation")`)
	}},
	{"denied", browsertest.Laptop.InLight(), func(p *browsertest.Page, a *app) {
		p.Go(a.Page)
		p.Press("4")
		p.Wait("the run is over", `document.querySelector(".expectation")`)
		browsertest.Eval[bool](p, `(document.querySelector(".m-denied").scrollIntoView({block: "center"}), true)`)
	}},
	{"audit", browsertest.Laptop, func(p *browsertest.Page, a *app) {
		p.Go(a.Page + "/audit")
		p.Wait("the events are there", `document.querySelectorAll("#events > li").length > 20`)
	}},
	{"operator", browsertest.Laptop, func(p *browsertest.Page, a *app) {
		a.begin(`{"patient_id":"P-1042","request":"` + fullRequest + `","pace":"talk:300ms"}`)
		p.Go(a.Page + "/operator")
		p.Wait("agents are active", `document.querySelectorAll(".live-table tbody tr").length > 1`)
	}},
	{"present", browsertest.Laptop, func(p *browsertest.Page, a *app) {
		p.Go(a.Page + "/present")
		p.Wait("an act can be started", `window.htmx && !document.querySelector(".go").disabled`)
		p.Press(browsertest.PageDown)
		p.Wait("the act is shown", `document.querySelector("#act").innerText.includes("act 1 of") && !document.querySelector(".go").disabled`)
	}},
	{"phone", browsertest.Phone, func(p *browsertest.Page, a *app) {
		p.Go(a.Page + "/follow")
		p.Wait("the act is shown", `document.querySelector("#act")?.innerText.includes("act 1 of")`)
	}},
}

// Each picture of the guides can be retaken from the current pages. Other browser
// tests hold what the pages show.
func TestBrowserPictures(t *testing.T) {
	t.Parallel()
	if os.Getenv("MEDASSIST_SCREENSHOTS") == "" {
		t.Skip("takes pictures: run make pictures or make e2e")
	}
	a := startApp(t)
	b := browsertest.Start(t)
	for _, pic := range pictures {
		p := b.Open(t, pic.screen)
		pic.take(p, a)
		p.Screenshot(pic.name)
	}
}

// The guides show exactly these pictures, and each is in docs/pictures.
func TestPicturesOfTheGuides(t *testing.T) {
	known := map[string]bool{}
	for _, pic := range pictures {
		known[pic.name] = true
		info, err := os.Stat(filepath.Join("..", "..", "docs", "pictures", pic.name+".png"))
		if err != nil {
			t.Errorf("%s: %v: run make pictures", pic.name, err)
		} else if info.Size() > 300<<10 {
			t.Errorf("%s has %d bytes, too many for a guide", pic.name, info.Size())
		}
	}
	shown := map[string]bool{}
	for _, guide := range guides(t) {
		text, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range markdownLink.FindAllStringSubmatch(string(text), -1) {
			if _, name, ok := strings.Cut(m[1], "docs/pictures/"); ok {
				shown[strings.TrimSuffix(name, ".png")] = true
			}
		}
	}
	for name := range shown {
		if !known[name] {
			t.Errorf("no entry in pictures for %s", name)
		}
	}
	for name := range known {
		if !shown[name] {
			t.Errorf("no guide shows %s", name)
		}
	}
}
