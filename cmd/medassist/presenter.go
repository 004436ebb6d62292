package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/privatefile"
	"github.com/devonartis/medassist-go/internal/random"
)

// Requirements for a presenter's key, in characters.
const (
	minKeyLength   = 12
	maxKeyLength   = 128
	minKeyDistinct = 6
	minKeyChanges  = 8 // characters that neither repeat nor continue the one before
)

const (
	generatedKeyBytes = 12
	cookieSecretBytes = 32
)

// presenterKey returns the key that changing anything needs: the configured one,
// or beyond loopback a generated one. On loopback it returns "", which means that
// none is needed, unless one is configured. Replicas generate one together.
func presenterKey(ctx context.Context, cfg Config, addr net.Addr, replicas *cluster.Cluster) (string, error) {
	switch {
	case cfg.PresenterKey != "":
		if err := checkKey(cfg.PresenterKey); err != nil {
			return "", fmt.Errorf("MEDASSIST_PRESENTER_KEY %w; generate one with `openssl rand -hex 12`, or leave it empty", err)
		}
		return cfg.PresenterKey, nil
	case isLoopback(addr):
		return "", nil
	case replicas != nil:
		return sharedRandom(ctx, replicas, "presenter-key", generatedKeyBytes)
	}
	return random.Hex(generatedKeyBytes), nil
}

// cookieSecret returns the secret from which, together with the key, the presenter's
// cookie is derived. Replicas have it in common.
func cookieSecret(ctx context.Context, cfg Config, replicas *cluster.Cluster, log *slog.Logger) (string, error) {
	if replicas != nil {
		return sharedRandom(ctx, replicas, "cookie-secret", cookieSecretBytes)
	}
	return storedCookieSecret(cfg, log), nil
}

// storedCookieSecret returns the secret that is kept in the data folder, so that the
// presenter need not enter the key again after a restart.
func storedCookieSecret(cfg Config, log *slog.Logger) string {
	path := cfg.file("cookie-secret")
	if path == "" {
		return random.Hex(cookieSecretBytes)
	}
	if known, err := os.ReadFile(path); err == nil && len(known) == 2*cookieSecretBytes {
		return string(known)
	}
	secret := random.Hex(cookieSecretBytes)
	if err := privatefile.Write(path, []byte(secret)); err != nil {
		log.Warn("can't store the secret of the presenter's cookie, so the key must be entered again after a restart", "file", path, "error", err)
	}
	return secret
}

// checkKey reports why a key can't be used. Characters that have a meaning in a
// link or a cookie are fine, because they are encoded there.
func checkKey(key string) error {
	switch n := utf8.RuneCountInString(key); {
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unprintable):
		return errors.New("contains characters that can't be typed or sent")
	case strings.TrimSpace(key) != key:
		return errors.New("begins or ends with a space")
	case n < minKeyLength:
		return fmt.Errorf("has %d characters; it needs at least %d", n, minKeyLength)
	case n > maxKeyLength:
		return fmt.Errorf("has %d characters; at most %d are allowed", n, maxKeyLength)
	}
	distinct, changes := map[rune]bool{}, 0
	last := []rune(key)[0]
	for _, r := range key {
		distinct[r] = true
		if r < last-1 || r > last+1 {
			changes++
		}
		last = r
	}
	if len(distinct) < minKeyDistinct || changes < minKeyChanges {
		return errors.New("is too easy to guess")
	}
	return nil
}

// keyQuery returns the path and query that log the presenter in.
func keyQuery(key string) string {
	if key == "" {
		return ""
	}
	return "/?key=" + url.QueryEscape(key)
}
