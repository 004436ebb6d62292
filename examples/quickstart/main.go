// Command quickstart gives an agent a token for one task, shows what the token
// allows, and revokes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/devonartis/medassist-go/agentwrit"
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

	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
		OrchID: "examples",
		TaskID: "quickstart",
		Scope:  []string{"read:records:P-1042"},
	})
	if err != nil {
		return err
	}
	// Also on an early return. Releasing a token twice does nothing.
	defer func() { err = errors.Join(err, agent.Release(ctx)) }()

	// A service that receives the token asks the broker what it allows.
	claims, err := app.Validate(ctx, agent.AccessToken())
	if err != nil {
		return err
	}
	fmt.Println("agent", claims.Subject)
	for _, scope := range []string{"read:records:P-1042", "read:records:P-2187"} {
		fmt.Println(scope, "allowed:", agentwrit.ScopeIsSubset([]string{scope}, claims.Scope))
	}

	if err := agent.Release(ctx); err != nil {
		return err
	}
	_, err = app.Validate(ctx, agent.AccessToken())
	fmt.Println("revoked:", errors.Is(err, agentwrit.ErrTokenInvalid))
	return nil
}
