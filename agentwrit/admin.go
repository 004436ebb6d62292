package agentwrit

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// An Admin is a broker's operator. It registers applications, revokes
// credentials and reads the audit log. It logs in when a call needs it and is
// safe for concurrent use.
type Admin struct {
	client  *client
	session *session
}

// NewAdmin returns an Admin that logs in with the broker's admin secret. It sends
// nothing.
func NewAdmin(brokerURL, secret string, opts ...Option) (*Admin, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, &Error{Op: "admin", Kind: ErrInvalidRequest, Detail: "the admin secret is required"}
	}
	login := func() call {
		return call{op: "admin login", method: "POST", path: "/v1/admin/auth", safe: true, in: wire.AdminAuthRequest{Secret: secret}}
	}
	return &Admin{client: c, session: &session{client: c, op: "admin login", login: login}}, nil
}

// Login logs in unless there is a session already. Other methods log in by
// themselves; call Login to check the secret.
func (a *Admin) Login(ctx context.Context) error {
	_, err := a.session.bearer(ctx)
	return err
}

// Close ends the session: it releases the session's token at the broker, and
// later calls that need a login fail with [ErrClosed].
func (a *Admin) Close() error { return a.session.close() }

// Health returns the broker's report about itself.
func (a *Admin) Health(ctx context.Context) (*Health, error) { return a.client.health(ctx) }

// RegisterApp registers an application. Only this call returns its client secret.
// It fails with [ErrConflict] if the name is taken.
//
// The reference broker answers with status 500 both under load and if the name
// is taken. RegisterApp then looks for an application of that name, and repeats
// the call once if there is none.
func (a *Admin) RegisterApp(ctx context.Context, req CreateAppRequest) (*AppRecord, error) {
	app, err := a.registerApp(ctx, req)
	var failure *Error
	if !errors.Is(err, ErrServer) || !errors.As(err, &failure) {
		return app, err
	}
	apps, listErr := a.Apps(ctx)
	if listErr != nil {
		return nil, err
	}
	for _, other := range apps {
		if other.Name == req.Name {
			return nil, &Error{Op: failure.Op, Kind: ErrConflict, Status: failure.Status, RequestID: failure.RequestID,
				Detail: "the broker failed, and an application of that name exists"}
		}
	}
	return a.registerApp(ctx, req)
}

func (a *Admin) registerApp(ctx context.Context, req CreateAppRequest) (*AppRecord, error) {
	var app AppRecord
	err := a.session.do(ctx, call{op: "register app", method: "POST", path: "/v1/admin/apps", in: req, out: &app})
	if err != nil {
		return nil, err
	}
	if app.Name == "" {
		app.Name = req.Name // the response omits it
	}
	return &app, nil
}

// Apps returns all applications, including deregistered ones.
func (a *Admin) Apps(ctx context.Context) ([]AppRecord, error) {
	var list wire.AppList
	err := a.session.do(ctx, call{op: "list apps", method: "GET", path: "/v1/admin/apps", out: &list, safe: true})
	return list.Apps, err
}

// App returns one application. It fails with [ErrNotFound] if the broker knows no
// application of that ID.
func (a *Admin) App(ctx context.Context, id string) (*AppRecord, error) {
	return a.app(ctx, call{op: "get app", method: "GET", safe: true}, id)
}

// UpdateApp changes an application's scope ceiling, the lifetime of its logins, or
// both.
func (a *Admin) UpdateApp(ctx context.Context, id string, req UpdateAppRequest) (*AppRecord, error) {
	return a.app(ctx, call{op: "update app", method: "PUT", in: req, safe: true}, id)
}

// DeleteApp deregisters an application, which revokes its credentials. The
// reference broker leaves the tokens of its agents valid; revoke their tasks
// first.
func (a *Admin) DeleteApp(ctx context.Context, id string) (*AppRecord, error) {
	return a.app(ctx, call{op: "deregister app", method: "DELETE"}, id)
}

