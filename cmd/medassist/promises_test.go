package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/tools"
)

// A broker that left a question open is asked again after a while, and an earlier
// answer stays when that attempt does not confirm it.
func TestPromisesAreAskedAgain(t *testing.T) {
	t.Parallel()
	b := brokertest.Start(t)
	target, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	var fails atomic.Value // the path that does not work
	fails.Store("/v1/audit/checkpoint")
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == fails.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		httputil.NewSingleHostReverseProxy(target).ServeHTTP(w, r)
	}))
	defer proxy.Close()
	rec := b.Register(t, tools.Ceiling()...)
	app, err := agentwrit.NewApp(proxy.URL, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	var closing closers
	p := newPromises(t.Context(), connection{app: app}, Config{clock: func() time.Time { return now }}, slog.New(slog.DiscardHandler), &closing)

	want := agentwrit.Promises{Keys: agentwrit.Kept, Cascade: agentwrit.Kept}
	if got := p.get(); got != want {
		t.Errorf("without the checkpoint: %+v, want %+v", got, want)
	}
	fails.Store("/v1/delegate")
	now = now.Add(promisesRetry)
	p.get()
	p.asking.Wait()
	want.Checkpoints = agentwrit.Kept
	if got := p.get(); got != want {
		t.Errorf("without a delegation, which worked before: %+v, want %+v", got, want)
	}
	if err := closing.close(); err != nil {
		t.Error(err)
	}
}
