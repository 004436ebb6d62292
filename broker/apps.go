package broker

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/internal/random"
)

// clientSecretBytes makes 64 hex digits: bcrypt takes at most 72 bytes.
const clientSecretBytes = 32

var appName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// parseScopes checks scopes that a caller wants to grant or request.
func parseScopes(scopes []string) error {
	if _, err := wire.ParseScopes(scopes); err != nil {
		return refuse(wire.CodeInvalidRequest, "%s", err)
	}
	return nil
}

// refuseReserved rejects scopes that only the broker's own logins may hold. An
// agent that held one could call the endpoints that require it.
func refuseReserved(scopes []string) error {
	for _, s := range scopes {
		if strings.HasPrefix(s, "admin:") || strings.HasPrefix(s, "app:") {
			return refuse(wire.CodeInvalidRequest, "scopes that begin with admin: or app: are reserved and can't be granted")
		}
	}
	return nil
}

// checkCeiling checks the scopes that an app is registered with.
func checkCeiling(scopes []string) error {
	if len(scopes) == 0 {
		return refuse(wire.CodeInvalidRequest, "scopes must not be empty")
	}
	if err := parseScopes(scopes); err != nil {
		return err
	}
	return refuseReserved(scopes)
}

func checkAppTTL(seconds int) error {
	if seconds < wire.MinAppTokenTTL || seconds > wire.MaxTTL {
		return refuse(wire.CodeInvalidTTL, "invalid token TTL: must be between %d and %d seconds, got %d",
			wire.MinAppTokenTTL, wire.MaxTTL, seconds)
	}
	return nil
}

// createApp is POST /v1/admin/apps.
func (b *Broker) createApp(r *request, in *wire.CreateAppRequest) (*wire.App, error) {
	if in.Name == "" {
		return nil, refuse(wire.CodeInvalidRequest, "name is required")
	}
	if !appName.MatchString(in.Name) {
		return nil, refuse(wire.CodeInvalidRequest, "invalid app name: must be lowercase letters, digits, and hyphens")
	}
	if err := checkCeiling(in.Scopes); err != nil {
		return nil, err
	}
	ttl := int(b.cfg.AppTokenTTL / time.Second)
	if in.TokenTTL != nil {
		ttl = *in.TokenTTL
	}
	if err := checkAppTTL(ttl); err != nil {
		return nil, err
	}

	secret := random.Hex(clientSecretBytes)
	app := &store.App{
		ID:       "app-" + random.Hex(8),
		Name:     in.Name,
		ClientID: "client-" + random.Hex(8),
		Scopes:   in.Scopes,
		TokenTTL: time.Duration(ttl) * time.Second,
	}
	var err error
	if busy := b.logins.do(r.ctx, func() {
		app.SecretHash, err = bcrypt.GenerateFromPassword([]byte(secret), b.cfg.SecretCost)
	}, b.logins.slots); busy != nil {
		return nil, busy
	}
	if err != nil {
		return nil, fmt.Errorf("hash client secret: %w", err)
	}
	err = b.act(r, func(c *change) error {
		taken, err := c.tx.AppNamed(app.Name)
		if err != nil {
			return err
		}
		if taken {
			return refuse(wire.CodeConflict, "an app named %s is registered", app.Name)
		}
		app.CreatedAt, app.UpdatedAt = c.now, c.now
		c.recordScopes(appEvent(wire.EventAppRegistered, app, ""), "app "+app.Name+" registered scopes=", app.Scopes, fmt.Sprintf(" token_ttl=%d", ttl))
		return c.putApp(app)
	})
	if err != nil {
		return nil, err
	}
	return &wire.App{AppID: app.ID, ClientID: app.ClientID, ClientSecret: secret, Scopes: app.Scopes, TokenTTL: ttl}, nil
}

// listApps is GET /v1/admin/apps. The list includes deregistered apps.
func (b *Broker) listApps(r *request, _ *none) (*wire.AppList, error) {
	if err := b.read(r, wire.MaxAuditPage); err != nil {
		return nil, err
	}
	apps, err := b.store.Apps(r.ctx)
	if err != nil {
		return nil, b.readFault(r.ctx, err)
	}
	out := &wire.AppList{Apps: []wire.App{}, Total: len(apps)}
	for _, a := range apps {
		out.Apps = append(out.Apps, *wireApp(a))
	}
	return out, nil
}

