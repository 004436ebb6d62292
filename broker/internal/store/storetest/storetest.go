// Package storetest has the tests that every implementation of store.Store passes.
package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

var now = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// Run runs the tests, each on a new, empty database.
func Run(t *testing.T, open func(*testing.T) store.Store) {
	t.Run("expire", func(t *testing.T) { testExpire(t, open(t)) })
	t.Run("revoke twice", func(t *testing.T) { testRevokeTwice(t, open) })
	t.Run("free text", func(t *testing.T) { testFreeText(t, open(t)) })
}

func update(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	durable, err := s.Update(fn)
	if err == nil && durable != nil {
		err = durable()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func testExpire(t *testing.T, s store.Store) {
	at := func(d time.Duration) time.Time { return now.Add(d) }
	hash := func(i int) [32]byte { return [32]byte{byte(i)} }
	lifetimes := []time.Time{at(-time.Hour), at(0), at(1), at(time.Hour)}
	update(t, s, func(tx store.Tx) error {
		var errs []error
		for i, expires := range lifetimes {
			errs = append(errs,
				tx.InsertAgent(store.Agent{ID: fmt.Sprint("agent", i), PublicKey: make([]byte, 32), ExpiresAt: expires}),
				tx.InsertLaunchToken(store.LaunchToken{Hash: hash(i), ExpiresAt: expires}),
				tx.InsertToken(store.Token{ID: fmt.Sprint("jti", i), ExpiresAt: expires}),
				tx.Revoke(store.Revocation{Kind: "token", Target: fmt.Sprint("jti", i), KeepUntil: expires}))
		}
		return errors.Join(append(errs,
			tx.Revoke(store.Revocation{Kind: "chain", Target: "agent0", KeepUntil: at(0)}),
			tx.Revoke(store.Revocation{Kind: "chain", Target: "agent3", KeepUntil: at(0)}))...)
	})

	var gone []string
	for more := true; more; {
		update(t, s, func(tx store.Tx) error {
			dropped, left, err := tx.Expire(now, 1)
			for _, r := range dropped {
				gone = append(gone, r.Kind+" "+r.Target)
			}
			more = left
			return err
		})
	}
	slices.Sort(gone)
	// agent3 is unexpired, so the entry that forbids it to delegate must stay.
	if want := []string{"chain agent0", "token jti0", "token jti1"}; !slices.Equal(gone, want) {
		t.Errorf("dropped %v, want %v", gone, want)
	}
	if left, err := s.Revocations(t.Context()); err != nil || len(left) != 3 {
		t.Errorf("revocations left: %v, %v; want 3", left, err)
	}
	update(t, s, func(tx store.Tx) error {
		for i := range lifetimes {
			_, agent, err1 := tx.Agent(fmt.Sprint("agent", i))
			_, launch, err2 := tx.LaunchToken(hash(i))
			_, token, err3 := tx.Token(fmt.Sprint("jti", i))
			if want := i >= 2; agent != want || launch != want || token != want {
				t.Errorf("expiry %v: agent %t, launch token %t, token %t, want %t", lifetimes[i], agent, launch, token, want)
			}
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
		}
		return nil
	})
}

// Of two revocations with one target the later cutoff and the longer retention
// apply, in either order.
func testRevokeTwice(t *testing.T, open func(*testing.T) store.Store) {
	early := store.Revocation{Kind: "chain", Target: "a", Cutoff: 5, KeepUntil: now.Add(time.Hour)}
	late := store.Revocation{Kind: "chain", Target: "a", Cutoff: 9, KeepUntil: now.Add(time.Minute)}
	for _, order := range [][]store.Revocation{{early, late}, {late, early}} {
		s := open(t)
		for _, r := range order {
			update(t, s, func(tx store.Tx) error { return tx.Revoke(r) })
		}
		got, err := s.Revocations(t.Context())
		if err != nil || len(got) != 1 || got[0].Cutoff != 9 || !got[0].KeepUntil.Equal(early.KeepUntil) {
			t.Errorf("revocations = %+v, %v; want cutoff 9, kept for an hour", got, err)
		}
	}
}

// A name may have any character, and text that can't be an ID is not found.
func testFreeText(t *testing.T, s store.Store) {
	name := "a\x00b\u202e日"
	update(t, s, func(tx store.Tx) error {
		return errors.Join(
			tx.InsertLaunchToken(store.LaunchToken{Hash: [32]byte{1}, AgentName: name, ExpiresAt: now}),
			tx.InsertAgent(store.Agent{ID: "a", Name: name, PublicKey: []byte{}, ExpiresAt: now}))
	})
	update(t, s, func(tx store.Tx) error {
		l, _, err1 := tx.LaunchToken([32]byte{1})
		a, _, err2 := tx.Agent("a")
		if l.AgentName != name || a.Name != name {
			t.Errorf("names %q and %q, want %q", l.AgentName, a.Name, name)
		}
		_, found, err3 := tx.Agent("b\x00")
		if found {
			t.Error("an agent that does not exist is found")
		}
		return errors.Join(err1, err2, err3)
	})
	if _, found, err := s.App(t.Context(), "\x00"); found || err != nil {
		t.Errorf("an app that does not exist: %t, %v", found, err)
	}
	if _, n, err := s.Events(t.Context(), store.EventFilter{TaskID: "\xff\x00", Limit: 1}); n != 0 || err != nil {
		t.Errorf("events of a task that does not exist: %d, %v", n, err)
	}
}
