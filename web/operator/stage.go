package operator

import (
	"context"
	"net/url"

	"github.com/a-h/templ"
)

// OnStage returns the live agents as the stage shows them.
func (p *Pages) OnStage(context.Context, url.Values) (templ.Component, error) {
	return StageView(p.liveView(false)), nil
}
