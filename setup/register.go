package setup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/devonartis/medassist-go/agentwrit"
)

// AppName is the name under which MedAssist is registered.
const AppName = "medassist"

// Credentials are an app's login at a broker.
type Credentials struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// Found says what there was at the broker.
type Found string

// What can be found.
const (
	FoundNothing Found = "nothing" // the app was registered
	FoundSame    Found = "same"    // it was there, with this ceiling
	FoundOther   Found = "other"   // it was there, with another ceiling
)

// Result is what Register found and did.
type Result struct {
	Found       Found
	App         agentwrit.AppRecord
	Credentials Credentials // the known ones, or those just made
	Changed     bool        // the ceiling was brought up to date
}

// Register makes sure that an app with these credentials is registered with
// this ceiling. Without credentials, or with some that the broker does not
// know, it registers a new app, under a name of its own if AppName is taken: a
// secret is shown once, so an app whose secret is lost can't be taken over. An
// app with another ceiling is changed only if update is set.
func Register(ctx context.Context, admin *agentwrit.Admin, ceiling []string, known Credentials, update bool) (Result, error) {
	apps, err := admin.Apps(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("list the broker's apps: %w", err)
	}
	i := slices.IndexFunc(apps, func(a agentwrit.AppRecord) bool {
		return known.ClientID != "" && a.ClientID == known.ClientID && a.Status == "active"
	})
	if i < 0 {
		return create(ctx, admin, ceiling)
	}
	r := Result{Found: FoundSame, App: apps[i], Credentials: known}
	if sameScopes(apps[i].Scopes, ceiling) {
		return r, nil
	}
	r.Found = FoundOther
	if !update {
		return r, nil
	}
	app, err := admin.UpdateApp(ctx, apps[i].AppID, agentwrit.UpdateAppRequest{Scopes: ceiling})
	if err != nil {
		return r, fmt.Errorf("bring the app's ceiling up to date: %w", err)
	}
	r.App, r.Changed = *app, true
	return r, nil
}

func create(ctx context.Context, admin *agentwrit.Admin, ceiling []string) (Result, error) {
	app, err := admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: AppName, Scopes: ceiling})
	if nameTaken(err) {
		suffix := make([]byte, 4)
		rand.Read(suffix) // never fails
		app, err = admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: AppName + "-" + hex.EncodeToString(suffix), Scopes: ceiling})
	}
	if err != nil {
		return Result{}, fmt.Errorf("register the app: %w", err)
	}
	return Result{Found: FoundNothing, App: *app, Credentials: Credentials{app.ClientID, app.ClientSecret}}, nil
}

// nameTaken: a conflict, or the 500 that other brokers answer for one.
func nameTaken(err error) bool {
	return errors.Is(err, agentwrit.ErrConflict) || errors.Is(err, agentwrit.ErrServer)
}

func sameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
