package token

import (
	"sync"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// Bounds of the cache: two generations of cacheTokens tokens of at most
// cacheTokenBytes each.
const (
	cacheTokens     = 2048
	cacheTokenBytes = 2048
)

// cache remembers tokens whose signature was found good. A signature that held
// once holds always, and its check is three quarters of the cost of a
// validation; everything that can change is looked at each time.
//
// It is two maps: when the young one is full it becomes the old one, and what
// was old is dropped, unless it was asked for again meanwhile.
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
