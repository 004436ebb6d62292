package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/attack"
	"github.com/devonartis/medassist-go/internal/deadline"
	"github.com/devonartis/medassist-go/internal/framing"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/twin"
	"github.com/devonartis/medassist-go/web"
)

// Limits of the web server. It has no write timeout, because streams set a
// deadline for each write; other answers have one.
const (
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 5 * time.Second
	answerTimeout     = time.Minute // to read an answer
	readTimeout       = 15 * time.Second
	idleTimeout       = 2 * time.Minute
	releaseTimeout    = 20 * time.Second // for active runs to release their tokens
	closeTimeout      = 5 * time.Second  // for open requests to finish
)

type serveCmd struct {
	Config `embed:""`
}

// Run runs the demo until ctx ends.
func (c *serveCmd) Run(ctx context.Context, std stdio) error { return Run(ctx, c.Config, std) }

// Run starts the demo and serves it until ctx ends. Before it returns it ends
// every run, releases every token and closes every stream.
func Run(ctx context.Context, cfg Config, std stdio) (err error) {
	if err := cfg.complete(); err != nil {
		return err
	}
	log := cfg.logger(std)
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()

	page, note, err := listen(cfg.Addr, defaultAddr, "--addr or MEDASSIST_ADDR")
	if err != nil {
		return err
	}
	closing.add(func() error { return ignoreClosed(page.Close()) })

	replicas, err := joinReplicas(ctx, cfg, log, &closing)
	if err != nil {
		return err
	}
	broker, err := connect(ctx, cfg, replicas, log, &closing)
	if err != nil {
		return err
	}
	key, err := presenterKey(ctx, cfg, page.Addr(), replicas)
	if err != nil {
		return err
	}
	cookies, err := cookieSecret(ctx, cfg, replicas, log)
	if err != nil {
		return err
	}
	promised := newPromises(ctx, broker, cfg, log, &closing)
	model, err := newModel(cfg, &closing)
	if err != nil {
		return err
	}
	kept, err := openStores(ctx, cfg, replicas, log, &closing)
	if err != nil {
		return err
	}

	service, err := agents.New(agents.Config{
		Broker: broker.app, Operator: broker.operator(), BrokerURL: broker.url, BrokerEmbedded: broker.embedded,
		Model: model, Cluster: kept.cluster, Tools: tools.NewClient(localURL(page.Addr()), directTransport()), Log: kept.runs,
		Decisions: kept.decisions, Directory: directory(kept.records), ModelURL: modelURL(cfg), Limits: cfg.limits, KeyMoment: cfg.KeyMoment, Clock: cfg.clock, Logger: log,
	})
	if err != nil {
		return err
	}
	common := sharedValues(replicas)
	twins := twin.New(twin.Config{Runs: service, Log: kept.runs, Decisions: kept.decisions, Clock: cfg.clock, Logger: log, Values: common})
	site, err := web.New(web.Config{
		Twins: twins, Decisions: kept.decisions, Values: common,
		Lab: func(ctx context.Context) (*attack.Lab, error) {
			return attack.NewLab(ctx, attack.Config{Broker: broker.app, Operator: broker.operator(), BrokerURL: broker.url, Log: kept.runs, Decisions: kept.decisions,
				Clock: cfg.clock, Logger: log})
		},
		AttackReport: func() (attack.Report, bool, error) { return attack.LoadReport(cfg.file(attack.ReportFile)) },
		Runs:         service, Log: kept.runs, Records: kept.records, Broker: broker.app, BrokerURL: broker.url, BrokerEmbedded: broker.embedded,
		Admin: broker.admin, Promises: promised.get, ModelName: model.Name(), ModelMode: string(model.Mode()),
		PresenterKey: key, CookieSecret: cookies, TrustedProxies: cfg.TrustedProxy,
		Viewers: cfg.Viewers, ViewersPerAddress: cfg.ViewersPerAddress, PublicURL: cfg.PublicURL, Reachable: !isLoopback(page.Addr()), Clock: cfg.clock, Logger: log,
		Preflight: preflight.Config{Broker: broker.app, BrokerURL: broker.url, Admin: broker.admin, Model: model,
			PageURL: localURL(page.Addr()), Database: cfg.database(), Clock: cfg.clock},
	})
	if err != nil {
		return err
	}
	closing.add(func() error { site.Close(); return nil })
	both := split(records.NewHandler(kept.records, broker.app, log), site.Handler())

	printf(std.out, "page    %s%s%s\n", localURL(page.Addr()), keyQuery(key), note)
	printf(std.out, "broker  %s %s%s\n", broker.url, broker.kind(), broker.note)
	printf(std.out, "model   %s (%s)\n", model.Name(), model.Mode())
	if replicas != nil {
		printf(std.out, "data    PostgreSQL, shared with other replicas\n")
	}
	if cfg.ready != nil {
		cfg.ready(Addresses{Page: localURL(page.Addr()), Broker: broker.url})
	}
	return serve(ctx, newBoundedListener(page, cfg), both, service, site, log)
}

// split returns a handler for the records API and all other paths. http.ServeMux
// would answer some requests itself, without the checks and headers of the pages.
func split(records, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/records/") {
			records.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	})
}

// serve serves ln until ctx ends. It then stops in order: runs first, because
// they need the records API and the broker to release their tokens, then streams,
// then the server.
func serve(ctx context.Context, ln net.Listener, h http.Handler, service *agents.Service, site *web.Server, log *slog.Logger) error {
	srv := &http.Server{Handler: framing.Handler(deadline.Handler(h, answerTimeout)), MaxHeaderBytes: maxHeaderBytes, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	var failed error
	select {
	case failed = <-ended:
		failed = fmt.Errorf("web server: %w", failed)
		ended <- nil
	case <-ctx.Done():
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := service.Shutdown(release)
	site.Close()
	grace, cancelGrace := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancelGrace()
	if shutdown := srv.Shutdown(grace); shutdown != nil {
		err = errors.Join(err, srv.Close())
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(failed, err)
}

// directory adapts the record store to the patient lookup of an encounter.
func directory(s *records.Store) agents.Directory {
	return func(ctx context.Context, id patient.ID) (agents.DirectoryEntry, error) {
		p, found, err := s.Find(ctx, id)
		entry := agents.DirectoryEntry{Found: found, Name: p.Name, DateOfBirth: p.DateOfBirth}
		if err != nil || found {
			return entry, err
		}
		all, err := s.Patients(ctx)
		for _, p := range all {
			entry.Others = append(entry.Others, p.ID.String())
		}
		return entry, err
	}
}

// modelURL returns the address of the model's server without credentials, and an
// empty string for a model in this process.
func modelURL(cfg Config) string {
	u, err := url.Parse(cfg.LLMBaseURL)
	if err != nil || cfg.LLMRecording != "" || cfg.LLMBaseURL == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// closers is a list of functions to call on shutdown, the last added first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	return errors.Join(errs...)
}

// ignoreClosed returns err unless it reports a listener that is already closed.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
