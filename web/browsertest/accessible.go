package browsertest

import _ "embed" // the audit's script

//go:embed axe/axe.min.js
var axe string

// violation is a rule that a page breaks, and where.
type violation struct {
	Rule    string   `json:"rule"`
	Impact  string   `json:"impact"`
	Help    string   `json:"help"`
	Targets []string `json:"targets"`
}

// audit runs axe over the page by the rules of WCAG 2.2, levels A and AA.
const audit = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]}).then(({violations}) =>
	violations.map(v => ({rule: v.id, impact: v.impact, help: v.help, targets: v.nodes.map(n => n.target.join(" ") + " " + (n.any[0]?.message ?? ""))})))`

// Accessible fails the test for what an automated audit finds wrong with the
// page in its current state, which the argument describes in a failure. The
// browser injects the audit, so the content security policy does not block it.
func (p *Page) Accessible(what string) {
	p.t.Helper()
	p.settle()
	if !Eval[bool](p, "!!window.axe") {
		Eval[bool](p, axe+";true")
	}
	for _, v := range Eval[[]violation](p, audit) {
		p.t.Errorf("%s: %s (%s): %s\n%q", what, v.Rule, v.Impact, v.Help, v.Targets)
	}
}
