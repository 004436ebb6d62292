package broker

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker/internal/nonce"
	"github.com/devonartis/medassist-go/broker/internal/store"
)

func TestClockNeverRunsBackwards(t *testing.T) {
	start := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	wall := start
	c := newClock(func() time.Time { return wall })
	for _, tt := range []struct {
		what       string
		step       time.Duration // of the wall clock
		now        time.Duration // since start
		behind     time.Duration
		notBefore  time.Duration // since start; 0 for none
		jumpedMono bool
	}{
		{what: "follows", step: time.Second, now: time.Second},
		{what: "follows ahead", step: 7 * time.Minute, now: 7*time.Minute + time.Second},
		{what: "set back", step: -5 * time.Minute, now: 7*time.Minute + time.Second, behind: 5 * time.Minute},
		{what: "continues", step: 2 * time.Second, now: 7*time.Minute + 3*time.Second, behind: 5 * time.Minute},
		{what: "set right", step: 5*time.Minute + time.Second, now: 12*time.Minute + 4*time.Second, behind: 5 * time.Minute},
		{what: "stored time is later", notBefore: time.Hour, now: time.Hour, behind: time.Hour - (7*time.Minute + 4*time.Second)},
		{what: "overtaken", step: 2 * time.Hour, now: 3 * time.Hour, behind: time.Hour - (7*time.Minute + 4*time.Second)},
	} {
		wall = wall.Add(tt.step)
		if tt.notBefore > 0 {
			c.notBefore(start.Add(tt.notBefore))
		}
		if got := c.now().Sub(start); got != tt.now {
			t.Errorf("%s: now = %v, want %v", tt.what, got, tt.now)
		}
		if got := c.behind(); got != tt.behind {
			t.Errorf("%s: behind = %v, want %v", tt.what, got, tt.behind)
		}
	}
	if c.skewed() != 1 {
		t.Errorf("the wall clock was set back once, counted: %d", c.skewed())
	}
}

// With a monotonic clock, as time.Now has it, time that passes is counted
// although the wall clock stands still, and a jump of the wall clock is reported.
func TestClockUsesTheMonotonicClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := newClock(time.Now)
		c.notBefore(began.Add(time.Hour)) // the wall clock is an hour behind
		time.Sleep(time.Minute)
		if got := c.now().Sub(withoutMonotonic(began)); got != time.Hour+time.Minute {
			t.Errorf("a minute later the clock shows %v, want 1h1m", got)
		}
	})
	// A clock that nobody has read for a while does not count that time twice when
	// another broker stores a later one.
	synctest.Test(t, func(t *testing.T) {
		c := newClock(time.Now)
		time.Sleep(time.Minute)
		for range 3 {
			time.Sleep(10 * time.Second)
			c.notBefore(withoutMonotonic(time.Now().Add(time.Millisecond)))
		}
		if got := c.behind(); got != time.Millisecond {
			t.Errorf("the clock is %v ahead, want 1ms", got)
		}
	})
	ahead := time.Duration(0)
	c := newClock(func() time.Time { return time.Unix(0, int64(ahead)) })
	c.reading = c.reading.Add(time.Hour) // as if monotonic time had not passed
	ahead = 30 * time.Minute
	c.now()
	select {
	case <-c.jumped:
	default:
		t.Error("a jump of the wall clock is not reported")
	}
}

// skewed is a broker on a wall clock that a test sets, with synctest's time
// behind it so that sweeps run.
type skewed struct {
	t      *testing.T
	b      *Broker
	dir    string
	offset atomic.Int64 // nanoseconds; the writer's sweep reads it too
}

func (s *skewed) open() {
	s.t.Helper()
	var err error
	s.b, err = Open(context.Background(), Config{Dir: s.dir, SecretCost: bcrypt.MinCost, AdminSecret: "a-test-secret-of-32-characters!!",
		Clock: func() time.Time { return time.Now().Round(0).Add(time.Duration(s.offset.Load())) }})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *skewed) restart() {
	s.t.Helper()
	if err := s.b.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.open()
}

// call sends a request and decodes the response into out, unless that is nil.
func (s *skewed) call(path, bearer string, body, out any) int {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, strings.NewReader(string(text)))
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	w := httptest.NewRecorder()
	s.b.Handler().ServeHTTP(w, r)
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			s.t.Fatalf("%s = %d %s: %v", path, w.Code, w.Body, err)
		}
	}
	return w.Code
}

func (s *skewed) validates(token string) bool {
	s.t.Helper()
	var out wire.ValidateResponse
	s.call("/v1/token/validate", "", wire.ValidateRequest{Token: token}, &out)
	return out.Valid
}

func (s *skewed) registration(launch string) wire.RegisterRequest {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	challenge := s.b.nonces.New(s.b.now())
	raw, _ := nonce.Parse(challenge)
	return wire.RegisterRequest{
		LaunchToken: launch, Nonce: challenge, OrchID: "o", TaskID: "t", RequestedScope: []string{"read:data:x"},
		PublicKey: base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, raw[:])),
	}
}

