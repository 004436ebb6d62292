package latest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Value[string]
		if _, version := l.Get(); version != 0 {
			t.Errorf("version %d before the first value", version)
		}
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		for range 2 { // readers
			go func() {
				value, _, _ := l.Next(ctx, 0)
				got <- value
			}()
		}
		synctest.Wait()
		l.Set("one")
		for range 2 {
			if value := <-got; value != "one" {
				t.Errorf("a reader got %q", value)
			}
		}
		l.Set("two")
		l.Set("three")
		if value, version, err := l.Next(ctx, 1); value != "three" || version != 3 || err != nil {
			t.Errorf("%q, version %d, %v", value, version, err)
		}
		cancel()
		if _, version, err := l.Next(ctx, 3); version != 3 || !errors.Is(err, context.Canceled) {
			t.Errorf("version %d, %v", version, err)
		}
	})
}
