package stage

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/internal/values"
)

// Each replica counts the phones of all, without those of replicas that are gone.
func TestFollowersOfAllReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Values: new(values.Memory), Clock: time.Now, Logger: slog.New(slog.DiscardHandler)}
		replicas := [3]*followers{}
		var stop [3]context.CancelFunc
		for i := range replicas {
			f := newFollowers(cfg)
			ctx, cancel := context.WithCancel(t.Context())
			replicas[i], stop[i] = f, cancel
			f.open[phone].Add(10)
			f.open[wall].Add(1)
			go f.phones.Keep(ctx)
			go f.tell(ctx)
		}
		count := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := replicas[0].total(); got != want {
				t.Errorf("%s: %d phones, want %d", when, got, want)
			}
		}
		count("at first", 10)
		time.Sleep(countEvery)
		count("when the others have told", 30)
		time.Sleep(time.Hour)
		count("much later", 30)
		replicas[0].open[phone].Add(1)
		count("one more here", 31)
		replicas[1].open[phone].Add(-10)
		time.Sleep(countEvery)
		count("all have left the second replica", 21)
		stop[2]()
		count("the third replica has stopped", 11)
		newFollowers(cfg).save(t.Context(), counted{7, time.Now()}) // by a replica that fails then
		count("a fourth replica", 18)
		time.Sleep(countLasts)
		count("the fourth replica has failed", 11)
		stop[0]()
		stop[1]()
	})
}
