package planner

import (
	"cmp"
	"slices"
)

// statusCoded is the status of a charge that is coded and not yet claimed.
const statusCoded = "coded"

// usualService is coded if the request names no service.
const usualService = "office visit"

func procedures(service string) map[string]any {
	if service == "" {
		return nil
	}
	return map[string]any{"procedures": []string{service}}
}

// nextClaim returns the next call of a claim. Only what is coded can be claimed: what
// the request codes, or charges that were coded before, or else the service, which is
// coded first.
func (c conversation) nextClaim(t task, tasks []task) []request {
	if _, made := c.find(toolClaim, t.patient, ""); made {
		return nil
	}
	file := func(codes []string) []request {
		r := request{tool: toolClaim, patient: t.patient}
		if len(codes) > 0 {
			r.args = map[string]any{"billing_codes": codes}
		}
		return []request{r}
	}
	if t.injected || t.patient != c.patient || !c.offered[toolCodes] || !c.offered[toolBilling] {
		return file(t.codes) // a gullible model tries at once
	}
	if coding, coded := c.find(toolCodes, t.patient, ""); coded {
		if codes := codesOf(coding); coding.succeeded() && len(codes) > 0 {
			return file(codes)
		}
		return nil
	}
	if slices.ContainsFunc(tasks, func(o task) bool { return o.topic == code && o.patient == t.patient }) {
		return nil // it is being coded
	}
	bill, read := c.find(toolBilling, t.patient, "")
	switch {
	case !read:
		return []request{{tool: toolBilling, patient: t.patient}}
	case !bill.succeeded():
		return nil
	}
	if open := unclaimed(bill, t.codes); len(open) > 0 {
		return file(open)
	}
	args := map[string]any{"procedures": t.codes}
	if len(t.codes) == 0 {
		args = procedures(cmp.Or(t.text, usualService))
	}
	return []request{{tool: toolCodes, patient: t.patient, args: args}}
}

// codesOf returns the codes that were generated.
func codesOf(coding call) []string {
	var out []string
	for _, row := range coding.object().list("codes") {
		if cpt := row.str("cpt"); cpt != "" && !slices.Contains(out, cpt) {
			out = append(out, cpt)
		}
	}
	return out
}

// unclaimed returns the codes of charges that are coded and not yet claimed, of those
// given if any are.
func unclaimed(bill call, of []string) []string {
	var out []string
	for _, row := range bill.object().list("charges") {
		cpt := row.str("cpt")
		if row.str("status") == statusCoded && (len(of) == 0 || slices.Contains(of, cpt)) && !slices.Contains(out, cpt) {
			out = append(out, cpt)
		}
	}
	return out
}
