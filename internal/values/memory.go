package values

import (
	"context"
	"sync"

	"github.com/devonartis/medassist-go/internal/cluster"
)

// Memory is a store in the memory of this process. It is safe for concurrent use.
// The zero Memory is empty.
type Memory struct {
	mu          sync.Mutex
	values      map[string]stored
	subscribers []func(string)
}

type stored struct {
	value   []byte
	version int64
}

var _ Store = (*Memory)(nil)

// Load returns a value and its version.
func (m *Memory) Load(_ context.Context, name string) (value []byte, version int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.values[name]
	return s.value, s.version, nil
}

// Save replaces the value that has a version.
func (m *Memory) Save(_ context.Context, name string, version int64, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values[name].version != version {
		return cluster.ErrConflict
	}
	if m.values == nil {
		m.values = make(map[string]stored)
	}
	m.values[name] = stored{value, version + 1}
	for _, f := range m.subscribers {
		f(name)
	}
	return nil
}

// Subscribe has f called with the name of each value that is saved.
func (m *Memory) Subscribe(_ string, f func(name string)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, f)
}
