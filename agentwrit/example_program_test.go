package agentwrit_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

// A whole program: it creates an agent for one task, lets it act, and releases
// its token.
func Example_program() {
	brokerURL, clientID, clientSecret := startBroker() // from the environment, in your program

	if err := visit(context.Background(), brokerURL, clientID, clientSecret); err != nil {
		log.Fatal(err)
	}
	// Output:
	// The agent may [read:records:P-1042] for 2m0s.
	// Token released: true
}

func visit(ctx context.Context, brokerURL, clientID, clientSecret string) error {
	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
	if err != nil {
		return err
	}
	defer app.Close()

	agent, err := app.CreateAgent(ctx, agentwrit.AgentRequest{
		OrchID: "clinic",
		TaskID: "visit-17",
		Scope:  []string{"read:records:P-1042"},
		MaxTTL: 2 * time.Minute,
	})
	if err != nil {
		return err
	}
	defer agent.Release(ctx) // in case of an early return

	// A service that receives the token asks the broker what it allows.
	claims, err := agentwrit.Validate(ctx, brokerURL, agent.AccessToken())
	if err != nil {
		return err
	}
	fmt.Printf("The agent may %v for %v.\n", claims.Scope, agent.ExpiresIn().Round(time.Minute))

	if err := agent.Release(ctx); err != nil {
		return err
	}
	fmt.Println("Token released:", agent.Released())
	return nil
}
