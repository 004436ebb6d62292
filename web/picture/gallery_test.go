package picture_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/web/picture"
	"github.com/devonartis/medassist-go/web/picture/sample"
)

var gallery = flag.String("gallery", "", "write the prepared runs as pages into this folder, to be looked at")

// TestGallery writes a page for each prepared run, if asked to.
func TestGallery(t *testing.T) {
	if *gallery == "" {
		t.Skip("no -gallery folder given")
	}
	css, err := os.ReadFile("../static/picture.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range sample.Histories() {
		p, tl := picture.New(picture.Encounter("", "medassist")), picture.NewTimeline("")
		for _, e := range h.Events {
			p.Apply(e)
			tl.Apply(e)
		}
		var b strings.Builder
		if err := picture.Authority(p).Render(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		if err := picture.Waterfall(tl).Render(context.Background(), &b); err != nil {
			t.Fatal(err)
		}
		page := `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>
:root{color-scheme:dark;--ground:#0e1116;--text:#e8ecf1;--muted:#98a3b3;--allowed:#3ecf8e;--on-allowed:#06281a;--denied:#ff6b6b;--on-denied:#2b0505;--delegated:#f2b84b;--on-delegated:#2b1b00;--alive:#5ab8ff;--ended:#9aa4b2;--clinical:#4f9ad6;--prescription:#9d83e6;--billing:#c9a46a;--font-sans:system-ui,"Liberation Sans",sans-serif;--font-mono:ui-monospace,"Liberation Mono",monospace}
@media (prefers-color-scheme: light){:root{color-scheme:light;--ground:#fff;--text:#14181f;--muted:#566273;--allowed:#0b7a4b;--on-allowed:#fff;--denied:#c4262e;--on-denied:#fff;--delegated:#8f5a00;--on-delegated:#fff;--alive:#0b63b5;--ended:#6b7280;--clinical:#2f78b7;--prescription:#6f52c4;--billing:#94702f}}
body{margin:0;background:var(--ground);color:var(--text);font-family:var(--font-sans)} main{padding:8px}
` + string(css) + `</style><main>` + b.String() + `</main>`
		if err := os.WriteFile(filepath.Join(*gallery, h.Name+".html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
