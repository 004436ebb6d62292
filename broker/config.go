package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Config configures a broker. The zero value is a broker without permanent data and
// with a generated admin secret.
type Config struct {
	// Dir is the data folder, created if missing. Only one process at a time
	// can use it. If empty, all data is in a private temporary folder that Close
	// removes, and secrets are in memory only.
	Dir string

	// Database is the URL of a PostgreSQL database (postgres://…) that any number
	// of brokers share; Dir is then not used. It needs AdminSecret, the same one
	// for all of them, which also seals the keys that they share.
	Database string

	// DirectDatabase is the URL of the same database without a pooler in between.
	// It is needed if Database leads to a pooler in transaction mode.
	DirectDatabase string

	// AdminSecret authenticates the admin and has at least MinAdminSecret
	// characters. If empty, the secret stored in Dir is used; if there is none,
	// a new one is generated and stored there with mode 0600.
	AdminSecret string

	// TrustDomain is the SPIFFE trust domain of agent IDs; empty means
	// agentwrit.local.
	TrustDomain string

	Issuer   string   // the tokens' iss claim; may be empty
	Audience []string // the tokens' aud claim; omitted when empty

	// Lifetimes where neither the request nor the app sets one, 1 second to 24
	// hours. Zero means the protocol's default.
	AdminTokenTTL  time.Duration // 5 minutes
	AppTokenTTL    time.Duration // 30 minutes; at least 1 minute
	AgentTTL       time.Duration // 5 minutes: a launch token's max_ttl
	LaunchTokenTTL time.Duration // 30 seconds
	DelegationTTL  time.Duration // 1 minute

	// MaxTTL is the longest lifetime of a token; longer ones are shortened to it.
	// 1 second to 24 hours; zero means 24 hours.
	MaxTTL time.Duration

	// TrustedProxies are the proxies whose X-Forwarded-For header is used. If
	// empty, the header is ignored and the client is the peer of the connection.
	TrustedProxies []netip.Prefix

	// SecretCost is the bcrypt cost of stored client secrets; zero means 10.
	// The secrets are 256 random bits, which no cost makes easier to guess: a
	// test may lower it.
	SecretCost int

	// Hosts are further host names under which the broker is reached while it
	// listens on loopback only, for example through a reverse proxy. Without them
	// Serve then accepts localhost and loopback addresses only.
	Hosts []string

	TLS     *tls.Config      // for Serve; nil serves plain HTTP
	Clock   func() time.Time // nil means time.Now
	Logger  *slog.Logger     // nil discards
	Version string           // for GET /v1/health; empty means "dev"
}

// MinAdminSecret is the minimum length of an admin secret, in bytes.
const MinAdminSecret = 16

// ErrWeakSecret is wrapped by the error of [Open] for an admin secret that is
// too short or easily guessed.
var ErrWeakSecret = errors.New("weak admin secret")

// withDefaults checks the configuration and fills in defaults, except for the
// admin secret, which may be stored in the data folder.
func (c Config) withDefaults() (Config, error) {
	if c.TrustDomain == "" {
		c.TrustDomain = wire.DefaultTrustDomain
	}
	if _, err := spiffeid.TrustDomainFromString(c.TrustDomain); err != nil || strings.Contains(c.TrustDomain, "/") {
		return c, fmt.Errorf("trust domain %q: want a name like %s", c.TrustDomain, wire.DefaultTrustDomain)
	}
	for _, ttl := range []struct {
		name    string
		value   *time.Duration
		seconds int
	}{
		{"admin token", &c.AdminTokenTTL, wire.AdminTokenTTL},
		{"app token", &c.AppTokenTTL, wire.DefaultAppTokenTTL},
		{"agent", &c.AgentTTL, wire.DefaultAgentTTL},
		{"launch token", &c.LaunchTokenTTL, wire.DefaultLaunchTokenTTL},
		{"delegation", &c.DelegationTTL, wire.DefaultDelegationTTL},
		{"maximum", &c.MaxTTL, wire.MaxTTL},
	} {
		if *ttl.value == 0 {
			*ttl.value = time.Duration(ttl.seconds) * time.Second
		}
		if *ttl.value < time.Second || *ttl.value > maxTTL {
			return c, fmt.Errorf("%s TTL %v: want 1s to 24h", ttl.name, *ttl.value)
		}
	}
	if c.AppTokenTTL < wire.MinAppTokenTTL*time.Second {
		return c, fmt.Errorf("app token TTL %v: want 1m to 24h", c.AppTokenTTL)
	}
	if c.SecretCost == 0 {
		c.SecretCost = bcrypt.DefaultCost
	}
	if c.SecretCost < bcrypt.MinCost || c.SecretCost > bcrypt.MaxCost {
		return c, fmt.Errorf("bcrypt cost %d: want %d to %d", c.SecretCost, bcrypt.MinCost, bcrypt.MaxCost)
	}
	c.Hosts = slices.Clone(c.Hosts)
	for i, host := range c.Hosts {
		c.Hosts[i] = strings.ToLower(host)
	}
	if c.Database != "" && c.AdminSecret == "" {
		return c, errors.New("a database that brokers share needs an admin secret, the same one for all of them")
	}
	if c.AdminSecret != "" {
		if err := checkSecret(c.AdminSecret); err != nil {
			return c, err
		}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	return c, nil
}

const maxTTL = wire.MaxTTL * time.Second

// placeholders are words that occur in example configurations, not in secrets.
var placeholders = []string{"change", "secret-here", "your-", "placeholder", "example", "password", "12345678"}

// checkSecret rejects secrets that can be guessed: short ones, a few characters
// repeated, and placeholders from copied configuration files.
func checkSecret(secret string) error {
	if len(secret) < MinAdminSecret {
		return fmt.Errorf("%w: %d characters, want at least %d; `openssl rand -hex 32` makes one",
			ErrWeakSecret, len(secret), MinAdminSecret)
	}
	distinct := make(map[rune]struct{})
	for _, r := range secret {
		distinct[r] = struct{}{}
	}
	if len(distinct) < 6 {
		return fmt.Errorf("%w: too few different characters", ErrWeakSecret)
	}
	for _, p := range placeholders {
		if strings.Contains(strings.ToLower(secret), p) {
			return fmt.Errorf("%w: it looks like a placeholder (%q)", ErrWeakSecret, p)
		}
	}
	return nil
}
