package decisions

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// A storage keeps the entries of a log, for one process or for several.
type storage interface {
	// load calls f for each entry, oldest first, and returns the head of the same
	// moment.
	load(ctx context.Context, f func(entry)) (head, error)

	// head returns the current head.
	head(context.Context) (head, error)

	// read returns a page of the entries after a position: those of a task, or all if
	// it is empty.
	read(ctx context.Context, taskID string, after int64) ([]entry, error)

	// append passes the current head to f, and stores the entries and the head that f
	// returns. Nobody else appends meanwhile.
	append(ctx context.Context, f func(head) ([]entry, head)) error

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

// An entry is an entry of a log at its position, from 1 on.
type entry struct {
	position int64
	event    wire.AuditEvent
}

// page is how many entries are read at once, so that a slow reader of the log does
// not keep the database from the decisions that are to be stored.
const page = 1000

// scanEntry reads an entry from a row with its position and its JSON.
func scanEntry(row interface{ Scan(...any) error }) (e entry, err error) {
	var text string
	if err := row.Scan(&e.position, &text); err != nil {
		return e, err
	}
	if err := json.Unmarshal([]byte(text), &e.event); err != nil {
		return e, fmt.Errorf("entry %d: %w", e.position, err)
	}
	return e, nil
}
