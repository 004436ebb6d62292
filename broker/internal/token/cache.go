package token

import (
	"sync"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Limits of the cache: two generations of cacheTokens tokens of at most
// cacheTokenBytes each.
const (
	cacheTokens     = 2048
	cacheTokenBytes = 2048
)

// A cache holds tokens whose signatures were verified. Verification is three
// quarters of the cost of a validation, and its result never changes. Everything
// that can change is checked each time.
//
// The cache consists of two maps. When the young map is full it becomes the old
// one, and the previous old map is dropped. A lookup moves a token to the young
// map.
type cache struct {
	mu         sync.RWMutex
	young, old map[string]*wire.Claims
}

func (c *cache) get(raw string) *wire.Claims {
	c.mu.RLock()
	claims, young := c.young[raw]
	if !young {
		claims = c.old[raw]
	}
	c.mu.RUnlock()
	if claims != nil && !young {
		c.put(raw, claims)
	}
	return claims
}

func (c *cache) put(raw string, claims *wire.Claims) {
	if len(raw) > cacheTokenBytes {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= cacheTokens {
		c.young, c.old = make(map[string]*wire.Claims), c.young
	}
	c.young[raw] = claims
}