// getApp is GET /v1/admin/apps/{id}.
func (b *Broker) getApp(r *request, _ *none) (*wire.App, error) {
	if err := b.read(r, 1); err != nil {
		return nil, err
	}
	a, found, err := b.store.App(r.ctx, r.pathID)
	if err != nil {
		return nil, b.readFault(r.ctx, err)
	}
	if !found {
		return nil, errNoApp
	}
	return wireApp(a), nil
}

// updateApp is PUT /v1/admin/apps/{id}.
func (b *Broker) updateApp(r *request, in *wire.UpdateAppRequest) (*wire.App, error) {
	if in.Scopes == nil && in.TokenTTL == nil {
		return nil, refuse(wire.CodeInvalidRequest, "at least one of scopes or token_ttl must be provided")
	}
	if in.Scopes != nil {
		if err := checkCeiling(in.Scopes); err != nil {
			return nil, err
		}
	}
	if in.TokenTTL != nil {
		if err := checkAppTTL(*in.TokenTTL); err != nil {
			return nil, err
		}
	}
	app, err := b.changeApp(r, func(c *change, app *store.App) error {
		if in.TokenTTL != nil {
			app.TokenTTL = time.Duration(*in.TokenTTL) * time.Second
			c.record(appEvent(wire.EventAppUpdated, app, "token_ttl=%d", *in.TokenTTL))
		}
		if in.Scopes != nil {
			c.recordScopes(appEvent(wire.EventScopesCeilingUpdated, app, ""), "app "+app.Name+" scopes=", in.Scopes, "")
			c.recordScopes(appEvent(wire.EventScopesCeilingUpdated, app, ""), "app "+app.Name+" scopes before: ", app.Scopes, "")
			app.Scopes = in.Scopes
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return wireApp(app), nil
}

// deleteApp is DELETE /v1/admin/apps/{id}. It keeps the record, and ends the app's
// authority: its tokens, its launch tokens, its agents and everything that they
// delegated.
func (b *Broker) deleteApp(r *request, _ *none) (*wire.App, error) {
	app, err := b.changeApp(r, func(c *change, app *store.App) error {
		app.DeregisteredAt = c.now
		agents, err := c.tx.AgentsOf(app.ID)
		if err != nil {
			return err
		}
		c.record(appEvent(wire.EventAppDeregistered, app, "deregistered agents=%d", len(agents)))
		for _, id := range agents {
			c.record(wire.AuditEvent{EventType: wire.EventTokenRevoked, AgentID: id, Outcome: wire.OutcomeSuccess,
				Detail: fmt.Sprintf("revoked level=agent target=%s with app %s", id, app.Name)})
			if err := c.revokeAgent(id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &wire.App{AppID: app.ID, Status: "inactive", DeregisteredAt: &app.DeregisteredAt}, nil
}

// changeApp edits the active app named in the path.
func (b *Broker) changeApp(r *request, edit func(*change, *store.App) error) (app store.App, err error) {
	err = b.act(r, func(c *change) error {
		current, active := c.app(r.pathID)
		if !active {
			return errNoApp
		}
		app = *current
		app.UpdatedAt = c.now
		if err := edit(c, &app); err != nil {
			return err
		}
		return c.putApp(&app)
	})
	return app, err
}

func appEvent(t wire.EventType, app *store.App, detail string, args ...any) wire.AuditEvent {
	return wire.AuditEvent{EventType: t, AgentID: appSubject + app.ID, Outcome: wire.OutcomeSuccess,
		Detail: "app " + app.Name + " " + fmt.Sprintf(detail, args...)}
}

func wireApp(a store.App) *wire.App {
	out := &wire.App{
		AppID:     a.ID,
		Name:      a.Name,
		ClientID:  a.ClientID,
		Scopes:    a.Scopes,
		TokenTTL:  int(a.TokenTTL / time.Second),
		Status:    "active",
		CreatedAt: &a.CreatedAt,
		UpdatedAt: &a.UpdatedAt,
	}
	if !a.DeregisteredAt.IsZero() {
		out.Status, out.DeregisteredAt = "inactive", &a.DeregisteredAt
	}
	return out
}
