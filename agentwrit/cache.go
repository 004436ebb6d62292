package agentwrit

import (
	"context"
	"encoding/json"
	"time"
)

// A TokenCache stores an [App]'s session where other processes of the same
// application find it; see [WithTokenCache]. Brokers limit how often an application
// may log in: with a cache, any number of processes log in about as often as one.
//
// What is stored holds a token with which agents can be created, so encrypt it. A
// cache reports its failures itself. Without a session from the cache, the app logs in.
// Its methods may be called concurrently.
type TokenCache interface {
	// Load returns what was saved last by any process, or nil.
	Load(ctx context.Context) []byte
	// Save replaces what is stored.
	Save(ctx context.Context, session []byte)
}

// A sessionCache is a [TokenCache] for one application at one broker. It ignores the
// sessions of others, so that a token is sent nowhere else.
type sessionCache struct {
	store    TokenCache
	broker   string
	clientID string
	timeout  time.Duration
}

// cachedSession is the stored form.
type cachedSession struct {
	Broker   string    `json:"broker"`
	ClientID string    `json:"client_id"`
	Token    string    `json:"token"`
	RenewAt  time.Time `json:"renew_at"`
}

// load returns the stored session, and false if there is none, if it has to be
// renewed, or if its token is the refused one.
func (c *sessionCache) load(ctx context.Context, now time.Time, refused string) (grant, bool) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var s cachedSession
	if json.Unmarshal(c.store.Load(ctx), &s) != nil || s.Broker != c.broker || s.ClientID != c.clientID {
		return grant{}, false
	}
	if s.Token == "" || s.Token == refused || !now.Before(s.RenewAt) {
		return grant{}, false
	}
	return grant{keep(s.Token), s.RenewAt}, true
}

func (c *sessionCache) save(ctx context.Context, g grant) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	encoded, err := json.Marshal(cachedSession{c.broker, c.clientID, g.token.reveal(), g.renewAt})
	if err == nil {
		c.store.Save(ctx, encoded)
	}
}
