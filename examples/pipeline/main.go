// Command pipeline passes authority along a pipeline of three agents. The collector
// may read a company's reports. It delegates one quarter to the analyst, which
// delegates one report to the writer: two hops, each narrower than the one before.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

// Identifiers may contain colons. They are not hierarchical: each report is named.
const (
	sales = "read:data:acme:2026:sales"
	costs = "read:data:acme:2026:costs"
	staff = "read:data:acme:2026:staff"
)

func main() {
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

	// The analyst and the writer can do nothing by themselves that matters here.
	var agents []*agentwrit.Agent
	defer func() { err = errors.Join(err, release(ctx, agents)) }()
	create := func(task string, scope ...string) (*agentwrit.Agent, error) {
		agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "examples", TaskID: task, Scope: scope})
		if err == nil {
			agents = append(agents, agent)
		}
		return agent, err
	}
	collector, err := create("collect", sales, costs, staff)
	if err != nil {
		return err
	}
	analyst, err := create("analyse", "read:data:public")
	if err != nil {
		return err
	}
	writer, err := create("write", "read:data:public")
	if err != nil {
		return err
	}

	first, err := collector.Delegate(ctx, analyst.ID(), []string{sales, costs}, 2*time.Minute)
	if err != nil {
		return err
	}
	agents = append(agents, first)
	second, err := first.Delegate(ctx, writer.ID(), []string{sales}, time.Minute)
	if err != nil {
		return err
	}
	agents = append(agents, second)

	claims, err := app.Validate(ctx, second.AccessToken())
	if err != nil {
		return err
	}
	fmt.Println("the writer holds", claims.Scope)
	for i, hop := range claims.DelegationChain {
		fmt.Printf("hop %d: %s held %v\n", i+1, hop.Agent, hop.Scope)
	}

	// Nobody can delegate what they don't hold.
	_, err = first.Delegate(ctx, writer.ID(), []string{staff}, time.Minute)
	fmt.Println("the analyst delegates staff data, refused:", errors.Is(err, agentwrit.ErrAuthorization))
	return nil
}

// release releases tokens in reverse, so that delegated ones end before those they
// came from.
func release(ctx context.Context, agents []*agentwrit.Agent) (err error) {
	for i := len(agents) - 1; i >= 0; i-- {
		err = errors.Join(err, agents[i].Release(ctx))
	}
	return err
}
