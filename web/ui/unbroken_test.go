package ui_test

import (
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/ui"
)

func TestUnbroken(t *testing.T) {
	for text, want := range map[string]string{
		"Token covers P-1042.":          `Token covers <span class="unbroken">P-1042</span>.`,
		"read:labs:P-1042":              `read:labs:<span class="unbroken">P-1042</span>`,
		"5-second token, cross-patient": "5-second token, cross-patient",
		"<b>P-1</b> & 'x'":              "&lt;b&gt;<span class=\"unbroken\">P-1</span>&lt;/b&gt; &amp; &#39;x&#39;",
	} {
		var b strings.Builder
		if err := ui.Unbroken(text).Render(t.Context(), &b); err != nil || b.String() != want {
			t.Errorf("%q: %s, %v", text, b.String(), err)
		}
	}
}
