package agentwrit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// An App is an application that is registered at a broker. It logs in when a call
// needs it, and all its callers share the session. An App is safe for
// concurrent use.
type App struct {
	client  *client
	session *session
	id      string

	queued atomic.Bool   // launch tokens are requested one at a time
	turn   chan struct{} // semaphore: its holder requests one
}

// NewApp returns an App that logs in with the client ID and secret that the
// broker issued when the application was registered. It sends nothing.
func NewApp(brokerURL, clientID, clientSecret string, opts ...Option) (*App, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	if clientID == "" || clientSecret == "" {
		return nil, &Error{Op: "app", Kind: ErrInvalidRequest, Detail: "client ID and client secret are required"}
	}
	login := func() call {
		return call{op: "app login", method: "POST", path: "/v1/app/auth", safe: true,
			in: wire.AppAuthRequest{ClientID: clientID, ClientSecret: clientSecret}}
	}
	s := &session{client: c, op: "app login", login: login}
	if c.cache != nil {
		s.cache = &sessionCache{c.cache, c.base.String(), clientID, c.timeout}
	}
	return &App{client: c, id: clientID, turn: make(chan struct{}, 1), session: s}, nil
}

// Login logs in unless there is a session already. Other methods log in by
// themselves; call Login to check the credentials, or to create the first agent
// faster.
func (a *App) Login(ctx context.Context) error {
	_, err := a.session.bearer(ctx)
	return err
}

// Close ends the session: it releases the session's token at the broker, and
// later calls that need a login fail with [ErrClosed]. Agents keep their own
// tokens and can still be renewed and released. With [WithTokenCache] the session
// stays valid for the other processes that share it.
func (a *App) Close() error { return a.session.close() }

// An AgentRequest describes an agent to create.
type AgentRequest struct {
	OrchID string        // orchestration; letters, digits and ". _ -"
	TaskID string        // task; the same characters
	Scope  []string      // scopes of its token, within the app's ceiling
	MaxTTL time.Duration // lifetime of its tokens, 0 for the broker's default of 300 s
	Label  string        // name in the audit log, OrchID/TaskID if empty
	// Key proves the agent's identity and must be an Ed25519 key. If it is nil,
	// CreateAgent generates one that never leaves memory.
	Key crypto.Signer
}

// CreateAgent registers a new agent: it obtains a launch token, signs the
// broker's challenge with the agent's key, and receives the agent's first
// access token. It fails with [ErrAuthorization] if the scope exceeds the app's
// ceiling.
func (a *App) CreateAgent(ctx context.Context, req AgentRequest) (*Agent, error) {
	key, public, err := signer(req.Key)
	if err != nil {
		return nil, err
	}
	label := req.Label
	if label == "" {
		label = req.OrchID + "/" + req.TaskID
	}
	launchReq := wire.LaunchTokenRequest{AgentName: label, AllowedScope: req.Scope}
	if req.MaxTTL > 0 {
		ttl := wholeSeconds(req.MaxTTL)
		launchReq.MaxTTL = &ttl
	}
	launch, err := a.launchToken(ctx, launchReq)
	if err != nil {
		return nil, err
	}
	var challenge wire.Challenge
	if err := a.client.do(ctx, call{op: "challenge", method: "GET", path: "/v1/challenge", out: &challenge, safe: true}); err != nil {
		return nil, err
	}
	signature, err := sign(key, challenge.Nonce)
	if err != nil {
		return nil, err
	}
	sent := a.client.now()
	var reg wire.RegisterResponse
	if err := a.client.do(ctx, call{op: "register agent", method: "POST", path: "/v1/register", out: &reg, issuing: true,
		in: wire.RegisterRequest{
			LaunchToken: launch.LaunchToken, Nonce: challenge.Nonce,
			PublicKey: base64.StdEncoding.EncodeToString(public),
			Signature: base64.StdEncoding.EncodeToString(signature),
			OrchID:    req.OrchID, TaskID: req.TaskID, RequestedScope: req.Scope,
		}}); err != nil {
		return nil, err
	}
	return newAgent(a.client, "register agent", identity{id: reg.AgentID, taskID: req.TaskID, orchID: req.OrchID, scope: req.Scope},
		reg.AccessToken, reg.ExpiresIn, sent)
}

// launchToken obtains a launch token. The reference broker refuses one of two
// requests that arrive at once; after the first such refusal the app requests one
// at a time, so that many agents queue up instead of colliding again and again.
func (a *App) launchToken(ctx context.Context, req wire.LaunchTokenRequest) (*wire.LaunchTokenResponse, error) {
	launch := new(wire.LaunchTokenResponse)
	k := call{op: "launch token", method: "POST", path: "/v1/app/launch-tokens", in: req, out: launch}
	if !a.queued.Load() {
		err := a.session.do(ctx, k)
		var refusal *Error
		if !errors.As(err, &refusal) || !appBusy(refusal) {
			return launch, err
		}
		a.queued.Store(true)
	}
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return nil, &Error{Op: k.op, Kind: ErrUnavailable, cause: ctx.Err(),
			Detail: "the broker serves one request of this application at a time, and others were first"}
	}
	k.temporary = appBusy // another process may use the same credentials
	return launch, a.session.do(ctx, k)
}

// appBusy reports whether err is the answer that the reference broker gives when
// two of an application's requests arrive at once and its store is locked. It
// changes the error's kind, since nothing was denied.
func appBusy(err *Error) bool {
	if err.Status != 403 || !strings.EqualFold(err.Detail, "app not found") {
		return false
	}
	err.Kind = ErrUnavailable
	err.Hint = "the broker can't look up this application at the moment; if it was deregistered, register it again"
	return true
}

// Validate asks the broker whether a token is valid; see [Validator.Validate].
func (a *App) Validate(ctx context.Context, token string) (*Claims, error) {
	return a.client.validate(ctx, token)
}

// Health returns the broker's report about itself.
func (a *App) Health(ctx context.Context) (*Health, error) { return a.client.health(ctx) }

// ClientID returns the client ID, which is not secret.
func (a *App) ClientID() string { return a.id }

// String identifies the app without revealing its secret.
func (a *App) String() string { return "agentwrit.App(" + a.id + ")" }

// GoString returns the same text as String, so that %#v reveals no secret.
func (a *App) GoString() string { return a.String() }

// LogValue returns the same text as String for package slog.
func (a *App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// signer returns key and its public half. It generates a key if key is nil.
func signer(key crypto.Signer) (crypto.Signer, ed25519.PublicKey, error) {
	if key == nil {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, &Error{Op: "generate key", Kind: ErrCrypto, cause: err}
		}
		return private, public, nil
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, nil, &Error{Op: "use key", Kind: ErrCrypto, Detail: "the key must be Ed25519"}
	}
	return key, public, nil
}

// sign signs the 32 bytes of a nonce (docs/protocol.md, "Registration").
func sign(key crypto.Signer, nonce string) ([]byte, error) {
	raw, err := hex.DecodeString(nonce)
	if err != nil || len(raw) != 32 {
		return nil, &Error{Op: "challenge", Kind: ErrProtocol, Detail: "the broker's nonce is not 64 hex digits"}
	}
	sig, err := key.Sign(rand.Reader, raw, crypto.Hash(0))
	if err != nil {
		return nil, &Error{Op: "sign challenge", Kind: ErrCrypto, Detail: "the key failed to sign", cause: err}
	}
	return sig, nil
}
