package static

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// page is a page package with a stylesheet and a script.
var page = Assets{fstest.MapFS{"visit.css": {Data: []byte(".visit {}")}, "visit.js": {Data: []byte("// visit")}}, []string{"visit.css"}, []string{"visit.js"}}

func get(t *testing.T, f *Files, address, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAreServed(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	f := New(page)
	for name := range f.files {
		want, err := os.ReadFile(name)
		if err != nil {
			if want, err = fs.ReadFile(page.FS, name); err != nil {
				t.Fatal(err)
			}
		}
		plain := get(t, f, f.URL(name), "")
		if got, _ := io.ReadAll(plain.Body); string(got) != string(want) {
			t.Errorf("%s differs from the file in the folder", name)
		}
		if got := plain.Header.Get("Cache-Control"); got != forever {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if strings.HasPrefix(plain.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s is served as text", name)
		}
		zipped := get(t, f, f.URL(name), "gzip, br")
		z, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(z); string(got) != string(want) {
			t.Errorf("%s, compressed, differs from the file in the folder", name)
		}
		if got := get(t, f, "/static/"+name+"?v=000000000000", "").Header.Get("Cache-Control"); got == forever {
			t.Errorf("%s: an outdated address would be cached forever", name)
		}
	}
}

func TestUnknownFilesAreNotFound(t *testing.T) {
	f := New(page)
	for _, path := range []string{"/static/", "/static/none.js", "/static/static.go", "/static/vendor", "/static/vendor/README.md", "/static/../static.go", "/static//icon.svg"} {
		if got := get(t, f, path, "").StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestMisspelledNamesPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"the address of no file": func() { New().URL("pgae.js") },
		"a stylesheet missing":   func() { New(Assets{FS: page.FS, Styles: []string{"none.css"}}) },
		"one file twice":         func() { New(page, page) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Pages' styles apply after those of every page, and before the picture's.
func TestOrderOfStyles(t *testing.T) {
	f := New(page)
	var names []string
	for _, url := range f.Styles() {
		name, _, _ := strings.Cut(strings.TrimPrefix(url, "/static/"), "?")
		names = append(names, name)
	}
	if got := strings.Join(names, " "); got != "tokens.css base.css visit.css picture.css" {
		t.Errorf("styles: %s", got)
	}
	if !strings.Contains(f.Sheet(), ".visit {}") {
		t.Error("the single sheet lacks a page's styles")
	}
}

// The vendored files have the sums that vendor/README.md states.
func TestVendoredFilesAreUnmodified(t *testing.T) {
	readme, err := os.ReadFile("vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\S+\.js) \| \S+ \| ([0-9a-f]{64}) \|$`).FindAllStringSubmatch(string(readme), -1)
	stated := map[string]string{}
	for _, row := range rows {
		stated["vendor/"+row[1]] = row[2]
	}
	for name, f := range New().files {
		if !strings.HasPrefix(name, "vendor/") {
			continue
		}
		sum := sha256.Sum256(f.content)
		if got := hex.EncodeToString(sum[:]); got != stated[name] {
			t.Errorf("%s has sum %s, vendor/README.md states %q", name, got, stated[name])
		}
	}
	if len(stated) != 1 {
		t.Errorf("vendor/README.md lists %d files", len(stated))
	}
}
