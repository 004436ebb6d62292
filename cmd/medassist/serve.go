package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/preflight"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
	"github.com/devonartis/medassist-go/web"
)

// Bounds of the page's connections. There is no write timeout: streams set
// their own for each write.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	idleTimeout       = 2 * time.Minute
	releaseTimeout    = 20 * time.Second // for live runs to end their tokens
	closeTimeout      = 5 * time.Second  // for requests to end
)

type serveCmd struct {
	Config `embed:""`
}

// Run runs the demo until ctx ends.
func (c *serveCmd) Run(ctx context.Context, io stdio) error { return Run(ctx, c.Config, io) }

// Run wires everything together, runs until ctx ends, and then ends every run,
// every token and every stream before it returns.
func Run(ctx context.Context, cfg Config, io stdio) (err error) {
	if err := cfg.fill(); err != nil {
		return err
	}
	log := cfg.logger(io)
	var closing closers
	defer func() { err = errors.Join(err, closing.close()) }()

	page, note, err := listen(cfg.Addr, defaultAddr, "--addr or MEDASSIST_ADDR")
	if err != nil {
		return err
	}
	closing.add(func() error { return ignoreClosed(page.Close()) })

	broker, err := connect(ctx, cfg, log, &closing)
	if err != nil {
		return err
	}
	model, err := chooseModel(cfg, &closing)
	if err != nil {
		return err
	}
	store, err := records.OpenStore(ctx, cfg.file("records.db"), cfg.clock)
	if err != nil {
		return err
	}
	closing.add(store.Close)
	runs, err := trace.OpenStore(ctx, cfg.file("runs.db"), log)
	if err != nil {
		return err
	}
	closing.add(runs.Close)

	service, err := agents.New(agents.Config{
		Broker: broker.app, Operator: broker.operator(), BrokerURL: broker.url, BrokerEmbedded: broker.embedded,
		Model: model, Tools: tools.NewClient(reachable(page.Addr()), nil), Log: runs,
		Directory: directory(store), Clock: cfg.clock, Logger: log,
	})
	if err != nil {
		return err
	}
	key, err := presenterKey(cfg, page.Addr())
	if err != nil {
		return err
	}
	site, err := web.New(web.Config{
		Runs: service, Log: runs, Records: store, Broker: broker.app, BrokerURL: broker.url, BrokerEmbedded: broker.embedded,
		Admin: broker.admin, ModelName: model.Name(), ModelMode: string(model.Mode()),
		PresenterKey: key, Clock: cfg.clock, Logger: log,
		Preflight: preflight.Config{Broker: broker.app, BrokerURL: broker.url, Admin: broker.admin, Model: model,
			PageURL: reachable(page.Addr()), Clock: cfg.clock},
	})
	if err != nil {
		return err
	}
	closing.add(func() error { site.Close(); return nil })
	mux := http.NewServeMux()
	mux.Handle("/records/", records.NewHandler(store, broker.app, log))
	mux.Handle("/", site.Handler())

	fmt.Fprintf(io.out, "page    %s%s%s\n", reachable(page.Addr()), keyQuery(key), note)
	fmt.Fprintf(io.out, "broker  %s %s%s\n", broker.url, broker.kind(), broker.note)
	fmt.Fprintf(io.out, "model   %s (%s)\n", model.Name(), model.Mode())
	if cfg.ready != nil {
		cfg.ready(Addresses{Page: reachable(page.Addr()), Broker: broker.url})
	}
	return serve(ctx, page, mux, service, site, log)
}

// serve answers until ctx ends. Runs end first, while the records and the
// broker still answer; then streams, which have nothing more to say.
func serve(ctx context.Context, ln net.Listener, h http.Handler, service *agents.Service, site *web.Server, log *slog.Logger) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	var failed error
	select {
	case failed = <-ended:
		failed = fmt.Errorf("the page stopped: %w", failed)
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
	<-ended
	return errors.Join(failed, err)
}

// directory is the front desk's list, for the encounter to look a patient up.
func directory(s *records.Store) agents.Directory {
	return func(ctx context.Context, id patient.ID) (string, bool, error) {
		p, found, err := s.Find(ctx, id)
		return p.Name, found, err
	}
}

// chooseModel makes the model. A recording comes before a server, so that what
// was recorded with a server's settings plays back with them still set.
func chooseModel(cfg Config, closing *closers) (llm.Model, error) {
	server := llm.Config{BaseURL: cfg.LLMBaseURL, APIKey: cfg.LLMAPIKey, Model: cfg.LLMModel}
	switch {
	case cfg.LLMRecording != "":
		return llm.OpenRecording(cfg.LLMRecording, cfg.LLMRecordingSpeed)
	case cfg.LLMRecord != "":
		r, err := llm.NewRecorder(server, cfg.LLMRecord)
		if err != nil {
			return nil, err
		}
		closing.add(r.Close)
		return r, nil
	case cfg.LLMBaseURL != "":
		return llm.NewOpenAI(server)
	}
	return llm.NewPlanner(), nil
}

// presenterKey is needed as soon as others can reach the page.
func presenterKey(cfg Config, addr net.Addr) (string, error) {
	if isLoopback(addr) {
		return "", nil
	}
	if cfg.PresenterKey != "" {
		if len(cfg.PresenterKey) < 12 {
			return "", errors.New("the presenter's key must have at least 12 characters")
		}
		return cfg.PresenterKey, nil
	}
	key := make([]byte, 12)
	rand.Read(key) // never fails
	return hex.EncodeToString(key), nil
}

func keyQuery(key string) string {
	if key == "" {
		return ""
	}
	return "/?key=" + key
}

// closers run in the reverse of the order in which they were added.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() error {
	var errs []error
	for i := len(*c) - 1; i >= 0; i-- {
		errs = append(errs, (*c)[i]())
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