func (a *Admin) app(ctx context.Context, k call, id string) (*AppRecord, error) {
	var app AppRecord
	k.path, k.out = "/v1/admin/apps/"+url.PathEscape(id), &app
	if err := a.session.do(ctx, k); err != nil {
		return nil, err
	}
	return &app, nil
}

// CreateLaunchToken issues a launch token that belongs to no application, so that
// no ceiling limits it.
func (a *Admin) CreateLaunchToken(ctx context.Context, req LaunchTokenRequest) (*LaunchToken, error) {
	var out LaunchToken
	if err := a.session.do(ctx, call{op: "launch token", method: "POST", path: "/v1/admin/launch-tokens", in: req, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// Revoke revokes a token, an agent, a task or a chain. The level determines what
// target is; see [RevokeToken] and the other levels.
func (a *Admin) Revoke(ctx context.Context, level RevokeLevel, target string) (*RevokeResponse, error) {
	var out RevokeResponse
	if err := a.session.do(ctx, call{op: "revoke", method: "POST", path: "/v1/revoke", safe: true,
		in: wire.RevokeRequest{Level: level, Target: target}, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// An AuditFilter selects audit events. Zero fields select all.
type AuditFilter struct {
	AgentID, TaskID string
	EventType       EventType
	Outcome         Outcome
	Since, Until    time.Time
	Limit           int // events per page, at most MaxAuditPage; 0 for the broker's default of 100
	Offset          int // events to skip
}

func (f AuditFilter) query() string {
	q := url.Values{}
	set := func(key, value string) {
		if value != "" {
			q.Set(key, value)
		}
	}
	set("agent_id", f.AgentID)
	set("task_id", f.TaskID)
	set("event_type", string(f.EventType))
	set("outcome", string(f.Outcome))
	if !f.Since.IsZero() {
		set("since", f.Since.UTC().Format(time.RFC3339Nano))
	}
	if !f.Until.IsZero() {
		set("until", f.Until.UTC().Format(time.RFC3339Nano))
	}
	if f.Limit > 0 {
		set("limit", strconv.Itoa(f.Limit))
	}
	if f.Offset > 0 {
		set("offset", strconv.Itoa(f.Offset))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// AuditPage returns one page of the audit log, oldest event first.
func (a *Admin) AuditPage(ctx context.Context, f AuditFilter) (*AuditPage, error) {
	var page AuditPage
	if err := a.session.do(ctx, call{op: "audit events", method: "GET", path: "/v1/audit/events" + f.query(), out: &page, safe: true}); err != nil {
		return nil, err
	}
	return &page, nil
}

// AuditEvents returns the selected events of the audit log from f.Offset on, and
// requests page after page until it reaches the end. An error ends the sequence.
func (a *Admin) AuditEvents(ctx context.Context, f AuditFilter) iter.Seq2[AuditEvent, error] {
	return func(yield func(AuditEvent, error) bool) {
		if f.Limit == 0 {
			f.Limit = wire.MaxAuditPage
		}
		for {
			page, err := a.AuditPage(ctx, f)
			if err != nil {
				yield(AuditEvent{}, err)
				return
			}
			for _, e := range page.Events {
				if !yield(e, nil) {
					return
				}
			}
			f.Offset += len(page.Events)
			if len(page.Events) == 0 || f.Offset >= page.Total {
				return
			}
		}
	}
}

// Checkpoint returns the signed head of the audit log; see
// [Validator.Checkpoint]. It needs no login.
func (a *Admin) Checkpoint(ctx context.Context) (note []byte, c Checkpoint, err error) {
	return a.client.checkpoint(ctx)
}

// Keys returns the broker's public keys; see [Validator.Keys]. It needs no login.
func (a *Admin) Keys(ctx context.Context) (Keys, error) { return a.client.keys(ctx) }

// String identifies the admin without revealing its secret.
func (a *Admin) String() string { return "agentwrit.Admin(" + a.client.base.Host + ")" }

// GoString returns the same text as String, so that %#v reveals no secret.
func (a *Admin) GoString() string { return a.String() }

// LogValue returns the same text as String for package slog.
func (a *Admin) LogValue() slog.Value { return slog.StringValue(a.String()) }
