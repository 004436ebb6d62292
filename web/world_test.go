package web_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agents/shared"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/attack"
	"github.com/devonartis/medassist-go/decisions"
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/values"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/twin"
	"github.com/devonartis/medassist-go/web"
	"github.com/devonartis/medassist-go/web/browsertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(tests{browsertest.Main(m)}, goleak.Cleanup(func(int) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	}))
}

// tests stops the database after the tests.
type tests struct{ m interface{ Run() int } }

func (t tests) Run() int { return pgtest.Main(t.m) }

// site is the whole demo behind one address: a real broker, the records API, the
// offline planner, the encounters and the pages.
type site struct {
	*httptest.Server
	broker  *brokertest.Broker
	service *agents.Service
	log     *trace.Store
	records *records.Store
	decided *decisions.Log
	twins   *twin.Service
	web     *web.Server

	// With other sites; nil for one that is alone.
	replica *cluster.Cluster
	peers   agents.Cluster
	values  values.Store
}

// configure changes how a site is created.
type configure struct {
	model llm.Model
	web   func(*web.Config)
	// broker starts the broker; nil means the embedded one.
	broker brokertest.Starter
	// front wraps the whole site, as a proxy would.
	front func(http.Handler) http.Handler
	// database is the URL of one that the site shares with other sites, which have
	// the same broker and app; without it the site is alone.
	database string
	app      *agentwrit.App
}

func newSite(t testing.TB, c configure) *site {
	t.Helper()
	if c.broker == nil {
		c.broker = brokertest.Start
	}
	s := &site{broker: c.broker(t)}
	app := c.app
	if app == nil {
		app = s.broker.App(t, tools.Ceiling()...)
	}
	s.openStores(t, c.database)

	mux := http.NewServeMux()
	s.Server = httptest.NewUnstartedServer(mux)
	address := "http://" + s.Listener.Addr().String()
	if c.model == nil {
		c.model = llm.NewPlanner()
	}
	var err error
	s.service, err = agents.New(agents.Config{
		Cluster: s.peers, Decisions: s.decided, Broker: app, Operator: s.broker.Admin(t), BrokerURL: s.broker.URL, BrokerEmbedded: true, Model: c.model, Log: s.log,
		Tools: tools.NewClient(address, nil),
		Directory: func(ctx context.Context, id patient.ID) (agents.DirectoryEntry, error) {
			p, found, err := s.records.Find(ctx, id)
			return agents.DirectoryEntry{Found: found, Name: p.Name, DateOfBirth: p.DateOfBirth}, err
		},
	})
	must(t, err)
	s.twins = twin.New(twin.Config{Runs: s.service, Log: s.log, Decisions: s.decided, Clock: time.Now, Logger: slog.New(slog.DiscardHandler), Values: s.values})
	lab := func(ctx context.Context) (*attack.Lab, error) {
		return attack.NewLab(ctx, attack.Config{Broker: app, BrokerURL: s.broker.URL, Log: s.log, Decisions: s.decided})
	}
	noReport := func() (attack.Report, bool, error) { return attack.Report{}, false, nil }
	cfg := web.Config{Values: s.values, Lab: lab, AttackReport: noReport, Runs: s.service, Twins: s.twins, Decisions: s.decided, Log: s.log, Records: s.records, Broker: app, BrokerURL: s.broker.URL, BrokerEmbedded: true,
		Admin: s.broker.Admin(t), ModelName: c.model.Name(), ModelMode: string(c.model.Mode()),
		Preflight: preflight.Config{Broker: app, BrokerURL: s.broker.URL, Admin: s.broker.Admin(t), Model: c.model, PageURL: address}}
	if c.web != nil {
		c.web(&cfg)
	}
	s.web, err = web.New(cfg)
	must(t, err)
	mux.Handle("/records/", records.NewHandler(s.records, app, slog.New(slog.DiscardHandler)))
	mux.Handle("/", s.web.Handler())
	if c.front != nil {
		s.Config.Handler = c.front(mux)
	}
	s.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.service.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		s.web.Close()
		s.Close()
	})
	return s
}

// openStores opens what the site keeps: in memory, or in a database that it shares.
func (s *site) openStores(t testing.TB, database string) {
	t.Helper()
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	var err error
	if database == "" {
		s.records, err = records.OpenStore(ctx, "", time.Now)
		must(t, err)
		t.Cleanup(func() { s.records.Close() })
		s.log, err = trace.OpenStore(ctx, "", nil)
		must(t, err)
		t.Cleanup(func() { s.log.Close() })
		s.decided, err = decisions.Open(ctx, "", time.Now, log)
		must(t, err)
		t.Cleanup(func() { s.decided.Close() })
		return
	}
	s.replica, err = cluster.Open(ctx, cluster.Config{URL: database, Secret: "a secret in common", Logger: log})
	must(t, err)
	t.Cleanup(func() { s.replica.Close() })
	s.records, err = records.OpenShared(ctx, s.replica, time.Now)
	must(t, err)
	t.Cleanup(func() { s.records.Close() })
	s.log, err = trace.OpenShared(ctx, s.replica, log)
	must(t, err)
	t.Cleanup(func() { s.log.Close() })
	s.decided, err = decisions.OpenShared(ctx, s.replica, time.Now, log)
	must(t, err)
	t.Cleanup(func() { s.decided.Close() })
	s.peers, err = shared.New(ctx, s.replica, s.log)
	must(t, err)
	s.values = s.replica
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
