// Command long-task works for longer than its token lives. The token is short, so
// that a leaked one is soon worthless, and a goroutine renews it at half its life.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

var (
	ttl   = flag.Duration("ttl", 30*time.Second, "lifetime of the token")
	items = flag.Int("items", 100, "how many items there are to work on")
	each  = flag.Duration("each", time.Second, "how long each of them takes")
)

// inUse is held for reading while a request with the token is under way: a renewal
// would revoke the token that the request carries.
var inUse sync.RWMutex

func main() {
	flag.Parse()
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) (err error) {
	app, err := agentwrit.NewApp(os.Getenv("AGENTWRIT_BROKER_URL"), os.Getenv("AGENTWRIT_CLIENT_ID"), os.Getenv("AGENTWRIT_CLIENT_SECRET"))
	if err != nil {
		return err
	}
	defer app.Close()
	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
		OrchID: "examples", TaskID: "long-task", Scope: []string{"read:records:P-1042"}, MaxTTL: *ttl,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, agent.Release(ctx)) }()

	working, done := context.WithCancelCause(ctx)
	var renewals int
	var keeper sync.WaitGroup
	keeper.Go(func() { renewals = keepFresh(working, agent, done) })
	began := time.Now()
	for range *items {
		if err := work(working, app, agent); err != nil {
			done(err)
			break
		}
	}
	done(nil) // has no effect after a failure
	keeper.Wait()
	if err := context.Cause(working); err != context.Canceled {
		return err
	}
	fmt.Printf("worked for %d lifetimes with %d renewals\n", time.Since(began) / *ttl, renewals)
	return nil
}

// work does an item's work. It reads the token when it needs it: a renewal replaces
// it.
func work(ctx context.Context, app *agentwrit.App, agent *agentwrit.Agent) error {
	inUse.RLock()
	_, err := app.Validate(ctx, agent.AccessToken())
	inUse.RUnlock()
	if err != nil {
		return err
	}
	select {
	case <-time.After(*each):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keepFresh renews the token until ctx ends, and fails the task if it can't. It
// returns the number of renewals. A renewal that has begun is completed, because its
// response holds the token that is to be released.
func keepFresh(ctx context.Context, agent *agentwrit.Agent, fail context.CancelCauseFunc) (renewals int) {
	for {
		select {
		case <-ctx.Done():
			return renewals
		case <-time.After(agent.ExpiresIn() / 2):
		}
		inUse.Lock()
		err := agent.Renew(context.WithoutCancel(ctx))
		inUse.Unlock()
		switch {
		case err == nil:
			renewals++
		case ctx.Err() == nil:
			fail(fmt.Errorf("renew: %w", err))
		}
	}
}
