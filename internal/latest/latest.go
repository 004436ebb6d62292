// Package latest holds a value of which only the current state matters, and wakes
// its readers when it changes. For a history that readers must not miss, see
// trace.Feed.
package latest

import (
	"context"
	"sync"
)

// A Value is a current value. A slow reader skips values that were replaced
// meanwhile. It is safe for concurrent use; a T that was set must not be modified
// afterwards. The zero Value is ready to use.
type Value[T any] struct {
	mu      sync.Mutex
	value   T
	version int64
	more    chan struct{} // closed at the next change; nil while nobody waits
}

// Set replaces the value and wakes its readers.
func (l *Value[T]) Set(value T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = value
	l.version++
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// Get returns the value and its version: 0 before the first Set, and one more
// after each.
func (l *Value[T]) Get() (value T, version int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value, l.version
}

// Next waits until the value has another version than the known one, and
// returns both, or the context's error.
func (l *Value[T]) Next(ctx context.Context, known int64) (value T, version int64, err error) {
	for {
		l.mu.Lock()
		if l.version != known {
			defer l.mu.Unlock()
			return l.value, l.version, nil
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return value, known, ctx.Err()
		}
	}
}
