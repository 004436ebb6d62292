package agentwrit

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// App is an application registered at a broker. It logs in when it must and
// keeps the session for all its callers. It is safe for concurrent use.
type App struct {
	client  *client
	session *session
	id      string
}

// NewApp makes an App from what a broker's operator handed out. It sends
// nothing; the first call that needs a login makes it.
func NewApp(brokerURL, clientID, clientSecret string, opts ...Option) (*App, error) {
	c, err := newClient(brokerURL, opts)
	if err != nil {
		return nil, err
	}
	if clientID == "" || clientSecret == "" {
		return nil, &Error{Op: "app", Kind: ErrInvalidRequest, Detail: "client ID and client secret are required"}
	}
	return &App{client: c, id: clientID, session: &session{client: c, login: call{
		op: "app login", method: "POST", path: "/v1/app/auth", safe: true,
		in: wire.AppAuthRequest{ClientID: clientID, ClientSecret: clientSecret},
	}}}, nil
}

// Login logs in now, if there is no session yet: to find out whether the
// credentials are right, or to have the first agent sooner.
func (a *App) Login(ctx context.Context) error {
	_, err := a.session.bearer(ctx)
	return err
}

// AgentRequest says what agent to create.
type AgentRequest struct {
	OrchID string        // the orchestration; letters, digits and . _ -
	TaskID string        // the task; likewise
	Scope  []string      // what the agent may do, within the app's ceiling
	MaxTTL time.Duration // life of its tokens, 0 for the broker's default of 300 s
	Label  string        // name in the broker's audit trail; OrchID/TaskID if empty
	// Key proves the agent's identity. It must be an Ed25519 key; nil makes
	// one, which never leaves memory.
	Key crypto.Signer
}

// CreateAgent registers a new agent: a launch token within the app's ceiling,
// a challenge, and a signature over it. It fails with [ErrAuthorization] when
// the scope is above the ceiling.
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
	var launch wire.LaunchTokenResponse
	if err := a.session.do(ctx, call{op: "launch token", method: "POST",
		path: "/v1/app/launch-tokens", in: launchReq, out: &launch}); err != nil {
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
		reg.AccessToken, reg.ExpiresIn)
}

// Validate asks the broker about a token; see [Validate].
func (a *App) Validate(ctx context.Context, token string) (*Claims, error) {
	return a.client.validate(ctx, token)
}

// Health asks the broker how it is.
func (a *App) Health(ctx context.Context) (*Health, error) { return a.client.health(ctx) }

// ClientID is the app's public name at the broker.
func (a *App) ClientID() string { return a.id }

// String names the app without its secret.
func (a *App) String() string { return "agentwrit.App(" + a.id + ")" }

// GoString is String: the secret is in no form of printing.
func (a *App) GoString() string { return a.String() }

// LogValue is String for slog.
func (a *App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// signer checks a key, or makes one.
func signer(key crypto.Signer) (crypto.Signer, ed25519.PublicKey, error) {
	if key == nil {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, nil, &Error{Op: "make a key", Kind: ErrCrypto, cause: err}
		}
		return private, public, nil
	}
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, nil, &Error{Op: "read the key", Kind: ErrCrypto, Detail: "the key must be Ed25519"}
	}
	return key, public, nil
}

// sign signs a nonce's 32 bytes (WIRE.md, "Register").
func sign(key crypto.Signer, nonce string) ([]byte, error) {
	raw, err := hex.DecodeString(nonce)
	if err != nil || len(raw) != 32 {
		return nil, &Error{Op: "challenge", Kind: ErrProtocol, Detail: "the broker's nonce is not 64 hex digits"}
	}
	sig, err := key.Sign(rand.Reader, raw, crypto.Hash(0))
	if err != nil {
		return nil, &Error{Op: "sign the challenge", Kind: ErrCrypto, Detail: "the key did not sign", cause: err}
	}
	return sig, nil
}
