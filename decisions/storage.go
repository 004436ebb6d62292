package decisions

import (
	"context"
	"encoding/json"
	"fmt"
)

// A storage keeps the entries of a log, for one process or for several.
type storage interface {
	// load calls f for each entry, oldest first, and returns the head of the same
	// moment.
	load(ctx context.Context, f func(Entry)) (head, error)

	// head returns the current head.
	head(context.Context) (head, error)

	// read returns a page of the entries after a position: those of a task, or all if
	// it is empty.
	read(ctx context.Context, taskID string, after int64) ([]Entry, error)

	// append passes the current head to f, and stores the entries and the head that f
	// returns. Nobody else appends meanwhile.
	append(ctx context.Context, f func(head) ([]Entry, head)) error

	// changed receives when others may have appended. It is nil if there are none.
	changed() <-chan struct{}

	Close() error
}

// A head is a chain without its entries.
type head struct {
	size    int64 // entries so far, those that were dropped included
	dropped int64 // oldest entries that are no longer kept
	hash    string
}

// page is how many entries are read at once, so that a slow reader of the log does
// not keep the database from the decisions that are to be stored.
const page = 1000

// scanEntry reads an entry from a row with its position and its JSON.
func scanEntry(row interface{ Scan(...any) error }) (e Entry, err error) {
	var text string
	if err := row.Scan(&e.Position, &text); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(text), &e.Event); err != nil {
		return e, fmt.Errorf("entry %d: %w", e.Position, err)
	}
	return e, nil
}
