package trail_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/web/trail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// way is the way to a real broker, on which someone may sit.
type way struct {
	*agentwrit.Admin
	mu      sync.Mutex
	pages   []agentwrit.AuditFilter // that were asked for
	tamper  func(*agentwrit.AuditPage)
	blocked bool
}

func (w *way) AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error) {
	w.mu.Lock()
	w.pages = append(w.pages, f)
	tamper, blocked := w.tamper, w.blocked
	w.mu.Unlock()
	if blocked {
		return nil, errors.New("the way is blocked")
	}
	page, err := w.Admin.AuditPage(ctx, f)
	if err == nil && tamper != nil {
		tamper(page)
	}
	return page, err
}

func (w *way) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func newWay(t *testing.T) *way {
	t.Helper()
	return &way{Admin: brokertest.Start(t).Admin(t)}
}

// grow makes n events.
func grow(t *testing.T, a *agentwrit.Admin, n int) {
	t.Helper()
	for range n {
		if _, err := a.Revoke(t.Context(), "task", "nothing"); err != nil {
			t.Fatal(err)
		}
	}
}

// Every event is verified, also beyond the broker's pages of a thousand, and
// none is asked for twice.
func TestFollowsBeyondAPage(t *testing.T) {
	w := newWay(t)
	grow(t, w.Admin, 1100)
	tr := trail.New(w, time.Now)
	s := tr.Refresh(t.Context())
	if s.Broken != nil || s.Verified < 1100 || s.Verified != s.Total || s.Head != s.Newest[len(s.Newest)-1].Hash || s.First() != 1 {
		t.Fatalf("verified %d of %d: %v", s.Verified, s.Total, s.Broken)
	}
	if s.Signed == nil || s.Signed.Size != s.Verified {
		t.Errorf("signed: %+v", s.Signed)
	}
	grow(t, w.Admin, 5)
	before := s.Verified
	if s = tr.Refresh(t.Context()); s.Verified != before+5 {
		t.Errorf("verified %d, want %d", s.Verified, before+5)
	}
	if last := w.pages[len(w.pages)-1]; last.Offset != int(before) {
		t.Errorf("asked from %d on, want %d", last.Offset, before)
	}
}

// Whatever is done to the trail on its way is found, and nothing behind it is
// believed.
func TestFindsWhatWasChanged(t *testing.T) {
	for name, tc := range map[string]struct {
		tamper func(*agentwrit.AuditPage)
		says   string
	}{
		"an edit":    {func(p *agentwrit.AuditPage) { p.Events[3].Detail = "x" }, "event modified"},
		"a deletion": {func(p *agentwrit.AuditPage) { p.Events = slices.Delete(p.Events, 3, 4) }, "removed, inserted or moved"},
		"a swap":     {func(p *agentwrit.AuditPage) { p.Events[3], p.Events[4] = p.Events[4], p.Events[3] }, "removed, inserted or moved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWay(t)
			grow(t, w.Admin, 8)
			w.set(func() { w.tamper = tc.tamper })
			tr := trail.New(w, time.Now)
			s := tr.Refresh(t.Context())
			if s.Broken == nil || !strings.Contains(s.Broken.Error(), tc.says) || s.Verified != 3 {
				t.Fatalf("%d verified, %v", s.Verified, s.Broken)
			}
			w.set(func() { w.tamper = nil })
			if s = tr.Refresh(t.Context()); s.Broken == nil {
				t.Error("what was found is forgotten by itself")
			}
			tr.Anew()
			if s = tr.Refresh(t.Context()); s.Broken != nil || s.Verified < 8 {
				t.Errorf("followed anew: %d, %v", s.Verified, s.Broken)
			}
		})
	}
}

