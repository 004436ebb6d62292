package web_test

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// goOn presses the presenter's one button until it says what is wanted, and
// returns how often.
func goOn(p *browsertest.Page, want string) (presses int) {
	button := func() string {
		return browsertest.Eval[string](p, `document.querySelector(".go span").innerText`)
	}
	for ; presses < 40; presses++ {
		p.Wait("the run waits or is over", `!document.querySelector(".go").disabled`)
		if button() == want {
			return presses
		}
		before := browsertest.Eval[string](p, `document.querySelector("#controls").innerText`)
		p.Press(browsertest.PageDown)
		p.Wait("the controls follow", `document.querySelector("#controls").innerText !== `+quote(before))
	}
	return presses
}

// The presenter drives the stage and the phones with a clicker: through an act, back
// and forward, to the next act, which clears them, and to a page.
func TestBrowserTalk(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	laptop := open(t, b, browsertest.Laptop, s.URL+"/present")
	stage := open(t, b, browsertest.Laptop, s.URL+"/stage")
	phone := open(t, b, browsertest.Phone, s.URL+"/follow")
	watching := map[string]*browsertest.Page{"stage": stage, "phone": phone, "monitor": laptop}
	everywhere := func(what, expression string) {
		t.Helper()
		for name, p := range watching {
			p.Wait(name+": "+what, expression)
		}
	}
	look := func(name string) {
		for of, p := range watching {
			p.Screenshot("talk-" + name + "-" + of)
		}
	}
	everywhere("the welcome", `document.querySelector(".title-card h2").innerText.includes("broker decides")`)
	look("before")
	if n := goOn(laptop, "Next step"); n != 1 {
		t.Errorf("%d presses start the act", n)
	}
	everywhere("the act", `document.querySelector("#act").innerText.includes("act 1 of 4")`)
	if n := goOn(laptop, "Next act") + 1; n > 16 {
		t.Errorf("the act takes %d presses", n)
	}
	const end = `document.querySelector("#verdict").innerText.includes("confirmed revoked")`
	everywhere("the end", end+` && document.querySelector("#foot").innerText.includes("16 steps")`)
	look("full")
	for name, p := range watching {
		p.Accessible(name)
	}

	laptop.Press(browsertest.PageUp + browsertest.PageUp)
	everywhere("two steps back", `document.querySelector("#act .gone-back")?.innerText.startsWith("back at step")`)
	laptop.Wait("forward is offered", `document.querySelector(".go span").innerText === "Forward"`)
	stage.Reload()
	everywhere("still back, also after a reload", `document.querySelector("#act .gone-back")`)
	look("back")
	laptop.Wait("the scripts have loaded", loaded)
	goOn(laptop, "Next act")
	everywhere("the end again", end+` && !document.querySelector(".gone-back")`)

	laptop.Press(browsertest.PageDown)
	everywhere("the stage is cleared for the next act", `document.querySelector(".title-card h2")?.innerText === "Cross-patient" && !document.querySelector("#verdict")`)
	look("title")
	laptop.Wait("the act can be started", `document.querySelector(".go span").innerText !== "Next act"`)
	goOn(laptop, "Next act")
	everywhere("the denial", `document.querySelector("#verdict").innerText.includes("Blocked at the gate") && document.querySelector("#foot").innerText.includes("4 steps")`)
	look("denied")

	laptop.Press(".")
	for name, p := range map[string]*browsertest.Page{"stage": stage, "monitor": laptop} {
		p.Wait(name+" is blank", `document.querySelector(".screen[data-blank]")`)
	}
	stage.Press(browsertest.Escape) // the clicker works there too
	everywhere("shown again", `!document.querySelector(".screen[data-blank]")`)
	laptop.Click(`.looks form:nth-child(1) button`)
	everywhere("another theme", `document.querySelector(".screen").dataset.theme === "dark"`)
	look("dark")
	laptop.Click(`#shown form:nth-child(2) button`)
	everywhere("the audit log", `document.querySelector("#shown-page .chain")`)
	look("audit")
	if n := stage.Count("main a, main button, main form, main input") + phone.Count("main a, main button, main form, main input"); n > 0 {
		t.Errorf("stage and phone have %d controls", n)
	}
	laptop.Click(`#shown form:nth-child(3) button`)
	everywhere("a tampered copy", `document.querySelector("#shown-page .lab-found")`)
	look("tampered")
	laptop.Press(browsertest.Escape)
	everywhere("the run again", `document.querySelector("#verdict")`)
}

// The pages of a talk fit every screen, in both themes.
func TestBrowserPresentPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{web: func(c *web.Config) { c.PresenterKey, c.Reachable = "a-key-for-the-presenter", true }})
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	for _, path := range []string{"/present", "/present/link", "/follow", "/stage"} {
		p.Go(s.URL + path + "?key=a-key-for-the-presenter")
		p.Wait("the scripts have loaded", loaded)
		onEachScreen(p, func(name string) {
			p.Fits(path + ", " + name)
			p.Screenshot("page" + strings.ReplaceAll(path, "/", "-") + "-" + name)
			if name != "projector" && (name == "phone") == (path == "/follow") {
				p.Accessible(path + ", " + name)
			}
		})
	}
}
