package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/go-chi/chi/v5"
)

//go:embed static
var embedded embed.FS

// asset is a static file and the hash that stands in its address, so that a
// browser may keep it for good.
type asset struct {
	content []byte
	kind    string
	hash    string
}

var assets = func() map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(embedded, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := embedded.ReadFile(name)
		sum := sha256.Sum256(b)
		all[name[len("static/"):]] = asset{b, mime.TypeByExtension(path.Ext(name)), hex.EncodeToString(sum[:6])}
		return err
	})
	if err != nil {
		panic("web: embedded files: " + err.Error())
	}
	return all
}()

// assetURL is the address of a static file, with its hash.
func assetURL(name string) string { return "/static/" + name + "?v=" + assets[name].hash }

func serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[chi.URLParam(r, "*")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	if r.URL.Query().Get("v") == a.hash {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	w.Write(a.content) // a client that is gone needs no answer
}
