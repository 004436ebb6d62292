// Package static holds the files that every page loads and serves them:
// scripts, stylesheets, an icon. Page packages add their own stylesheets and
// scripts as [Assets].
//
// All files are in the binary, so that a page loads nothing from elsewhere. An
// address contains a hash of the file's content, so that a browser can cache
// the file forever. Nothing here depends on a request.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed *.css *.js *.svg vendor/*.js
var embedded embed.FS

// Assets are the stylesheets and scripts of one page package.
type Assets struct {
	FS      fs.FS
	Styles  []string // names within FS, in the order in which they apply
	Scripts []string // names within FS, in the order in which they run
}

// The files of every page. The picture's styles come after those of the pages,
// which they refine.
var (
	base    = Assets{embedded, []string{"tokens.css", "base.css"}, []string{"vendor/htmx.min.js", "picture.js", "keys.js", "page.js", "stream.js"}}
	picture = Assets{embedded, []string{"picture.css"}, nil}
	others  = []string{"icon.svg", "early.js"}
)

// Files are the files that all pages load. Each page loads all stylesheets and
// scripts: they are small, and cached after the first page. Safe for concurrent
// use.
type Files struct {
	files   map[string]file
	styles  []string
	scripts []string
	sheet   string
}

// file is one embedded file.
type file struct {
	content   []byte
	zipped    func() []byte
	mediaType string
	hash      string // of the content, shortened
}

// New collects the files of every page and those of the given page packages. It
// panics if a file is missing or if two have the same name, which the first
// test notices.
func New(pages ...Assets) *Files {
	f := &Files{files: make(map[string]file)}
	for _, name := range others {
		f.add(embedded, name)
	}
	var sheet strings.Builder
	for _, a := range append(append([]Assets{base}, pages...), picture) {
		for _, name := range a.Styles {
			f.styles = append(f.styles, name)
			sheet.Write(f.add(a.FS, name))
		}
		for _, name := range a.Scripts {
			f.scripts = append(f.scripts, name)
			f.add(a.FS, name)
		}
	}
	f.sheet = sheet.String()
	return f
}

func (f *Files) add(from fs.FS, name string) []byte {
	content, err := fs.ReadFile(from, name)
	if err != nil {
		panic("static: " + err.Error())
	}
	if _, twice := f.files[name]; twice {
		panic(fmt.Sprintf("static: there are two files %s", name))
	}
	sum := sha256.Sum256(content)
	f.files[name] = file{content, sync.OnceValue(func() []byte { return zip(content) }), mediaType(name), hex.EncodeToString(sum[:6])}
	return content
}

// URL returns the address of a file. It panics if there is no such file, so
// that a misspelled name fails the first test that renders it.
func (f *Files) URL(name string) string {
	file, ok := f.files[name]
	if !ok {
		panic("static: there is no file " + name)
	}
	return "/static/" + name + "?v=" + file.hash
}

// Styles returns the addresses of the stylesheets, in the order in which they
// apply.
func (f *Files) Styles() []string { return f.urls(f.styles) }

// Scripts returns the addresses of the scripts, in the order in which they run.
func (f *Files) Scripts() []string { return f.urls(f.scripts) }

func (f *Files) urls(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = f.URL(name)
	}
	return out
}

// Sheet returns all stylesheets as one, for a page that is saved as a file and
// can't load any.
func (f *Files) Sheet() string { return f.sheet }

// ServeHTTP serves the files below /static/.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, ok := f.files[strings.TrimPrefix(r.URL.Path, "/static/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.mediaType)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == file.hash {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := file.content
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = file.zipped()
	}
	w.Write(body) // an error means that the client is gone
}

// mediaType does not depend on the machine's own table of media types.
func mediaType(name string) string {
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
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, _ = w.Write(b)                                       // to memory: can't fail
	_ = w.Close()
	return out.Bytes()
}