// An end that is cut leaves a chain that fits: it is found because more was
// seen before.
func TestFindsACutEnd(t *testing.T) {
	w := newWay(t)
	grow(t, w.Admin, 8)
	tr := trail.New(w, time.Now)
	before := tr.Refresh(t.Context()).Verified
	w.set(func() {
		w.tamper = func(p *agentwrit.AuditPage) { p.Total, p.Events = int(before)-2, nil }
	})
	if s := tr.Refresh(t.Context()); s.Broken == nil || s.Verified != before {
		t.Errorf("%d verified, %v", s.Verified, s.Broken)
	}
}

// A broker that is away is no tampering, and what was read stays.
func TestABrokerThatIsAway(t *testing.T) {
	w := newWay(t)
	grow(t, w.Admin, 3)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tr := trail.New(w, func() time.Time { return at })
	n := tr.Refresh(t.Context()).Verified
	w.set(func() { w.blocked = true })
	tr.Refresh(t.Context())
	at = at.Add(time.Minute)
	s := tr.Refresh(t.Context())
	if s.Away == nil || s.Broken != nil || s.Verified != n || !s.Since.Equal(at.Add(-time.Minute)) {
		t.Errorf("%+v", s)
	}
	w.set(func() { w.blocked = false })
	if s = tr.Refresh(t.Context()); s.Away != nil {
		t.Errorf("it answers, and is away: %v", s.Away)
	}
}

// All watchers share one poll, which ends with the last of them.
func TestWatch(t *testing.T) {
	w := newWay(t)
	tr := trail.New(w, time.Now)
	defer tr.Close()
	known := tr.Refresh(t.Context())
	leave := []func(){tr.Watch(), tr.Watch()}
	grow(t, w.Admin, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if s, err := tr.Next(ctx, known); err != nil || s.Verified <= known.Verified {
				t.Errorf("%d, %v", s.Verified, err)
			}
		})
	}
	wg.Wait()
	leave[0]()
	leave[0]()
	leave[1]()
	if _, err := tr.Next(canceled(), tr.State()); !errors.Is(err, context.Canceled) {
		t.Errorf("waited: %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Each change to a copy is found, and the trail is as it was.
func TestTamper(t *testing.T) {
	w := newWay(t)
	grow(t, w.Admin, 20)
	s := trail.New(w, time.Now).Refresh(t.Context())
	last := s.Newest[len(s.Newest)-6:]
	for _, tc := range []struct {
		change trail.Change
		at     int // in the last six
		good   int
		says   string
		head   bool
	}{
		{trail.Edit, 2, 2, "event modified", false},
		{trail.Rewrite, 2, 3, "prev_hash", false},
		{trail.Rewrite, 5, 6, "the last event was rewritten", true},
		{trail.Delete, 2, 2, "prev_hash", false},
		{trail.Delete, 5, 5, "the end was cut", true},
		{trail.Swap, 2, 1, "prev_hash", false},
		{trail.Cut, 3, 3, "the end was cut", true},
	} {
		got, err := trail.Tamper(s, 6, tc.change, last[tc.at].ID)
		if err != nil || got.Good != tc.good || !strings.Contains(got.Found, tc.says) || got.ByCheckpoint != tc.head {
			t.Errorf("%s at %d: %d good, %q by a head: %v, %v", tc.change, tc.at, got.Good, got.Found, got.ByCheckpoint, err)
		}
	}
	for _, tc := range []struct {
		change trail.Change
		id     string
	}{{trail.Edit, "evt-none"}, {trail.Swap, last[0].ID}, {"burn", last[1].ID}, {trail.Edit, s.Newest[0].ID}} {
		if _, err := trail.Tamper(s, 6, tc.change, tc.id); !errors.Is(err, trail.ErrNoEvent) {
			t.Errorf("%s %s: %v", tc.change, tc.id, err)
		}
	}
	if again, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
		for _, e := range s.Newest {
			if !yield(e, nil) {
				return
			}
		}
	}); err != nil || again != s.Verified {
		t.Errorf("the trail itself was touched: %v", err)
	}
}
