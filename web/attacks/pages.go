package attacks

import (
	"context"
	"embed"
	"net/http"
	"sync"

	"github.com/devonartis/medassist-go/attack"
	"github.com/devonartis/medassist-go/web/internal/guard"
	"github.com/devonartis/medassist-go/web/internal/respond"
	"github.com/devonartis/medassist-go/web/static"
	"github.com/devonartis/medassist-go/web/ui"
)

//go:embed *.css
var files embed.FS

// Assets are the package's stylesheets.
var Assets = static.Assets{FS: files, Styles: []string{"attacks.css"}}

// Config is what the pages need. All fields are required.
type Config struct {
	// Lab starts a lab, whose runs are in the demo's log. The page closes it.
	Lab func(ctx context.Context) (*attack.Lab, error)
	// Report returns the score of the last check, and false if there is none.
	Report func() (attack.Report, bool, error)
	// Show puts a run on the stage.
	Show    func(ctx context.Context, runID string) error
	Respond *respond.Responder
}

// Pages serves the attacks. Safe for concurrent use.
type Pages struct {
	cfg     Config
	playing sync.Mutex
}

// New returns the pages.
func New(cfg Config) *Pages { return &Pages{cfg: cfg} }

// Mount registers the routes.
func (p *Pages) Mount(r *guard.Router) {
	r.Get("/attacks", p.page)
	r.Post("/attacks", p.replay)
}

// Page is the page of the attacks.
type Page struct {
	ui.Page
	Report  attack.Report
	Checked bool // there is a report
	Groups  []Group
	Total   int
}

// Group is the attacks with one goal.
type Group struct {
	Goal    attack.Goal
	Attacks []attack.Attack
}

func (p *Pages) page(w http.ResponseWriter, r *http.Request) error {
	v := Page{Page: p.cfg.Respond.Page(r, "Attacks", "attacks", "/runs"), Total: len(attack.All())}
	var err error
	if v.Report, v.Checked, err = p.cfg.Report(); err != nil {
		return err
	}
	for _, goal := range attack.Goals() {
		g := Group{Goal: goal}
		for _, a := range attack.All() {
			if a.Goal == goal {
				g.Attacks = append(g.Attacks, a)
			}
		}
		v.Groups = append(v.Groups, g)
	}
	return respond.Render(w, http.StatusOK, AttacksPage(v))
}

// replay is POST /attacks: it runs one attack, and leads to its run.
func (p *Pages) replay(w http.ResponseWriter, r *http.Request) error {
	form, err := respond.DecodeForm[struct {
		Attack string `json:"attack"`
	}](w, r)
	if err != nil {
		return err
	}
	a, ok := attack.ByID(form.Attack)
	if !ok {
		return respond.BadInput("attack", "No such attack.")
	}
	if !p.playing.TryLock() {
		return &respond.Error{Status: http.StatusConflict, Detail: "Another attack is being replayed. Wait for it to end."}
	}
	defer p.playing.Unlock()
	id, err := p.run(r.Context(), a)
	if err != nil {
		return err
	}
	if err := p.cfg.Show(r.Context(), id); err != nil {
		return err
	}
	http.Redirect(w, r, "/runs/"+id, http.StatusSeeOther)
	return nil
}

// run runs an attack in a lab of its own and returns the last of its runs.
func (p *Pages) run(ctx context.Context, a attack.Attack) (id string, err error) {
	lab, err := p.cfg.Lab(ctx)
	if err != nil {
		return "", err
	}
	res, err := lab.Run(ctx, a)
	if closed := lab.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	return res.Runs[len(res.Runs)-1], nil
}
