package auditlog_test

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
	"github.com/devonartis/medassist-go/web/auditlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connection is the connection to a real broker, which a test can tamper with.
type connection struct {
	*agentwrit.Admin
	mu      sync.Mutex
	pages   []agentwrit.AuditFilter // that were asked for
	tamper  func(*agentwrit.AuditPage)
	blocked bool
	forged  bool // the log is another one than was signed
}

func (w *connection) Checkpoint(ctx context.Context) ([]byte, agentwrit.Checkpoint, error) {
	note, c, err := w.Admin.Checkpoint(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.forged {
		c.Hash = strings.Repeat("0", len(c.Hash))
	}
	return note, c, err
}

func (w *connection) AuditPage(ctx context.Context, f agentwrit.AuditFilter) (*agentwrit.AuditPage, error) {
	w.mu.Lock()
	w.pages = append(w.pages, f)
	tamper, blocked := w.tamper, w.blocked
	w.mu.Unlock()
	if blocked {
		return nil, errors.New("connection refused")
	}
	page, err := w.Admin.AuditPage(ctx, f)
	if err == nil && tamper != nil {
		tamper(page)
	}
	return page, err
}

func (w *connection) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func newConnection(t *testing.T) *connection {
	t.Helper()
	return &connection{Admin: brokertest.Start(t).Admin(t)}
}

// grow appends n events to the log.
func grow(t *testing.T, a *agentwrit.Admin, n int) {
	t.Helper()
	var growing sync.WaitGroup
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	for range 8 { // at once, so that they share commits
		growing.Go(func() {
			for range todo {
				if _, err := a.Revoke(t.Context(), "task", "nothing"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	growing.Wait()
}

// Every event is verified, also beyond the broker's pages of a thousand, and none
// is fetched twice.
func TestFollowsBeyondAPage(t *testing.T) {
	w := newConnection(t)
	grow(t, w.Admin, 1001)
	tr := auditlog.New(w, time.Now)
	s := tr.Refresh(t.Context())
	if s.Broken != nil || s.Verified <= 1000 || s.Verified != s.Total || s.Head != s.Newest[len(s.Newest)-1].Hash || s.First() != 1 {
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

// A change in transit is detected, and the events after it stay visible.
func TestDetectsChanges(t *testing.T) {
	for name, tc := range map[string]struct {
		tamper func(*agentwrit.AuditPage)
		says   string
	}{
		"an edit":    {func(p *agentwrit.AuditPage) { p.Events[3].Detail = "x" }, "event modified"},
		"a deletion": {func(p *agentwrit.AuditPage) { p.Events = slices.Delete(p.Events, 3, 4) }, "removed, inserted or moved"},
		"a swap":     {func(p *agentwrit.AuditPage) { p.Events[3], p.Events[4] = p.Events[4], p.Events[3] }, "removed, inserted or moved"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newConnection(t)
			grow(t, w.Admin, 8)
			var once sync.Once
			w.set(func() { w.tamper = func(p *agentwrit.AuditPage) { once.Do(func() { tc.tamper(p) }) } })
			tr := auditlog.New(w, time.Now)
			s := tr.Refresh(t.Context())
			if s.Broken == nil || !strings.Contains(s.Broken.Error(), tc.says) || s.Verified != 3 || s.Breaks < 1 || s.Read != s.Total || len(s.Newest) != int(s.Read) {
				t.Fatalf("%d verified, %d read of %d, %d breaks, %v", s.Verified, s.Read, s.Total, s.Breaks, s.Broken)
			}
			first := s.Broken
			grow(t, w.Admin, 2)
			if s = tr.Refresh(t.Context()); s.Broken != first || s.Verified != 3 || s.Read != s.Total || s.Newest[len(s.Newest)-1].Hash != s.Head {
				t.Errorf("after two more events: %d verified, %d read of %d, %v", s.Verified, s.Read, s.Total, s.Broken)
			}
			tr.Restart()
			if s = tr.Refresh(t.Context()); s.Broken != nil || s.Verified < 8 {
				t.Errorf("restarted: %d, %v", s.Verified, s.Broken)
			}
		})
	}
}

// A truncated log is a valid chain: it is detected because more events were seen
// before.
func TestDetectsATruncatedLog(t *testing.T) {
	w := newConnection(t)
	grow(t, w.Admin, 8)
	tr := auditlog.New(w, time.Now)
	before := tr.Refresh(t.Context()).Verified
	w.set(func() {
		w.tamper = func(p *agentwrit.AuditPage) { p.Total, p.Events = int(before)-2, nil }
	})
	if s := tr.Refresh(t.Context()); s.Broken == nil || s.Verified != before {
		t.Errorf("%d verified, %v", s.Verified, s.Broken)
	}
}

// A broker that loses an event in a restart serves a chain that is broken at that
// place. The break is reported once, and later events follow from each other.
func TestLostEvent(t *testing.T) {
	b := brokertest.StartReference(t, brokertest.OnDisk(t.TempDir()))
	admin := b.Admin(t)
	grow(t, admin, 5)
	b.Restart(t)
	grow(t, admin, 5)
	tr := auditlog.New(admin, time.Now)
	s := tr.Refresh(t.Context())
	if s.Broken == nil || s.Breaks != 1 || s.Verified != 5 || s.Read != s.Total || s.Read < 10 || !s.Unsigned || s.Signed != nil {
		t.Errorf("%d verified, %d read of %d, %d breaks, unsigned %t, %v", s.Verified, s.Read, s.Total, s.Breaks, s.Unsigned, s.Broken)
	}
}

// A log whose hashes all fit, but which the broker did not sign, was rewritten.
func TestDetectsALogThatWasNotSigned(t *testing.T) {
	w := newConnection(t)
	grow(t, w.Admin, 4)
	w.set(func() { w.forged = true })
	s := auditlog.New(w, time.Now).Refresh(t.Context())
	if s.Broken == nil || !strings.Contains(s.Broken.Error(), "not those that the broker signed") || s.Signed != nil {
		t.Errorf("signed %+v, %v", s.Signed, s.Broken)
	}
}

// An unreachable broker is not tampering, and the fetched events stay.
func TestAnUnreachableBroker(t *testing.T) {
	w := newConnection(t)
	grow(t, w.Admin, 3)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tr := auditlog.New(w, func() time.Time { return at })
	n := tr.Refresh(t.Context()).Verified
	w.set(func() { w.blocked = true })
	tr.Refresh(t.Context())
	at = at.Add(time.Minute)
	s := tr.Refresh(t.Context())
	if s.Unreachable == nil || s.Broken != nil || s.Verified != n || !s.Since.Equal(at.Add(-time.Minute)) {
		t.Errorf("%+v", s)
	}
	w.set(func() { w.blocked = false })
	if s = tr.Refresh(t.Context()); s.Unreachable != nil {
		t.Errorf("it responds and is reported unreachable: %v", s.Unreachable)
	}
}

// All viewers share one poll, which ends with the last of them.
func TestWatch(t *testing.T) {
	w := newConnection(t)
	tr := auditlog.New(w, time.Now)
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

// Each change to a copy is detected, and the log is not modified.
func TestTamper(t *testing.T) {
	w := newConnection(t)
	grow(t, w.Admin, 20)
	s := auditlog.New(w, time.Now).Refresh(t.Context())
	last := s.Newest[len(s.Newest)-6:]
	for _, tc := range []struct {
		change auditlog.Change
		at     int // in the last six
		good   int
		says   string
		head   bool
	}{
		{auditlog.Edit, 2, 2, "event modified", false},
		{auditlog.Rewrite, 2, 3, "prev_hash", false},
		{auditlog.Rewrite, 5, 6, "the last event was rewritten", true},
		{auditlog.Delete, 2, 2, "prev_hash", false},
		{auditlog.Delete, 5, 5, "the log was truncated", true},
		{auditlog.Swap, 2, 1, "prev_hash", false},
		{auditlog.Cut, 3, 3, "the log was truncated", true},
	} {
		got, err := auditlog.Tamper(s, 6, tc.change, last[tc.at].ID)
		if err != nil || got.Good != tc.good || !strings.Contains(got.Found, tc.says) || got.ByCheckpoint != tc.head {
			t.Errorf("%s at %d: %d good, %q by a head: %v, %v", tc.change, tc.at, got.Good, got.Found, got.ByCheckpoint, err)
		}
	}
	for _, tc := range []struct {
		change auditlog.Change
		id     string
	}{{auditlog.Edit, "evt-none"}, {auditlog.Swap, last[0].ID}, {"burn", last[1].ID}, {auditlog.Edit, s.Newest[0].ID}} {
		if _, err := auditlog.Tamper(s, 6, tc.change, tc.id); !errors.Is(err, auditlog.ErrNoEvent) {
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
		t.Errorf("the log itself was modified: %v", err)
	}
}
