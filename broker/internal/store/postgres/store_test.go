package postgres

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
	"github.com/devonartis/medassist-go/broker/internal/store/storetest"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t *testing.T, url string) *Store { return openDirect(t, url, "") }

func openDirect(t *testing.T, url, direct string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, direct)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, pgtest.URL(t)) })
}

// Readers and heartbeats work through a pooler in transaction mode.
func TestStoreBehindAPooler(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		direct := pgtest.URL(t)
		return openDirect(t, pgtest.Pooler(t, direct, "transaction"), direct)
	})
}

// A broker that is frozen in the middle of a transaction does not block the others:
// the database ends its transaction.
func TestAHangingTransactionIsEnded(t *testing.T) {
	url := pgtest.URL(t)
	frozen, other := open(t, url), open(t, url)
	locked, goOn := make(chan struct{}), make(chan struct{})
	ended := make(chan error)
	go func() {
		_, err := frozen.Update(func(tx store.Tx) error {
			close(locked)
			<-goOn
			return tx.SetMeta("by", "frozen")
		})
		ended <- err
	}()
	<-locked
	began := time.Now()
	if _, err := other.Update(func(tx store.Tx) error { return tx.SetMeta("by", "other") }); err != nil {
		t.Errorf("the other broker is blocked: %v", err)
	}
	if took := time.Since(began); took > updateTimeout {
		t.Errorf("it took %v", took)
	}
	close(goOn)
	if err := <-ended; err == nil {
		t.Error("the frozen broker's transaction was committed")
	}
	_, err := frozen.Update(func(tx store.Tx) error {
		if by, err := tx.Meta("by"); err != nil || by != "other" {
			t.Errorf("stored by %q, %v", by, err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("the broker does not work again: %v", err)
	}
}

// A commit is not confirmed over a connection that was opened after it: the database
// may have crashed in between and lost it. The next one is confirmed.
func TestALostConnectionConfirmsNothing(t *testing.T) {
	s := open(t, pgtest.URL(t))
	set := func() (durable func() error) {
		t.Helper()
		durable, err := s.Update(func(tx store.Tx) error { return tx.SetMeta("key", "value") })
		if err != nil {
			t.Fatal(err)
		}
		return durable
	}
	if err := set()(); err != nil {
		t.Fatal(err)
	}
	before := set()
	if _, err := s.pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	if err := s.flusher.check(t.Context()); err != nil {
		t.Fatalf("the connection is not opened again: %v", err)
	}
	if err := before(); !errors.Is(err, errUnconfirmed) {
		t.Errorf("a commit of before: %v, want %v", err, errUnconfirmed)
	}
	if err := set()(); err != nil {
		t.Errorf("the next commit: %v", err)
	}
}
