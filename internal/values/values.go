// Package values holds small values that the replicas of an app share. A value has
// a name and is stored as JSON. A replica changes one by compare-and-save, and each
// replica learns of changes and can wait for them.
package values

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/latest"
)

// readTimeout bounds one reading of a changed value.
const readTimeout = 5 * time.Second

// A Store keeps values by name.
type Store interface {
	// Load returns a value and its version, which is 0 if there is none.
	Load(ctx context.Context, name string) (value []byte, version int64, err error)
	// Save replaces the value that has a version by one with the next version. It
	// fails with [cluster.ErrConflict] if the value has another version.
	Save(ctx context.Context, name string, version int64, value []byte) error
	// Subscribe has f called, under [cluster.ValueTopic], with the name of each value
	// that changes, and with "" when changes may have been missed. f must not block.
	Subscribe(topic string, f func(name string))
}

var _ Store = (*cluster.Cluster)(nil)

// A Value is one value of a store. It is safe for concurrent use. A T that a method
// returns must not be modified.
type Value[T any] struct {
	store Store
	name  string
	first T
	log   *slog.Logger

	changed  chan struct{} // holds one value when the stored value may be another
	learning sync.Mutex
	current  latest.Value[versioned[T]]
}

type versioned[T any] struct {
	value   T
	version int64 // of the store
}

// New returns the value with a name, and first as long as none is stored.
func New[T any](store Store, name string, first T, log *slog.Logger) *Value[T] {
	v := &Value[T]{store: store, name: name, first: first, log: log, changed: make(chan struct{}, 1)}
	v.current.Set(versioned[T]{value: first})
	return v
}

func (v *Value[T]) wake() {
	select {
	case v.changed <- struct{}{}:
	default: // it will be read anyway
	}
}

// Current returns the value as this replica knows it, without reading the store, and
// its version.
func (v *Value[T]) Current() (value T, version int64) {
	c, _ := v.current.Get()
	return c.value, c.version
}

// Next waits until this replica knows of a later version than the known one, and
// returns the value and its version.
func (v *Value[T]) Next(ctx context.Context, known int64) (value T, version int64, err error) {
	for seen := int64(0); ; {
		var c versioned[T]
		if c, seen, err = v.current.Next(ctx, seen); err != nil || c.version > known {
			return c.value, c.version, err
		}
	}
}

// Follow calls f with each version that this replica learns of, until ctx ends. It may
// skip versions that follow one another quickly, but never the last one.
func (v *Value[T]) Follow(ctx context.Context, f func(value T, version int64)) {
	for known := int64(0); ; {
		value, version, err := v.Next(ctx, known)
		if err != nil {
			return
		}
		f(value, version)
		known = version
	}
}

// Keep reads the value, and reads it again whenever it changes, until ctx ends. It
// must be called once at most.
func (v *Value[T]) Keep(ctx context.Context) {
	v.store.Subscribe(cluster.ValueTopic, func(changed string) {
		if changed == v.name || changed == "" {
			v.wake()
		}
	})
	v.wake() // for what was stored before
	for failing := false; ; {
		select {
		case <-v.changed:
		case <-ctx.Done():
			return
		}
		read, cancel := context.WithTimeout(ctx, readTimeout)
		_, _, err := v.Load(read)
		cancel()
		if err != nil && !failing && ctx.Err() == nil {
			v.log.ErrorContext(ctx, "a shared value can't be read; it is tried again", "value", v.name, "error", err)
		}
		failing = err != nil
	}
}

// Load reads the value from the store.
func (v *Value[T]) Load(ctx context.Context) (value T, version int64, err error) {
	data, version, err := v.load(ctx)
	if err != nil {
		return value, 0, err
	}
	if value, err = v.decode(data); err != nil {
		return value, 0, err
	}
	v.learn(value, version)
	return value, version, nil
}

func (v *Value[T]) load(ctx context.Context) (data []byte, version int64, err error) {
	if data, version, err = v.store.Load(ctx, v.name); err != nil {
		return nil, 0, fmt.Errorf("load the shared value %s: %w", v.name, err)
	}
	if version == 0 {
		data, err = v.encode(v.first)
	}
	return data, version, err
}

// learn makes a value the current one, unless a later one is known.
func (v *Value[T]) learn(value T, version int64) {
	v.learning.Lock()
	defer v.learning.Unlock()
	if known, _ := v.current.Get(); version > known.version {
		v.current.Set(versioned[T]{value, version})
	}
}

// Update has f change the value, saves it, and returns it with its version. If
// another replica saves the value meanwhile, f is called again with that one. If f
// fails, nothing is saved.
func (v *Value[T]) Update(ctx context.Context, f func(*T) error) (value T, version int64, err error) {
	var saved []byte // what was saved last, without success
	var failed error // why
	var tried int64  // the version that it was to replace
	for {
		data, version, err := v.load(ctx)
		if err == nil && failed != nil && version == tried {
			err = fmt.Errorf("save the shared value %s: %w", v.name, failed)
		}
		if err != nil {
			return value, 0, err
		}
		next, err := v.decode(data)
		if err != nil {
			return value, 0, err
		}
		if failed != nil && !errors.Is(failed, cluster.ErrConflict) && bytes.Equal(data, saved) { // the answer to Save was lost
			v.learn(next, version)
			return next, version, nil
		}
		if err := f(&next); err != nil {
			return value, 0, err
		}
		if saved, err = v.encode(next); err != nil {
			return value, 0, err
		}
		if bytes.Equal(saved, data) {
			return next, version, nil
		}
		tried = version
		if failed = v.store.Save(ctx, v.name, version, saved); failed == nil {
			v.learn(next, version+1)
			return next, version + 1, nil
		}
	}
}

func (v *Value[T]) encode(value T) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode the shared value %s: %w", v.name, err)
	}
	return data, nil
}

func (v *Value[T]) decode(data []byte) (value T, err error) {
	if err = json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("decode the shared value %s: %w", v.name, err)
	}
	return value, nil
}
