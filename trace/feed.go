package trace

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
)

// A Feed is an append-only list that any number of readers follow, each at its
// own speed. A reader is an index into the list: it uses no resources while it
// waits, never blocks a writer or another reader, and receives every item. A
// Feed is safe for concurrent use.
type Feed[T any] struct {
	mu     sync.Mutex
	items  []T
	closed bool
	more   chan struct{} // closed at the next change; nil while no reader waits

	resets int // how often items were taken back
	kept   int // the number of items that were never taken back
}

// NewFeed returns an empty feed.
func NewFeed[T any]() *Feed[T] { return &Feed[T]{} }

// Append adds an item and wakes the waiting readers. It has no effect on a closed
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

// reset replaces the items. Those at the start that are the same stay; readers that
// have read on are told that what they have read is not valid.
func (f *Feed[T]) reset(items []T, same func(a, b T) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := 0
	for kept < min(len(f.items), len(items)) && same(f.items[kept], items[kept]) {
		kept++
	}
	if kept < len(f.items) {
		if f.resets == 0 || kept < f.kept {
			f.kept = kept
		}
		f.resets++
	}
	f.items = slices.Clone(items) // readers share the old ones
	f.wake()
}

// Close ends the feed: readers receive the remaining items, then io.EOF.
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

// Len returns the number of items so far.
func (f *Feed[T]) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.items)
}

// From returns a cursor whose first item is the one at index i, which may not have
// been appended yet.
func (f *Feed[T]) From(i int) *Cursor[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &Cursor[T]{feed: f, next: max(i, 0), resets: f.resets}
}

// ErrRetracted is the error of [Cursor.Next] if items that the cursor has returned
// are no longer part of the list: its owner had shown them before they were stored,
// and another replica took over. A new reader receives the current list.
var ErrRetracted = errors.New("items that were read have been taken back")

// A Cursor is a reader's position in a [Feed]. It need not be closed. It is not
// safe for concurrent use.
type Cursor[T any] struct {
	feed   *Feed[T]
	next   int
	resets int // of the feed, when the cursor last read
}

// Next returns all unread items and waits for one if there is none. The slice
// must not be modified. It fails with io.EOF after the last item of a closed
// feed, with ErrRetracted, and with ctx's error.
func (c *Cursor[T]) Next(ctx context.Context) ([]T, error) {
	for {
		items, more, err := c.unread()
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
			// What was appended before ctx ended is still returned, so that a
			// reader that is told to stop sees the end of a feed that ended first.
			select {
			case <-more:
			default:
				return nil, ctx.Err()
			}
		}
	}
}

// unread returns the items that have not been read, or a channel that is closed
// when there may be more, or io.EOF or ErrRetracted. All readers share the returned
// slice.
func (c *Cursor[T]) unread() ([]T, <-chan struct{}, error) {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.resets < f.resets && c.next > f.kept {
		return nil, nil, ErrRetracted
	}
	c.resets = f.resets
	if c.next < len(f.items) {
		return slices.Clip(f.items[c.next:]), nil, nil
	}
	if f.closed {
		return nil, nil, io.EOF
	}
	if f.more == nil {
		f.more = make(chan struct{})
	}
	return nil, f.more, nil
}
