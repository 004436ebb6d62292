package trace

import (
	"context"
	"io"
	"slices"
	"sync"
)

// Feed is an append-only list that any number of readers follow, each at its
// own speed. A reader is an index into the list: it costs nothing while it
// waits, holds nobody up and misses nothing. Safe for concurrent use.
type Feed[T any] struct {
	mu     sync.Mutex
	items  []T
	closed bool
	more   chan struct{} // closed at the next change; nil while nobody waits
}

// NewFeed makes an empty feed.
func NewFeed[T any]() *Feed[T] { return &Feed[T]{} }

// Append adds an item and wakes who waits for it. It does nothing to a closed
// feed.
func (f *Feed[T]) Append(item T) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.items = append(f.items, item)
	f.wake()
}

// Close marks the end: readers get what is left, then io.EOF.
func (f *Feed[T]) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.wake()
}

func (f *Feed[T]) wake() {
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// Len is the number of items so far.
func (f *Feed[T]) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.items)
}

// From makes a cursor whose first item is the one at index i, which may still
// have to come.
func (f *Feed[T]) From(i int) *Cursor[T] { return &Cursor[T]{feed: f, next: max(i, 0)} }

// after returns the items from index i on, or a channel that is closed when
// there may be more, or io.EOF. The items are shared with all readers.
func (f *Feed[T]) after(i int) ([]T, <-chan struct{}, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i < len(f.items) {
		return slices.Clip(f.items[i:]), nil, nil
	}
	if f.closed {
		return nil, nil, io.EOF
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return nil, f.more, nil
}

// Cursor is one reader's place in a [Feed]. It needs no closing. Not for
// concurrent use.
type Cursor[T any] struct {
	feed *Feed[T]
	next int
}

// Next returns all items that are there and were not yet read, waiting for one
// if there is none. The slice must not be changed. It fails with io.EOF after
// the last item of a closed feed, and with ctx's error.
func (c *Cursor[T]) Next(ctx context.Context) ([]T, error) {
	for {
		items, more, err := c.feed.after(c.next)
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			c.next += len(items)
			return items, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
