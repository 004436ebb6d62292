// Package static holds the files that a page loads and serves them: scripts,
// stylesheets, an icon. They are in the binary, so a page needs nothing from
// elsewhere; an address changes with its file's content, so a browser may keep
// what it has for good. It holds nothing that depends on a request.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed *.css *.js *.svg vendor/*.js
var embedded embed.FS

// Styles are the stylesheets of every page, in the order in which they apply.
var Styles = []string{"tokens.css", "base.css", "stage.css", "past.css", "trace.css", "cards.css", "answer.css", "runs.css", "export.css", "operator.css", "audit.css", "present.css", "picture.css"}

// Scripts are the scripts of every page, in the order in which they run.
var Scripts = []string{"vendor/htmx.min.js", "vendor/hx-sse.min.js", "picture.js", "page.js", "past.js", "timer.js"}

// file is one embedded file.
type file struct {
	content []byte
	zipped  func() []byte
	kind    string // its media type
	hash    string // of the content, shortened
}

var files = func() map[string]file {
	all := map[string]file{}
	err := fs.WalkDir(embedded, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := embedded.ReadFile(name)
		sum := sha256.Sum256(b)
		all[name] = file{b, sync.OnceValue(func() []byte { return zip(b) }), kind(name), hex.EncodeToString(sum[:6])}
		return err
	})
	if err != nil {
		panic("static: " + err.Error())
	}
	return all
}()

// Sheet is all stylesheets as one, for a page that has nobody to ask.
var Sheet = sync.OnceValue(func() string {
	var b strings.Builder
	for _, name := range Styles {
		b.Write(files[name].content)
	}
	return b.String()
})

// kind is not left to the machine's own table of media types.
func kind(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid one
	w.Write(b)                                              // into memory: can't fail
	w.Close()
	return out.Bytes()
}

// URL is the address of a file. It panics for a file that does not exist, so
// that a misspelt name fails the first test that renders it.
func URL(name string) string {
	f, ok := files[name]
	if !ok {
		panic("static: there is no file " + name)
	}
	return "/static/" + name + "?v=" + f.hash
}

// Handler serves the files below /static/.
func Handler() http.Handler { return http.HandlerFunc(serve) }

func serve(w http.ResponseWriter, r *http.Request) {
	f, ok := files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == f.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.content
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.zipped()
	}
	w.Write(body) // a client that is gone needs no answer
}
