package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web/browsertest"
)

// stepsShown evaluates to the step numbers of the trace's lines, in page order.
const stepsShown = `[...document.querySelectorAll("#trace > li")].map(li => Number(li.id.slice(5)))`

// wantSteps returns the numbers of those steps of a run that have a line.
func (a *app) wantSteps(runID string) []int {
	a.Helper()
	var want []int
	for _, e := range a.export(runID).Events {
		if e.Step.Type() != trace.TypeLLMDelta {
			want = append(want, int(e.Seq))
		}
	}
	return want
}

func runShown(p *browsertest.Page) string {
	return browsertest.Eval[string](p, `document.getElementById("run")?.dataset.run ?? ""`)
}

func (a *app) assertWholeTrace(p *browsertest.Page) {
	a.Helper()
	got, want := browsertest.Eval[[]int](p, stepsShown), a.wantSteps(runShown(p))
	if len(want) == 0 || !slices.Equal(got, want) {
		a.Errorf("the page shows steps %v, the trace has %v", got, want)
	}
}

// Each scenario, started with its key, live in the browser.
func TestBrowserScenarios(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	p.Go(app.Page)
	for _, s := range scenario.All() {
		before := runShown(p)
		p.Press(s.Key)
		if s.Incident == trace.IncidentTheft {
			tryTheStolenToken(t, p)
		}
		p.Wait("the scenario ends", fmt.Sprintf(`document.getElementById("run")?.dataset.run && document.getElementById("run").dataset.run !== %q && document.querySelector(".expectation")`, before))
		if verdict := browsertest.Eval[string](p, `document.querySelector(".expectation").innerText`); verdict != "✓ as expected" {
			t.Errorf("%s: %s", s.ID, verdict)
		}
		if path := browsertest.Eval[string](p, "location.pathname"); path != "/runs/"+runShown(p) {
			t.Errorf("%s: the address is %s", s.ID, path)
		}
		p.Wait("there is an answer", `document.querySelector("#answer").innerText.length > 20`)
		app.assertWholeTrace(p)
		p.Screenshot("scenario-" + s.ID)
	}
}

// tryTheStolenToken copies the offered command line and runs it, before and after
// the token is released.
func tryTheStolenToken(t *testing.T, p *browsertest.Page) {
	t.Helper()
	p.Wait("the line is offered", `document.querySelector(".stolen-token button")`)
	p.Click(".stolen-token button")
	p.Wait("it is copied", `document.querySelector(".stolen-token button").innerText === "Copied"`)
	p.Screenshot("stolen-token-held")
	if html := browsertest.Eval[string](p, "document.documentElement.outerHTML"); strings.Contains(html, "eyJhbGciOiJ") {
		t.Error("the page contains a token")
	}
	line := browsertest.Eval[string](p, `fetch(document.querySelector(".stolen-token button").dataset.from, {method: "POST"}).then(r => r.text())`)
	curl := func() string {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		var codes []string
		for l := range strings.Lines(string(out)) {
			if l = strings.TrimSpace(l); len(l) == 3 {
				codes = append(codes, l)
			}
		}
		return strings.Join(codes, " ")
	}
	if got := curl(); got != "200 403" {
		t.Errorf("before release: %s, want 200 for its own patient and 403 for the other", got)
	}
	p.Press("n")
	p.Wait("the run is over", `document.querySelector(".expectation")`)
	if got := curl(); got != "401 401" {
		t.Errorf("after release: %s, want 401 for both", got)
	}
}

// A run that waits for the presenter survives a reload and shows each step
// exactly once.
func TestBrowserStepsAndReload(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	p.Go(app.Page)
	browsertest.Eval[string](p, `document.getElementById("pace").value = "step"`)
	p.Press("1")
	const waiting = `document.querySelector("[data-next]")`
	p.Wait("the run waits", waiting)
	p.Screenshot("waiting")
	for range 3 {
		next(p)
	}
	p.Reload()
	p.Wait("the run waits", waiting)
	for browsertest.Eval[bool](p, `!document.querySelector(".badge.done")`) {
		next(p)
	}
	app.assertWholeTrace(p)
}

// next presses n and waits until the run has taken its step.
func next(p *browsertest.Page) {
	before := browsertest.Eval[int](p, `document.querySelectorAll("#trace > li").length`)
	p.Wait("the run waits or ends", `document.querySelector("[data-next]") || document.querySelector(".badge.done")`)
	p.Press("n")
	p.Wait("the step is taken", fmt.Sprintf(`document.querySelectorAll("#trace > li").length > %d || document.querySelector(".badge.done")`, before))
}

func TestBrowserCancel(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	p.Go(app.Page)
	browsertest.Eval[string](p, `document.getElementById("pace").value = "step"`)
	p.Press("1")
	p.Wait("the run waits", `document.querySelector("[data-next]")`)
	for browsertest.Eval[bool](p, `!document.querySelector("[data-type=agent_created]")`) {
		next(p)
	}
	p.Press("x")
	p.Wait("the run is cancelled", `document.querySelector(".badge.failed")?.innerText === "CANCELLED"`)
	if status := browsertest.Eval[string](p, `document.querySelector(".status").innerText`); !strings.Contains(status, "confirmed revoked") {
		t.Errorf("status after a cancellation: %s", status)
	}
}

// After invalid input the form keeps its values and shows what is wrong.
func TestBrowserBadInput(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	p.ExpectError("400")
	p.Go(app.Page)
	browsertest.Eval[bool](p, `(document.getElementById("patient").value = "P-1042:x", document.getElementById("request").value = "Show <b>records</b>", document.getElementById("request-form").requestSubmit(), true)`)
	p.Wait("the error is shown", `document.querySelector(".field-error")`)
	got := browsertest.Eval[[]string](p, `[document.getElementById("patient").value, document.getElementById("request").value, document.querySelector(".field-error").innerText]`)
	if got[0] != "P-1042:x" || got[1] != "Show <b>records</b>" || !strings.Contains(got[2], "P-1042") {
		t.Errorf("after bad input: %q", got)
	}
}

// No page overflows horizontally, on any screen and in either theme.
func TestBrowserSizes(t *testing.T) {
	t.Parallel()
	app := startApp(t)
	run := app.run("P-1042", fullRequest).RunID
	p := browsertest.Start(t).Open(t, browsertest.Laptop)
	for page, path := range map[string]string{"run": "/runs/" + run, "home": "/", "runs": "/runs"} {
		p.Go(app.Page + path)
		for name, screen := range map[string]browsertest.Screen{"laptop": browsertest.Laptop, "projector": browsertest.Projector, "phone": browsertest.Phone} {
			for theme, screen := range map[string]browsertest.Screen{"dark": screen, "light": screen.InLight()} {
				p.Show(screen)
				p.Fits(page + ", " + name + ", " + theme)
				p.Screenshot(page + "-" + name + "-" + theme)
			}
		}
	}
}
