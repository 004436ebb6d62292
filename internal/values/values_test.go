package values

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type count struct {
	N     int      `json:"n"`
	Names []string `json:"names"`
}

func newCount(s Store) *Value[count] {
	return New(s, "count", count{N: 10}, slog.New(slog.DiscardHandler))
}

// Replicas that change a value at the same time lose no change, and all learn the
// last one.
func TestReplicasShareAValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store Memory
		ctx, cancel := context.WithCancel(t.Context())
		var keeping, changing sync.WaitGroup
		replicas := make([]*Value[count], 3)
		for i := range replicas {
			v := newCount(&store)
			replicas[i] = v
			keeping.Go(func() { v.Keep(ctx) })
			changing.Go(func() {
				for range 100 {
					if _, _, err := v.Update(ctx, func(c *count) error { c.N++; return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if got, _ := replicas[0].Current(); got.N < 10 {
			t.Errorf("first %d", got.N)
		}
		changing.Wait()
		synctest.Wait()
		for i, v := range replicas {
			if got, version := v.Current(); got.N != 310 || version != 300 {
				t.Errorf("replica %d: %d, version %d", i, got.N, version)
			}
		}
		cancel()
		keeping.Wait()
	})
}

// What a caller got does not change with the value.
func TestUpdateChangesACopy(t *testing.T) {
	v := newCount(&Memory{})
	set := func(name string) {
		if _, _, err := v.Update(t.Context(), func(c *count) error { c.Names = append(c.Names[:0], name); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set("one")
	one, _ := v.Current()
	set("two")
	if two, _ := v.Current(); one.Names[0] != "one" || two.Names[0] != "two" {
		t.Errorf("%v, then %v", one, two)
	}
}

// A change that is refused, or that changes nothing, is not saved.
func TestUpdateWithoutChange(t *testing.T) {
	store := &Memory{}
	v, refused := newCount(store), errors.New("refused")
	if _, _, err := v.Update(t.Context(), func(c *count) error { c.N = 0; return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if got, _, err := v.Update(t.Context(), func(*count) error { return nil }); err != nil || got.N != 10 {
		t.Errorf("%v, %v", got, err)
	}
	if _, version, _ := store.Load(t.Context(), "count"); version != 0 {
		t.Errorf("version %d was saved", version)
	}
}

// faulty fails as a database can.
type faulty struct {
	Memory
	load, save error
	lost       bool // Save saves and then fails
}

func (f *faulty) Load(ctx context.Context, name string) ([]byte, int64, error) {
	if f.load != nil {
		return nil, 0, f.load
	}
	return f.Memory.Load(ctx, name)
}

func (f *faulty) Save(ctx context.Context, name string, version int64, value []byte) error {
	if f.lost {
		_ = f.Memory.Save(ctx, name, version, value)
	}
	if f.save != nil {
		return f.save
	}
	return f.Memory.Save(ctx, name, version, value)
}

// A store that fails is reported. A save of which only the answer was lost is not
// done twice.
func TestStoreFails(t *testing.T) {
	away := errors.New("the database is away")
	for name, tc := range map[string]struct {
		store *faulty
		fails bool
		want  int // stored afterwards; 0 for nothing
	}{
		"it can't be read":    {store: &faulty{load: away}, fails: true},
		"it can't be written": {store: &faulty{save: away}, fails: true},
		"the answer was lost": {store: &faulty{save: away, lost: true}, want: 11},
		"all is well":         {store: &faulty{}, want: 11},
	} {
		v := newCount(tc.store)
		_, _, err := v.Update(t.Context(), func(c *count) error { c.N++; return nil })
		if (err != nil) != tc.fails || tc.fails && !errors.Is(err, away) {
			t.Errorf("%s: %v", name, err)
		}
		tc.store.load = nil
		got, version, err := v.Load(t.Context())
		if err != nil || tc.want == 0 && version != 0 || tc.want != 0 && (got.N != tc.want || version != 1) {
			t.Errorf("%s: stored %v, version %d, %v", name, got, version, err)
		}
	}
}

// A follower is told of what is stored already, and of each change after that.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newCount(&Memory{})
		ctx, cancel := context.WithCancel(t.Context())
		add := func() {
			if _, _, err := v.Update(ctx, func(c *count) error { c.N++; return nil }); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		add()
		var seen []int
		var following sync.WaitGroup
		following.Go(func() { v.Follow(ctx, func(c count, version int64) { seen = append(seen, c.N, int(version)) }) })
		synctest.Wait()
		add()
		cancel()
		following.Wait()
		if want := []int{11, 1, 12, 2}; !slices.Equal(seen, want) {
			t.Errorf("values and versions %v, want %v", seen, want)
		}
	})
}

// A reader waits for the next version, and is told what it has missed.
func TestNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newCount(&Memory{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		go func() {
			for range 2 {
				time.Sleep(time.Second)
				_, _, _ = v.Update(ctx, func(c *count) error { c.N++; return nil })
			}
		}()
		for want := int64(1); want <= 2; want++ {
			got, version, err := v.Next(ctx, want-1)
			if version != want || got.N != 10+int(want) || err != nil {
				t.Errorf("version %d: %v, %v", version, got, err)
			}
		}
		if _, _, err := v.Next(ctx, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("no change: %v", err)
		}
	})
}
