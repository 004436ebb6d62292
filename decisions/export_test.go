package decisions

import "testing"

// Exec runs a statement on the log's database.
func Exec(t *testing.T, l *Log, query string) {
	t.Helper()
	if _, err := l.db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

// SetBound sets how many entries the log keeps.
func SetBound(l *Log, n int64) { l.bound = n }

// Batch adds a decision n times with one transaction.
func Batch(t *testing.T, l *Log, n int, d Decision) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.append(d)
	}
	l.save(t.Context())
}
