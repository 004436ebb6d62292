package view

import "time"

// Page is what every page shows around its content.
type Page struct {
	Title     string
	Name      string // of the page, for the stylesheet: "encounter", "runs" …
	Current   string // path of the navigation's current entry
	Broker    string // address
	Embedded  bool
	Model     string
	ModelMode string    // llm.Mode
	Presenter bool      // may change something
	Now       time.Time // the server's clock, by which tokens run out
}

// navigation are the pages that there are.
var navigation = []struct{ Path, Name string }{
	{"/", "Encounter"},
	{"/runs", "Runs"},
	{"/audit", "Audit"},
	{"/operator", "Operator"},
	{"/present", "Present"},
}

// StandIn reports whether something else than a real model answers.
func (p Page) StandIn() bool { return p.ModelMode != "remote" }

// Problem is a page that says what went wrong.
type Problem struct {
	Page
	Heading, Message string
}
