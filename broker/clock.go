package broker

import (
	"strconv"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/broker/internal/store"
)

// clockJump is how far the wall clock must move ahead at once for the broker to
// store the new time immediately. Otherwise it is stored with every audit event
// and every sweep.
const clockJump = time.Second

// metaClock is the name under which the database stores the clock's time, in Unix
// nanoseconds.
const metaClock = "clock"

// A clock is the time by which the broker decides about credentials. It never
// runs backwards, also across restarts: it follows the wall clock while that is
// ahead, and otherwise continues from the latest time it has returned, at the
// pace of the monotonic clock. A wall clock that was ahead for a while and is set
// back therefore makes nothing valid again that had expired.
//
// It is safe for concurrent use.
type clock struct {
	wall   func() time.Time
	jumped chan struct{} // receives after the wall clock jumped ahead

	mu      sync.Mutex
	latest  time.Time // the latest time returned
	reading time.Time // the reading of wall at that moment
	skews   int       // times that the wall clock was set back by clockJump or more
}

func newClock(wall func() time.Time) *clock {
	c := &clock{wall: wall, jumped: make(chan struct{}, 1), reading: wall()}
	c.latest = withoutMonotonic(c.reading)
	return c
}

// withoutMonotonic returns a wall time in UTC. Subtracting it from another time
// never uses the monotonic clock.
func withoutMonotonic(t time.Time) time.Time { return t.Round(0).UTC() }

// now returns the current time, which is never before an earlier result.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance()
}

// advance reads the wall clock. The caller holds the lock.
func (c *clock) advance() time.Time {
	reading := c.wall()
	// Sub uses the monotonic clock if both readings have it. Otherwise a step
	// back counts as no time at all.
	next := c.latest.Add(max(0, reading.Sub(c.reading)))
	if wall := withoutMonotonic(reading); wall.After(next) {
		if wall.Sub(next) >= clockJump {
			select {
			case c.jumped <- struct{}{}:
			default:
			}
		}
		next = wall
	}
	if withoutMonotonic(c.reading).Sub(withoutMonotonic(reading)) >= clockJump {
		c.skews++
	}
	c.latest, c.reading = next, reading
	return next
}

// skewed returns how often the wall clock was set back.
func (c *clock) skewed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.skews
}

// notBefore moves the clock ahead to t, if it is not there yet.
func (c *clock) notBefore(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// The time since the last reading has passed before t, so it must not be
	// counted after it.
	if c.advance().Before(t) {
		c.latest = t
	}
}

// behind returns how far the wall clock is behind the broker's time.
func (c *clock) behind() time.Duration {
	return max(0, c.now().Sub(withoutMonotonic(c.wall())))
}

// storeClock stores the current time. Whatever a transaction decides because of
// the time must store the time with it: a decision such as deleting an expired
// revocation must still be right after a restart with another wall clock.
func (b *Broker) storeClock(tx store.Tx) error {
	if err := b.readClock(tx); err != nil { // another process may have stored a later one
		return err
	}
	return tx.SetMeta(metaClock, strconv.FormatInt(b.now().UnixNano(), 10))
}

// readClock moves the clock to the stored time.
func (b *Broker) readClock(tx store.Tx) error {
	stored, err := tx.Meta(metaClock)
	if err != nil {
		return err
	}
	if nanos, err := strconv.ParseInt(stored, 10, 64); err == nil {
		b.clock.notBefore(time.Unix(0, nanos).UTC())
	}
	return nil
}

// loadClock moves the clock to the stored time, or to the last audit event if
// that is later.
func (b *Broker) loadClock() error {
	if err := b.update(b.readClock); err != nil {
		return err
	}
	b.clock.notBefore(b.audit.lastAt)
	if behind := b.clock.behind(); behind >= clockJump {
		b.log.Warn("the wall clock is behind the stored time; the stored time is used", "behind", behind.Round(time.Second))
	}
	return nil
}
