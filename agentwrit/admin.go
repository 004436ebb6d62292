package agentwrit

import (
	"context"
	"iter"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Admin is a broker's operator: it registers applications, revokes, and reads
// the audit trail. It logs in when it must, and is safe for concurrent use.
type Admin struct {
	client  *client
	session *session
}

// NewAdmin makes an Admin from the broker's admin secret. It sends nothing.
func NewAdmin(brokerURL, secret string, opts ...Option) (*Admin, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, &Error{Op: "admin", Kind: ErrInvalidRequest, Detail: "the admin secret is required"}
	}
	return &Admin{client: c, session: &session{client: c, login: call{
		op: "admin login", method: "POST", path: "/v1/admin/auth", safe: true,
		in: wire.AdminAuthRequest{Secret: secret},
	}}}, nil
}

// Login logs in now, to find out whether the secret is right.
func (a *Admin) Login(ctx context.Context) error {
	_, err := a.session.bearer(ctx)
	return err
}

// Health asks the broker how it is.
func (a *Admin) Health(ctx context.Context) (*Health, error) { return a.client.health(ctx) }

// RegisterApp registers an application. Its client secret stands in this
// answer and nowhere else. It fails with [ErrConflict] when the name is taken.
func (a *Admin) RegisterApp(ctx context.Context, req CreateAppRequest) (*AppRecord, error) {
	var app AppRecord
	err := a.session.do(ctx, call{op: "register app", method: "POST", path: "/v1/admin/apps", in: req, out: &app})
	if err != nil {
		return nil, err
	}
	if app.Name == "" {
		app.Name = req.Name // the broker leaves it out of this answer
	}
	return &app, nil
}

// Apps lists all applications, deregistered ones included.
func (a *Admin) Apps(ctx context.Context) ([]AppRecord, error) {
	var list wire.AppList
	err := a.session.do(ctx, call{op: "list apps", method: "GET", path: "/v1/admin/apps", out: &list, safe: true})
	return list.Apps, err
}

// App finds one application.
func (a *Admin) App(ctx context.Context, id string) (*AppRecord, error) {
	return a.app(ctx, call{op: "get app", method: "GET", safe: true}, id)
}

// UpdateApp changes an application's ceiling, its session life, or both.
func (a *Admin) UpdateApp(ctx context.Context, id string, req UpdateAppRequest) (*AppRecord, error) {
	return a.app(ctx, call{op: "update app", method: "PUT", in: req, safe: true}, id)
}

// DeleteApp deregisters an application: its tokens are dead.
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

// CreateLaunchToken makes a launch token that no application stands behind.
func (a *Admin) CreateLaunchToken(ctx context.Context, req LaunchTokenRequest) (*LaunchToken, error) {
	var out LaunchToken
	if err := a.session.do(ctx, call{op: "launch token", method: "POST", path: "/v1/admin/launch-tokens", in: req, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// Revoke kills a token, an agent, a task or a chain; target is what the level
// calls for (WIRE.md, "Revoke").
func (a *Admin) Revoke(ctx context.Context, level RevokeLevel, target string) (*RevokeResponse, error) {
	var out RevokeResponse
	if err := a.session.do(ctx, call{op: "revoke", method: "POST", path: "/v1/revoke", safe: true,
		in: wire.RevokeRequest{Level: level, Target: target}, out: &out}); err != nil {
		return nil, err
	}
	return &out, nil
}

// AuditFilter chooses audit events; zero fields choose all.
type AuditFilter struct {
	AgentID, TaskID string
	EventType       EventType
	Outcome         Outcome
	Since, Until    time.Time
	Limit           int // of one page, at most 1000; 0 for the broker's default of 100
	Offset          int
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

// AuditPage reads one page of the audit trail, oldest first.
func (a *Admin) AuditPage(ctx context.Context, f AuditFilter) (*AuditPage, error) {
	var page AuditPage
	if err := a.session.do(ctx, call{op: "audit events", method: "GET", path: "/v1/audit/events" + f.query(), out: &page, safe: true}); err != nil {
		return nil, err
	}
	return &page, nil
}

// AuditEvents walks the trail from f.Offset on, page by page, to what was its
// end when the last page was read. It stops at the first error.
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

// String names the admin without its secret.
func (a *Admin) String() string { return "agentwrit.Admin(" + a.client.base.Host + ")" }

// GoString is String: the secret is in no form of printing.
func (a *Admin) GoString() string { return a.String() }

// LogValue is String for slog.
func (a *Admin) LogValue() slog.Value { return slog.StringValue(a.String()) }
