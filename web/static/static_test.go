package static

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, address, encoding string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestFilesAreServed(t *testing.T) {
	const forGood = "public, max-age=31536000, immutable"
	for _, name := range append(append([]string{"icon.svg", "early.js"}, Styles...), Scripts...) {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		plain := get(t, URL(name), "")
		if got, _ := io.ReadAll(plain.Body); string(got) != string(want) {
			t.Errorf("%s is not what is in the folder", name)
		}
		if got := plain.Header.Get("Cache-Control"); got != forGood {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if strings.HasPrefix(plain.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s is served as text", name)
		}
		zipped := get(t, URL(name), "gzip, br")
		z, err := gzip.NewReader(zipped.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(z); string(got) != string(want) {
			t.Errorf("%s, zipped, is not what is in the folder", name)
		}
		if got := get(t, "/static/"+name+"?v=000000000000", "").Header.Get("Cache-Control"); got == forGood {
			t.Errorf("%s: an older address would be kept for good", name)
		}
	}
}

func TestWhatIsNoFileIsNotFound(t *testing.T) {
	for _, path := range []string{"/static/", "/static/none.js", "/static/static.go", "/static/vendor", "/static/vendor/README.md", "/static/../static.go", "/static//icon.svg"} {
		if got := get(t, path, "").StatusCode; got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
}

func TestAMisspeltNameIsNoticed(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an address was made for no file")
		}
	}()
	URL("pgae.js")
}

// The vendored files are those whose sums stand beside them.
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
	for name, f := range files {
		if !strings.HasPrefix(name, "vendor/") {
			continue
		}
		sum := sha256.Sum256(f.content)
		if got := hex.EncodeToString(sum[:]); got != stated[name] {
			t.Errorf("%s has sum %s, vendor/README.md says %q", name, got, stated[name])
		}
	}
	if len(stated) != 2 {
		t.Errorf("vendor/README.md lists %d files", len(stated))
	}
}