// A wall clock that jumps ahead, also for so long that revocations are deleted,
// and is set back, makes nothing valid again, not even after a restart.
func TestWallClockSetBack(t *testing.T) {
	for _, tt := range []struct {
		name        string
		ahead, back time.Duration
	}{
		{"7 minutes ahead, 5 back", 7 * time.Minute, 5 * time.Minute},
		{"25 minutes ahead, 24 back", 25 * time.Minute, 24 * time.Minute},
		{"two days ahead and back", 48 * time.Hour, 48 * time.Hour},
		{"before the start", 20 * time.Minute, time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &skewed{t: t, dir: t.TempDir()}
				s.open()
				defer func() { s.b.Close() }()
				var admin wire.AuthResponse
				s.call("/v1/admin/auth", "", wire.AdminAuthRequest{Secret: s.b.AdminSecret()}, &admin)
				launch := strings.Repeat("ab", 32)
				err := s.b.writer.write(context.Background(), func(c *change) error {
					return c.tx.InsertLaunchToken(store.LaunchToken{Hash: hashLaunchToken(launch), AgentName: "a",
						Scope: []string{"read:data:x"}, MaxTTL: 5 * time.Minute, ExpiresAt: c.now.Add(30 * maxTTL)})
				})
				if err != nil {
					t.Fatal(err)
				}
				register := func() string {
					t.Helper()
					var out wire.RegisterResponse
					if status := s.call("/v1/register", "", s.registration(launch), &out); status != 200 {
						t.Fatalf("register = %d", status)
					}
					return out.AccessToken
				}
				ended := map[string]string{
					"a released token": register(), "a revoked token": register(), "a renewed token": register(), "an expired token": register(),
				}
				if status := s.call("/v1/token/release", ended["a released token"], nil, nil); status != 204 {
					t.Fatalf("release = %d", status)
				}
				revoked, err := s.b.signer.Verify(ended["a revoked token"])
				if err != nil {
					t.Fatal(err)
				}
				if status := s.call("/v1/revoke", admin.AccessToken, wire.RevokeRequest{Level: wire.RevokeToken, Target: revoked.ID}, nil); status != 200 {
					t.Fatalf("revoke = %d", status)
				}
				if status := s.call("/v1/token/renew", ended["a renewed token"], nil, nil); status != 200 {
					t.Fatalf("renew = %d", status)
				}
				spent := s.registration(launch)
				if status := s.call("/v1/register", "", spent, nil); status != 200 {
					t.Fatalf("register = %d", status)
				}

				s.offset.Store(int64(tt.ahead))
				time.Sleep(sweepEvery + time.Second)
				for what, token := range ended {
					if s.validates(token) {
						t.Errorf("%s is valid while the clock is ahead", what)
					}
				}
				s.offset.Add(-int64(tt.back))
				for _, when := range []string{"after the clock was set back", "after a restart"} {
					for what, token := range ended {
						if s.validates(token) {
							t.Errorf("%s is valid %s", what, when)
						}
					}
					if status := s.call("/v1/register", "", spent, nil); status != 401 {
						t.Errorf("a spent nonce registers %s: %d", when, status)
					}
					if w := ask(s.b, "GET", "/v1/health", nil); !strings.Contains(w.Body.String(), `"clock_behind":`) {
						t.Errorf("health %s does not report the clock: %s", when, w.Body)
					}
					fresh := register()
					if !s.validates(fresh) {
						t.Errorf("a token issued %s is invalid", when)
					}
					s.restart()
					if !s.validates(fresh) {
						t.Errorf("a token issued %s is invalid after the next restart", when)
					}
					time.Sleep(6 * time.Minute) // time passes, whatever the wall clock shows
					if s.validates(fresh) {
						t.Errorf("a token issued %s never expires", when)
					}
				}
			})
		})
	}
}

// A crash while the clock is ahead loses no time that a decision was based on: it
// is stored with each audit event and with each deletion.
func TestCrashWhileTheClockIsAhead(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(s *skewed) // with the clock an hour ahead, before the crash
	}{
		{"after a sweep", func(*skewed) { time.Sleep(sweepEvery + time.Second) }},
		{"after an event", func(s *skewed) { s.call("/v1/token/renew", "garbage", nil, nil) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &skewed{t: t, dir: t.TempDir()}
				s.open()
				token := tokenFor(t, s.b, grant{subject: "spiffe://agentwrit.local/agent/o/t/0123456789abcdef", scope: []string{"read:data:x"}})
				if status := s.call("/v1/token/release", token, nil, nil); status != 204 {
					t.Fatalf("release = %d", status)
				}
				s.offset.Store(int64(time.Hour))
				tt.before(s)
				crashed := t.TempDir()
				if err := os.CopyFS(crashed, os.DirFS(s.dir)); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(filepath.Join(crashed, signingKeyFile), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := s.b.Close(); err != nil {
					t.Fatal(err)
				}
				s.dir = crashed
				s.offset.Store(0)
				s.open()
				defer func() { s.b.Close() }()
				if s.validates(token) {
					t.Error("a released token is valid after the crash")
				}
				if behind := s.b.clock.behind(); behind < 59*time.Minute {
					t.Errorf("the wall clock is %v behind the stored time, want an hour", behind)
				}
			})
		})
	}
}

func TestHealthWithACorrectClock(t *testing.T) {
	b, err := Open(context.Background(), quick)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if w := ask(b, "GET", "/v1/health", nil); strings.Contains(w.Body.String(), "clock_behind") {
		t.Errorf("health = %s", w.Body)
	}
}
