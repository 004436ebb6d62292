package audit

import (
	"context"
	"net/url"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/web/auditlog"
)

// What the stage shows of the logs.
const (
	StageChange = string(auditlog.Edit) // what its tamper lab changes
	stageRows   = 6
)

// Chain returns the state of the broker's log, read up to its newest event. It must not
// be called without a Log.
func (p *Pages) Chain(ctx context.Context) auditlog.State { return p.follower.Refresh(ctx) }

// OnStage returns the logs as the stage shows them: whether their chains hold, and the
// newest decisions. With ?change= it shows the tamper lab instead, which starts at the
// last blocked call.
func (p *Pages) OnStage(ctx context.Context, query url.Values) (templ.Component, error) {
	lab := p.newLab(ctx, query)
	own := p.own(Filter{})
	own.Rows = own.Rows[:min(len(own.Rows), stageRows)]
	var broker Log
	if p.cfg.Log != nil {
		broker = p.logView(p.follower.Refresh(ctx))
	}
	return StageView(own, broker, lab), nil
}
