package setup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/internal/random"
)

// AppName is the name under which MedAssist is registered.
const AppName = "medassist"

// Credentials are an app's login at a broker.
type Credentials struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

// Found tells which registration the broker already had.
type Found string

// The values of [Found].
const (
	FoundNothing Found = "nothing" // none: the app was registered now
	FoundSame    Found = "same"    // one with the wanted ceiling
	FoundOther   Found = "other"   // one with another ceiling
)

// A Result tells what [Register] found and did.
type Result struct {
	Found       Found
	App         agentwrit.AppRecord
	Credentials Credentials // the known ones, or newly issued ones
	Changed     bool        // the ceiling was updated
}

// Register ensures that an app with the known credentials is registered with
// the given ceiling. Without credentials, or with credentials that belong to no
// active app, it registers a new one; if AppName is taken, under a name with a
// random suffix, because the broker shows a secret only once and an app whose
// secret is lost can't be used. The ceiling of an existing app is changed only
// if update is set.
func Register(ctx context.Context, admin *agentwrit.Admin, ceiling []string, known Credentials, update bool) (Result, error) {
	apps, err := admin.Apps(ctx)
	if err != nil {
		return Result{}, fmt.Errorf("list the broker's apps: %w", err)
	}
	i := slices.IndexFunc(apps, func(a agentwrit.AppRecord) bool {
		return known.ClientID != "" && a.ClientID == known.ClientID && a.Status == "active"
	})
	if i < 0 {
		return create(ctx, admin, ceiling, apps)
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
		return r, fmt.Errorf("update the app's ceiling: %w", err)
	}
	r.App, r.Changed = *app, true
	return r, nil
}

func create(ctx context.Context, admin *agentwrit.Admin, ceiling []string, apps []agentwrit.AppRecord) (Result, error) {
	name, suffixed := AppName, AppName+"-"+random.Hex(4)
	if slices.ContainsFunc(apps, func(a agentwrit.AppRecord) bool { return a.Name == AppName }) {
		name = suffixed
	}
	app, err := admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: name, Scopes: ceiling})
	if nameTaken(err) && name != suffixed {
		app, err = admin.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: suffixed, Scopes: ceiling})
	}
	if err != nil {
		return Result{}, fmt.Errorf("register the app: %w", err)
	}
	for name, value := range map[string]string{"client ID": app.ClientID, "client secret": app.ClientSecret} {
		if !printable(value) {
			return Result{}, fmt.Errorf("register the app: the broker's response has a %s with unexpected characters; delete the app %q", name, app.AppID)
		}
	}
	return Result{Found: FoundNothing, App: *app, Credentials: Credentials{app.ClientID, app.ClientSecret}}, nil
}

// maxCredential is the longest client ID or secret that is accepted from a broker.
const maxCredential = 512

// printable reports whether a credential consists of printable ASCII characters
// without spaces and quotes, as it is stored, sent and printed.
func printable(s string) bool {
	return s != "" && len(s) <= maxCredential && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"'`\\", r)
	})
}

// nameTaken reports whether a registration failed because of its name. Some
// brokers answer 500 instead of a conflict.
func nameTaken(err error) bool {
	return errors.Is(err, agentwrit.ErrConflict) || errors.Is(err, agentwrit.ErrServer)
}

// sameScopes compares two lists of scopes regardless of their order.
func sameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
