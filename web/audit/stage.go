package audit

import (
	"context"
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/web/auditlog"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// What the stage shows of the log.
const (
	StageChange = string(auditlog.Edit) // what its tamper lab changes
	stageRows   = 6
)

// OnStage returns the log as the stage shows it: whether its chain holds, and its
// newest events. With ?change= it shows the tamper lab instead.
func (p *Pages) OnStage(ctx context.Context, query url.Values) (templ.Component, error) {
	if p.cfg.Log == nil {
		return nil, respond.NoAuditLog
	}
	state := p.follower.Refresh(ctx)
	if query.Get("change") != "" && query.Get("event") == "" {
		query.Set("event", stageEvent(state))
	}
	rows, err := p.rows(ctx, state, Filter{})
	return StageView(p.logView(state), rows[:min(len(rows), stageRows)], newLab(state, query)), err
}

// stageEvent returns the event that the stage's tamper lab changes: the last
// denial among the newest, or one in their middle.
func stageEvent(state auditlog.State) string {
	newest := state.Newest[max(0, len(state.Newest)-labEvents):]
	if len(newest) == 0 {
		return ""
	}
	for _, e := range slices.Backward(newest[:len(newest)-1]) {
		if e.Outcome == wire.OutcomeDenied {
			return e.ID
		}
	}
	return newest[len(newest)/2].ID
}
