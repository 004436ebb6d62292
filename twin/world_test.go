package twin_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/twin"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(int) { http.DefaultTransport.(*http.Transport).CloseIdleConnections() }))
}

// world is what a comparison needs, all of it real.
type world struct {
	*twin.Service
	runs   *agents.Service
	log    *trace.Store
	api    string // the real records API
	app    *agentwrit.App
	chart  func(patientID string) string // a digest of a real record
	logged *logged
}

func newWorld(t *testing.T, model llm.Model) *world {
	t.Helper()
	ctx := t.Context()
	broker := brokertest.Start(t)
	w := &world{app: broker.App(t, tools.Ceiling()...), logged: &logged{}}
	logger := slog.New(slog.NewTextHandler(w.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	store, err := records.OpenStore(ctx, "", time.Now)
	must(t, err)
	t.Cleanup(func() { store.Close() })
	w.chart = func(id string) string {
		digest, err := store.Digest(context.Background(), patient.MustParseID(id))
		must(t, err)
		return digest
	}
	api := httptest.NewServer(records.NewHandler(store, w.app, logger))
	t.Cleanup(api.Close)
	w.api = api.URL
	w.log, err = trace.OpenStore(ctx, "", nil)
	must(t, err)
	t.Cleanup(func() { w.log.Close() })
	decided, err := decisions.Open(ctx, "", time.Now, logger)
	must(t, err)
	t.Cleanup(func() { decided.Close() })
	w.runs, err = agents.New(agents.Config{Broker: w.app, Operator: broker.Admin(t), BrokerURL: broker.URL, Model: model, Log: w.log,
		Tools: tools.NewClient(api.URL, nil), Decisions: decided, Logger: logger,
		Directory: func(ctx context.Context, id patient.ID) (agents.DirectoryEntry, error) {
			p, found, err := store.Find(ctx, id)
			return agents.DirectoryEntry{Found: found, Name: p.Name}, err
		}})
	must(t, err)
	w.Service = twin.New(twin.Config{Runs: w.runs, Log: w.log, Decisions: decided, Clock: time.Now, Logger: logger})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := w.runs.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		w.Close()
		if n := w.Open(); n != 0 {
			t.Errorf("%d second instances are open at the end", n)
		}
	})
	return w
}

// wait returns a comparison when it has ended.
func (w *world) wait(t *testing.T, id string) twin.Result {
	t.Helper()
	w.Wait()
	r, err := w.Result(t.Context(), id)
	must(t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
