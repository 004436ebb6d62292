package reference

import (
	"embed"
	"net/http"
	"sync"

	"github.com/devonartis/medassist-go/docs/openapi"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/ui"
)

//go:embed *.css
var files embed.FS

// Assets are the package's stylesheets.
var Assets = static.Assets{FS: files, Styles: []string{"reference.css"}}

// Pages serves the references. Safe for concurrent use.
type Pages struct {
	respond *respond.Responder
	apis    []api
}

// An api is one document and its addresses.
type api struct {
	page, json string
	name       string
	view       Page
	document   []byte // JSON
}

// New returns the pages.
func New(r *respond.Responder) *Pages { return &Pages{respond: r, apis: apis()} }

// apis returns the documents, which are constant: they are parsed once.
var apis = sync.OnceValue(func() []api {
	return []api{
		read("App", "/docs", "/openapi.json", openapi.App),
		read("Broker", "/docs/broker", "/openapi/broker.json", openapi.Broker),
	}
})

func read(name, page, json string, text []byte) api {
	doc, asJSON, err := parse(text)
	if err != nil {
		panic("web/reference: " + name + ": " + err.Error())
	}
	view := doc.view()
	view.JSON = json
	return api{page, json, name, view, asJSON}
}

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	for _, a := range p.apis {
		r.Get(a.page, func(w http.ResponseWriter, r *http.Request) error { return p.show(w, r, a) })
		r.Get(a.json, func(w http.ResponseWriter, _ *http.Request) error {
			return respond.Encoded(w, http.StatusOK, a.document)
		})
	}
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, a api) error {
	view := a.view
	view.Page = p.respond.Page(r, a.view.Heading, "reference", "/docs")
	for _, other := range p.apis {
		view.Others = append(view.Others, ui.Link{Path: other.page, Name: other.name})
	}
	return respond.Render(w, http.StatusOK, Reference(view, a.page))
}
