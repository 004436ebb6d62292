package twin

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"

	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/twin"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/ui"
)

//go:embed *.css
var files embed.FS

// Assets are the package's stylesheets.
var Assets = static.Assets{FS: files, Styles: []string{"twin.css"}}

// Config is what the pages need. All fields are required.
type Config struct {
	Twins *twin.Service
	// Show puts a comparison on the stage: one that a presenter starts here is the
	// one that the audience follows.
	Show    func(ctx context.Context) error
	Sheet   string // all stylesheets as one, for exports
	Respond *respond.Responder
}

// Pages serves the comparison. Safe for concurrent use.
type Pages struct {
	cfg Config

	mu     sync.Mutex
	latest fragment // that viewers were sent last
}

// A fragment is a comparison in one state as HTML, rendered once for all viewers.
type fragment struct {
	state string
	html  []byte
}

// New returns the pages.
func New(cfg Config) *Pages { return &Pages{cfg: cfg} }

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/twin", p.page)
	r.Get("/twin/news", p.news)
	r.Get("/twin/{id}", p.page)
	r.Get("/twin/{id}/export.json", p.exportJSON)
	r.Get("/twin/{id}/export.html", p.exportHTML)
	r.Post("/twin", p.start)
	r.Post("/twin/{id}/cancel", p.cancel)
}

// Wait returns when the running comparison has ended, after its run was stopped.
func (p *Pages) Wait() { p.cfg.Twins.Close() }

// Page is the page of a comparison.
type Page struct {
	ui.Page
	Scenarios []scenario.Scenario
	View      *View // nil before the first
	Fixed     bool  // the page shows this comparison, and not the latest
}

// How often the page looks for news.
const (
	pollLive = 400 * time.Millisecond
	pollIdle = 2 * time.Second
)

func (p Page) pollURL() string {
	q := url.Values{}
	if p.View != nil {
		q.Set("shown", p.View.state())
	}
	return "/twin/news?" + q.Encode()
}

func (p Page) pollEvery() string {
	switch {
	case p.View != nil && p.View.Live():
		return "every " + pollLive.String()
	case p.Fixed:
		return "none"
	}
	return "every " + pollIdle.String()
}

var notFound = &respond.Error{Status: http.StatusNotFound, Detail: "No such comparison. Only the newest are kept."}

// classify returns the answer to an error of the service.
func classify(err error) error {
	switch {
	case errors.Is(err, twin.ErrNotFound):
		return notFound
	case errors.Is(err, twin.ErrScenario):
		return respond.BadInput("scenario", "This scenario has no comparison.")
	case errors.Is(err, twin.ErrBusy):
		return &respond.Error{Status: http.StatusConflict, Detail: "Another comparison is running. Wait for it to end, or cancel it."}
	}
	return err
}

// view returns the page of a comparison, or of the latest if the ID is empty.
func (p *Pages) view(r *http.Request, id string) (Page, error) {
	v := Page{Page: p.cfg.Respond.Page(r, "Before and after", "twin", "/twin"), Scenarios: twin.Scenarios(), Fixed: id != ""}
	result, ok := p.cfg.Twins.Latest(r.Context())
	if id != "" {
		var err error
		if result, err = p.cfg.Twins.Result(r.Context(), id); err != nil {
			return v, classify(err)
		}
		ok = true
	}
	if ok {
		view := NewView(result)
		v.View = &view
	}
	return v, nil
}

// page is GET /twin, the latest comparison, and GET /twin/{id}.
func (p *Pages) page(w http.ResponseWriter, r *http.Request) error {
	v, err := p.view(r, chi.URLParam(r, "id"))
	if err != nil {
		return err
	}
	return respond.Render(w, http.StatusOK, TwinPage(v))
}

// state names what the page shows of a comparison.
func (v View) state() string { return fmt.Sprintf("%s %s %d", v.ID, v.Phase, v.Changes) }

// news is GET /twin/news: the latest comparison, unless the page shows it as it is. A
// page is sent each change once at most.
func (p *Pages) news(w http.ResponseWriter, r *http.Request) error {
	v, err := p.view(r, "")
	if err != nil {
		return err
	}
	if v.View == nil || r.URL.Query().Get("shown") == v.View.state() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return respond.HTML(w, http.StatusOK, p.fragment(v))
}

// fragment returns the latest comparison as HTML.
func (p *Pages) fragment(v Page) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state := v.View.state(); p.latest.state != state {
		var b bytes.Buffer
		respond.Write(&b, Comparison(v))
		p.latest = fragment{state, b.Bytes()}
	}
	return p.latest.html
}

// start is POST /twin.
func (p *Pages) start(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Scenario string `json:"scenario"`
	}](w, r)
	if err != nil {
		return err
	}
	if _, err := p.cfg.Twins.Start(r.Context(), form.Scenario); err != nil {
		return classify(err)
	}
	if err := p.cfg.Show(r.Context()); err != nil {
		return err
	}
	if !respond.FromPage(r) {
		http.Redirect(w, r, "/twin", http.StatusSeeOther)
		return nil
	}
	v, err := p.view(r, "")
	if err != nil {
		return err
	}
	return respond.Render(w, http.StatusOK, Comparison(v))
}

// cancel is POST /twin/{id}/cancel.
func (p *Pages) cancel(w http.ResponseWriter, r *http.Request) error {
	if err := p.cfg.Twins.Cancel(r.Context(), chi.URLParam(r, "id"), "presenter"); err != nil {
		return classify(err)
	}
	if !respond.FromPage(r) {
		http.Redirect(w, r, "/twin", http.StatusSeeOther)
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// OnStage returns the latest comparison as the stage shows it.
func (p *Pages) OnStage(ctx context.Context, _ url.Values) (templ.Component, error) {
	result, ok := p.cfg.Twins.Latest(ctx)
	if !ok {
		return introduction(Page{}), nil
	}
	return StageView(NewView(result)), nil
}

// Export is a comparison as a file that stands alone.
type Export struct {
	View  View
	Style string // all that the page needs, as one stylesheet
}

func (p *Pages) exportJSON(w http.ResponseWriter, r *http.Request) error {
	result, err := p.cfg.Twins.Result(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return classify(err)
	}
	respond.Download(w, result.ID+".json")
	return respond.JSON(w, http.StatusOK, result)
}

func (p *Pages) exportHTML(w http.ResponseWriter, r *http.Request) error {
	result, err := p.cfg.Twins.Result(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return classify(err)
	}
	respond.Download(w, result.ID+".html")
	return respond.Render(w, http.StatusOK, ExportPage(Export{View: NewView(result), Style: p.cfg.Sheet}))
}
