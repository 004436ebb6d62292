// Command operator is a broker operator's tool. It needs the admin secret in
// AGENTWRIT_ADMIN_SECRET and the broker's address in AGENTWRIT_BROKER_URL.
//
//	operator register NAME SCOPE ...   register an app with these scopes as its ceiling
//	operator watch                     print audit events as they happen
//	operator revoke LEVEL TARGET       revoke a token, an agent, a task or a chain
//	operator verify                    check that the audit log was not edited
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	admin, err := agentwrit.NewAdmin(os.Getenv("AGENTWRIT_BROKER_URL"), os.Getenv("AGENTWRIT_ADMIN_SECRET"))
	if err != nil {
		log.Fatal(err)
	}
	defer admin.Close()
	if err := run(ctx, admin, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, admin *agentwrit.Admin, args []string) error {
	switch {
	case len(args) >= 3 && args[0] == "register":
		return register(ctx, admin, args[1], args[2:])
	case len(args) == 1 && args[0] == "watch":
		return watch(ctx, admin)
	case len(args) == 3 && args[0] == "revoke":
		return revoke(ctx, admin, agentwrit.RevokeLevel(args[1]), args[2])
	case len(args) == 1 && args[0] == "verify":
		return verify(ctx, admin)
	}
	return errors.New("usage: operator register NAME SCOPE ... | watch | revoke LEVEL TARGET | verify")
}

func register(ctx context.Context, admin *agentwrit.Admin, name string, ceiling []string) error {
	app, err := admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: name, Scopes: ceiling})
	if err != nil {
		return err
	}
	// Only this answer contains the client secret.
	fmt.Printf("AGENTWRIT_CLIENT_ID=%s\nAGENTWRIT_CLIENT_SECRET=%s\n", app.ClientID, app.ClientSecret)
	return nil
}

// watch prints the events that are written from now on, until it is interrupted.
func watch(ctx context.Context, admin *agentwrit.Admin) error {
	page, err := admin.AuditPage(ctx, agentwrit.AuditFilter{Limit: 1})
	if err != nil {
		return err
	}
	fmt.Println("watching")
	for next := page.Total; ; {
		for e, err := range admin.AuditEvents(ctx, agentwrit.AuditFilter{Offset: next}) {
			if err != nil {
				return ignoreInterrupt(ctx, err)
			}
			fmt.Println(e.ID, e.EventType, e.Outcome, e.Detail)
			next++
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

// ignoreInterrupt returns nil for an error that is due to the interrupt.
func ignoreInterrupt(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func revoke(ctx context.Context, admin *agentwrit.Admin, level agentwrit.RevokeLevel, target string) error {
	done, err := admin.Revoke(ctx, level, target)
	if err != nil {
		return err
	}
	fmt.Println("revoked", done.Level, done.Target)
	return nil
}

// verify recomputes the hash chain of the whole log and compares it with the
// broker's signed checkpoint. Save checkpoints elsewhere and pass them too: only
// they show that the end of the log was cut off.
func verify(ctx context.Context, admin *agentwrit.Admin) error {
	_, checkpoint, err := admin.Checkpoint(ctx)
	if err != nil {
		return err
	}
	size, head, err := agentwrit.VerifyChain(admin.AuditEvents(ctx, agentwrit.AuditFilter{}), checkpoint)
	if err != nil {
		return err
	}
	fmt.Printf("%d events verified, head %.12s\n", size, head)
	return nil
}
