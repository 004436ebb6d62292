package ui

import (
	"time"

	"github.com/devonartis/medassist-go/web/static"
)

// Page is what the layout shows around a page's content.
type Page struct {
	Title      string
	Name       string // of the page, for the stylesheet: "encounter", "runs" …
	Bare       bool   // without the bar: for pages that are only watched
	Current    string // path of the current entry of the navigation
	Navigation []Link
	Files      *static.Files
	Broker     string // address
	Embedded   bool   // the broker runs in this process
	Model      string
	ModelMode  string    // see llm.Mode
	Presenter  bool      // the request may change something
	Now        time.Time // by the server's clock, which token lifetimes are measured by
}

// Link is one entry of the navigation.
type Link struct{ Path, Name string }

// Simulated reports whether something other than a live model answers: the
// offline planner or a recording.
func (p Page) Simulated() bool { return p.ModelMode != "remote" }
