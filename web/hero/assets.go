package hero

import (
	"embed"

	"github.com/devonartis/medassist-go/web/static"
)

//go:embed hero.css
var files embed.FS

// Assets is the package's stylesheet.
var Assets = static.Assets{FS: files, Styles: []string{"hero.css"}}
