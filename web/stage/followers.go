package stage

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/internal/values"
)

// Bounds of the count of followers.
const (
	countEvery   = 2 * time.Second  // a changed count is told to other replicas
	recountEvery = 10 * time.Second // also one that has not changed
	countLasts   = 25 * time.Second // then the count of a replica that has stopped expires
	countTimeout = time.Second
)

// followers counts the streams that follow the stage, by layout. Each replica tells
// the others how many phones follow it. Safe for concurrent use.
type followers struct {
	open    [layouts]atomic.Int64 // here
	replica string
	phones  *values.Value[map[string]counted]
	now     func() time.Time
}

// counted is a replica's number of phones at a time.
type counted struct {
	Phones int64     `json:"phones"`
	Time   time.Time `json:"time"`
}

func newFollowers(cfg Config) *followers {
	return &followers{replica: random.Hex(8), phones: values.New(cfg.Values, "followers", map[string]counted{}, cfg.Logger), now: cfg.Clock}
}

// total returns how many phones follow at all replicas.
func (f *followers) total() int64 {
	sum := f.open[phone].Load()
	all, _ := f.phones.Current()
	for replica, c := range all {
		if replica != f.replica && f.isValid(c) {
			sum += c.Phones
		}
	}
	return sum
}

func (f *followers) isValid(c counted) bool { return f.now().Sub(c.Time) < countLasts }

// tell tells the other replicas how many phones follow here, until ctx ends.
func (f *followers) tell(ctx context.Context) {
	every := time.NewTicker(countEvery)
	defer every.Stop()
	told := counted{}
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			if told.Phones > 0 {
				f.save(ctx, counted{})
			}
			return
		}
		now := counted{f.open[phone].Load(), f.now()}
		if now.Phones != told.Phones || now.Phones > 0 && now.Time.Sub(told.Time) >= recountEvery {
			f.save(ctx, now)
			told = now
		}
	}
}

// save replaces this replica's count, and forgets those of replicas that are gone.
// If it fails, the next one will do.
func (f *followers) save(ctx context.Context, c counted) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTimeout)
	defer cancel()
	_, _, _ = f.phones.Update(ctx, func(all *map[string]counted) error {
		delete(*all, f.replica)
		for replica, c := range *all {
			if !f.isValid(c) {
				delete(*all, replica)
			}
		}
		if c.Phones > 0 {
			(*all)[f.replica] = c
		}
		return nil
	})
}
