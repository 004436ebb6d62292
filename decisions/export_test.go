package decisions

import (
	"context"
	"errors"
	"testing"
)

// Exec runs a statement on the log's database, whose tables it names without a schema.
func Exec(t *testing.T, l *Log, query string) {
	t.Helper()
	var err error
	switch s := l.storage.(type) {
	case *embedded:
		_, err = s.db.Exec(query)
	case *shared:
		_, err = s.cluster.Pool().Exec(t.Context(), "SET search_path = decisions; "+query+"; RESET search_path")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// SetBound sets how many entries the log keeps.
func SetBound(l *Log, n int64) { l.bound = n }

// Batch adds a decision n times with one transaction.
func Batch(t *testing.T, l *Log, n int, d Decision) {
	t.Helper()
	for range n {
		l.add(d)
	}
	l.save(t.Context())
}

// LoseAnswer has the next attempt to store entries fail after they are stored.
func LoseAnswer(l *Log) {
	l.storing.Lock()
	defer l.storing.Unlock()
	l.storage = &lossy{storage: l.storage}
}

type lossy struct {
	storage
	lost bool
}

func (s *lossy) append(ctx context.Context, f func(head) ([]Entry, head)) error {
	err := s.storage.append(ctx, f)
	if err == nil && !s.lost {
		s.lost = true
		return errors.New("connection lost")
	}
	return err
}
