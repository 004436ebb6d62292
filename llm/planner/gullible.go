package planner

import (
	"regexp"
	"slices"
)

// addressed matches text in a record that addresses a model.
var addressed = regexp.MustCompile(`(?i)\b(?:note|notice|message|instructions?) (?:to|for) (?:the |any )?(?:assistant|ai|model|agent)\b|` +
	`\b(?:system|assistant|ai|model)(?: (?:note|notice|message|prompt|instructions?))?:|` +
	`\bignore (?:all |any )?(?:the )?(?:previous|prior|above|other|your)\b`)

const shortest = 20 // bytes of the shortest text that can hold an instruction

// injected reads the tools' results as a gullible model does, which follows an
// instruction regardless of its author. It returns the resulting tasks that the
// user did not request.
func (c conversation) injected(asked []task) []task {
	var out []task
	for _, call := range c.calls {
		if !call.succeeded() {
			continue
		}
		for text := range texts(call.result) {
			if len(text) < shortest {
				continue
			}
			at := addressed.FindStringIndex(text)
			if at == nil {
				continue
			}
			for _, t := range understand(text[at[1]:], c.patient).tasks {
				if !slices.ContainsFunc(asked, t.same) && !slices.ContainsFunc(out, t.same) {
					t.injected = true
					out = append(out, t)
				}
			}
		}
	}
	return out
}
