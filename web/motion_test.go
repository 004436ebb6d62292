package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/browsertest"
)

// On the run's page and on the stage a call travels to its place, and a denied one
// stops at the gate: while it happens, and not for those who prefer reduced motion.
// Looking back and a reload move nothing.
func TestBrowserMotion(t *testing.T) {
	t.Parallel()
	s := newSite(t, configure{})
	b := browsertest.Start(t)
	const record = `(window.moved = [], document.addEventListener("animationstart", e => e.animationName.startsWith("hero-") && moved.push(e.animationName)), true)`
	watch := func(screen browsertest.Screen, path string) *browsertest.Page {
		p := open(t, b, screen, s.URL+path)
		browsertest.Eval[bool](p, record)
		return p
	}
	pages := map[string]*browsertest.Page{"stage": watch(browsertest.Laptop, "/stage"), "phone": watch(browsertest.Phone, "/follow"),
		"reduced motion": watch(browsertest.Laptop.WithReducedMotion(), "/stage"), "run": watch(browsertest.Laptop, "/")}
	browsertest.Eval[bool](pages["run"], `(document.querySelector("#pace option[value=talk]").value = "talk:700ms", true)`)
	setPace(pages["run"], "talk:700ms")
	pages["run"].Press("4")
	moved := func(names ...string) string {
		return fmt.Sprintf(`%q.split(" ").every(n => moved.includes(n))`, strings.Join(names, " "))
	}
	for _, name := range []string{"stage", "run"} {
		pages[name].Wait(name+": the calls have moved", moved("hero-passes", "hero-stops", "hero-appears"))
	}
	pages["phone"].Wait("phone: the calls have moved", moved("hero-falls", "hero-appears"))
	still := pages["reduced motion"]
	still.Wait("the end", `document.querySelector("#foot").innerText.includes("4 steps")`)
	if got := browsertest.Eval[[]string](still, `new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(() => drawn(moved))))`); len(got) > 0 {
		t.Errorf("with reduced motion: %q", got)
	}
	p := pages["run"]
	p.Reload()
	p.Wait("the scripts have loaded", loaded)
	browsertest.Eval[bool](p, record)
	p.Press(browsertest.ArrowLeft)
	p.Wait("the run is looked back at", `document.querySelector("[data-past]")`)
	if got := browsertest.Eval[[]string](p, "moved"); len(got) > 0 {
		t.Errorf("after a reload: %q", got)
	}
}
