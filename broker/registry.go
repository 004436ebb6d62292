package broker

import (
	"context"
	"sync"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

// appSubject is the prefix of the sub claim of an app's own token.
const appSubject = "app:"

// registry holds the active apps in memory. Its apps are immutable; put replaces
// them.
type registry struct {
	mu       sync.RWMutex
	byID     map[string]*store.App
	byClient map[string]*store.App
}

func loadRegistry(ctx context.Context, s store.Store) (*registry, error) {
	apps, err := s.Apps(ctx)
	if err != nil {
		return nil, err
	}
	r := &registry{byID: make(map[string]*store.App), byClient: make(map[string]*store.App)}
	for i := range apps {
		r.put(&apps[i])
	}
	return r, nil
}

// put adds or replaces an app, and removes it if it was deregistered.
func (r *registry) put(a *store.App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !a.DeregisteredAt.IsZero() {
		delete(r.byID, a.ID)
		delete(r.byClient, a.ClientID)
		return
	}
	r.byID[a.ID], r.byClient[a.ClientID] = a, a
}

func (r *registry) get(id string) (*store.App, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.byID[id]
	return a, ok
}

func (r *registry) client(id string) (*store.App, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	a, ok := r.byClient[id]
	return a, ok
}
