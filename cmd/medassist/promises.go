package main

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/tools"
)

// Limits on asking a broker which promises it keeps.
const (
	promisesTimeout = 5 * time.Second
	promisesRetry   = 15 * time.Second // between attempts while a question is open
)

// embeddedPromises are those of the embedded broker; a test confirms them.
var embeddedPromises = agentwrit.Promises{Keys: agentwrit.Kept, Checkpoints: agentwrit.Kept, Cascade: agentwrit.Kept}

// promises asks a remote broker once which promises it keeps. It asks again, in the
// background, while the broker has not answered every question. It is safe for
// concurrent use.
type promises struct {
	app *agentwrit.App
	now func() time.Time
	log *slog.Logger

	mu     sync.Mutex
	known  agentwrit.Promises
	asked  time.Time // when the last attempt began
	asking sync.WaitGroup
	ctx    context.Context // ends the attempts
}

// newPromises asks the broker, and returns once it has answered or failed to.
func newPromises(ctx context.Context, c connection, cfg Config, log *slog.Logger, closing *closers) *promises {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p := &promises{app: c.app, now: cfg.clock, log: log, ctx: ctx}
	closing.add(func() error {
		p.mu.Lock() // no attempt may begin after Wait
		stop()
		p.mu.Unlock()
		p.asking.Wait()
		return nil
	})
	if c.embedded {
		p.known = embeddedPromises
		return p
	}
	p.asked = cfg.clock()
	p.ask()
	return p
}

// get returns what is known, without waiting for the broker.
func (p *promises) get() agentwrit.Promises {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known.Known() && p.ctx.Err() == nil && p.now().Sub(p.asked) >= promisesRetry {
		p.asked = p.now()
		p.asking.Go(p.ask)
	}
	return p.known
}

// ask asks the broker every question. A question that gets no answer keeps its
// earlier one.
func (p *promises) ask() {
	ctx, cancel := context.WithTimeout(p.ctx, promisesTimeout)
	defer cancel()
	answers, err := p.app.Promises(ctx, tools.AgentScopes(tools.Billing, patient.MustParseID("promises"))[0])
	if err != nil {
		p.log.WarnContext(ctx, "the broker did not say which promises it keeps", "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = agentwrit.Promises{Keys: cmp.Or(answers.Keys, p.known.Keys), Checkpoints: cmp.Or(answers.Checkpoints, p.known.Checkpoints),
		Cascade: cmp.Or(answers.Cascade, p.known.Cascade)}
}
