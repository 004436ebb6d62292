package agents_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/random"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// TestMain runs more tests at once than there are processors, because most of them
// wait for a broker or a clock. The short form runs fewer: under the race detector they
// need the processors.
func TestMain(m *testing.M) {
	flag.Parse()
	parallel := 12
	if testing.Short() {
		parallel = 6
	}
	if err := flag.Set("test.parallel", strconv.Itoa(max(parallel, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	var ignored []goleak.Option
	if os.Getenv("AGENTWRIT_TEST_BROKER_URL") != "" {
		// Connections to a broker that runs elsewhere stay open.
		ignored = append(ignored, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	}
	goleak.VerifyTestMain(pgtest.Tests{Runner: m}, ignored...)
}

// world is the environment of an encounter, all of it real: a broker and the records
// API over HTTP, a model behind the OpenAI protocol, a log.
type world struct {
	*agents.Service
	cfg        agents.Config
	broker     *brokertest.Broker
	admin      *agentwrit.Admin
	link       *link    // to the broker
	ceiling    []string // of the app
	recordsURL string
	log        *trace.Store
}

// worldConfig describes how a world differs from the usual one.
type worldConfig struct {
	broker  []brokertest.Option
	ceiling []string // of the app; nil means all that the tools need
	dir     string   // for the log and the records; "" means memory
}

// onEach runs a test with each kind of broker, in parallel to other tests: most of
// them wait for timeouts and retries. In the short form it starts the embedded broker
// only, because kinds differ in what a broker answers, not in what runs concurrently.
// A test of what no broker decides starts the embedded broker itself.
func onEach(t *testing.T, f func(t *testing.T, kind brokertest.Starter)) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Run("embedded", func(t *testing.T) { f(t, brokertest.Start) })
		return
	}
	brokertest.EachKind(t, f)
}

func newWorld(t testing.TB, kind brokertest.Starter, wc worldConfig) *world {
	t.Helper()
	ctx := context.Background()
	w := &world{broker: kind(t, wc.broker...)}
	w.admin = w.broker.Admin(t)
	w.link = newLink(t, w.broker.URL)
	client := agentwrit.WithHTTPClient(&http.Client{Transport: ownTransport(t)})
	operator, err := agentwrit.NewAdmin(w.link.URL, w.broker.AdminSecret, client)
	must(t, err)
	if wc.ceiling == nil {
		wc.ceiling = tools.Ceiling()
	}
	w.ceiling = wc.ceiling
	rec, err := operator.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: "medassist-" + random.Hex(4), Scopes: wc.ceiling})
	must(t, err)
	app, err := agentwrit.NewApp(w.link.URL, rec.ClientID, rec.ClientSecret, client)
	must(t, err)
	// The app logs in, which takes long on purpose, before anything is timed.
	warm, err := app.CreateAgent(ctx, agentwrit.AgentRequest{OrchID: "test", TaskID: "warm-up", Scope: wc.ceiling[:1]})
	must(t, err)
	must(t, warm.Release(ctx))

	runs, charts := "", ""
	if wc.dir != "" {
		runs, charts = wc.dir+"/runs.db", wc.dir+"/records.db"
	}
	store, err := records.OpenStore(ctx, charts, time.Now)
	must(t, err)
	t.Cleanup(func() { store.Close() })
	validator, err := agentwrit.NewValidator(w.link.URL, client)
	must(t, err)
	api := httptest.NewServer(records.NewHandler(store, validator, slog.New(slog.DiscardHandler)))
	t.Cleanup(api.Close)
	w.recordsURL = api.URL

	w.log, err = trace.OpenStore(ctx, runs, nil)
	must(t, err)
	t.Cleanup(func() { w.log.Close() })

	w.cfg = agents.Config{
		Broker: app, Operator: operator, BrokerURL: w.link.URL, BrokerEmbedded: true, Model: llm.NewPlanner(),
		Tools: tools.NewClient(api.URL, ownTransport(t)), Log: w.log,
		Directory: func(ctx context.Context, id patient.ID) (agents.DirectoryEntry, error) {
			p, found, err := store.Find(ctx, id)
			return agents.DirectoryEntry{Found: found, Name: p.Name, DateOfBirth: p.DateOfBirth}, err
		},
	}
	return w.with(t, func(*agents.Config) {})
}

// with returns the same world with another service.
func (w *world) with(t testing.TB, change func(*agents.Config)) *world {
	t.Helper()
	other := *w
	change(&other.cfg)
	var err error
	other.Service, err = agents.New(other.cfg)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := other.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return &other
}

// behindOwnLink returns the same world with another service, which reaches the broker
// through a link of its own.
func (w *world) behindOwnLink(t testing.TB, change func(*agents.Config)) *world {
	t.Helper()
	other := *w
	other.link = newLink(t, w.broker.URL)
	client := agentwrit.WithHTTPClient(&http.Client{Transport: ownTransport(t)})
	record := w.broker.Register(t, w.ceiling...)
	app, err := agentwrit.NewApp(other.link.URL, record.ClientID, record.ClientSecret, client)
	must(t, err)
	must(t, app.Login(t.Context()))
	operator, err := agentwrit.NewAdmin(other.link.URL, w.broker.AdminSecret, client)
	must(t, err)
	return other.with(t, func(c *agents.Config) {
		c.Broker, c.Operator, c.BrokerURL = app, operator, other.link.URL
		change(c)
	})
}

// withModel returns the same world with another model.
func (w *world) withModel(t testing.TB, m llm.Model) *world {
	return w.with(t, func(c *agents.Config) { c.Model = m })
}

// ownTransport is one whose connections end with the test.
func ownTransport(t testing.TB) *http.Transport {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.MaxIdleConnsPerHost = 32
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start opens a run.
func (w *world) start(t testing.TB, patientID, text, pace string) string {
	t.Helper()
	req, err := agents.ParseRequest(patientID, text, pace)
	must(t, err)
	run, err := w.Start(t.Context(), req)
	must(t, err)
	return run.ID
}

// encounter does a run to its end.
func (w *world) encounter(t testing.TB, patientID, text string) *history {
	t.Helper()
	return w.finish(t, w.start(t, patientID, text, ""))
}

// finish waits for a run's end and reads what happened.
func (w *world) finish(t testing.TB, runID string) *history {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Wait(ctx, runID); err != nil {
		t.Fatalf("run %s did not end: %v", runID, err)
	}
	x, err := trace.ReadExport(ctx, w.log, runID)
	must(t, err)
	h := &history{x}
	if h.Run.Summary == nil {
		t.Fatalf("run %s was not completed:\n%s", runID, h)
	}
	return h
}

// until follows a run to the first step that fits.
func (w *world) until(t testing.TB, runID string, fits func(trace.Step) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cursor, err := w.log.Follow(ctx, runID, 0)
	must(t, err)
	for {
		events, err := cursor.Next(ctx)
		if err != nil {
			t.Fatalf("the step that is waited for did not come: %v", err)
		}
		if slices.ContainsFunc(events, func(e trace.Event) bool { return fits(e.Step) }) {
			return
		}
	}
}

func is[T trace.Step]() func(trace.Step) bool {
	return func(s trace.Step) bool { _, ok := s.(T); return ok }
}

// history is a run that has ended.
type history struct{ trace.Export }

func (h *history) String() string {
	var b strings.Builder
	for _, e := range h.Events {
		b.WriteString(string(e.Status) + "\t" + string(e.Step.Type()) + "\t" + e.Label + "\n")
	}
	return b.String()
}

// all lists the steps of one kind.
func all[T trace.Step](h *history) []T {
	var out []T
	for _, e := range h.Events {
		if s, ok := e.Step.(T); ok {
			out = append(out, s)
		}
	}
	return out
}

// only is the one step of its kind.
func only[T trace.Step](t testing.TB, h *history) T {
	t.Helper()
	steps := all[T](h)
	if len(steps) != 1 {
		t.Fatalf("%d steps of type %T, want one:\n%s", len(steps), *new(T), h)
	}
	return steps[0]
}

func (h *history) answer() string {
	for _, r := range all[trace.LLMResponse](h) {
		if r.Final {
			return r.Content
		}
	}
	return ""
}

// assertEnded checks that the run reports its tokens as ended, and that the broker
// accepts none of the tokens that it issued in the run.
func (w *world) assertEnded(t testing.TB, h *history, tokens int) {
	t.Helper()
	c := h.Run.Summary
	if c.Tokens != tokens || c.AllEnded() != (tokens > 0) || c.AllRevoked != (tokens > 0 && c.Expired == 0) || c.ValidUntil != 0 {
		t.Errorf("%d of %d tokens confirmed revoked, %d expired, all revoked: %v, valid until %d, want %d tokens:\n%s",
			c.ConfirmedRevoked, c.Tokens, c.Expired, c.AllRevoked, c.ValidUntil, tokens, h)
	}
	if n := w.valid(t, h.Run.ID); n > 0 {
		t.Errorf("%d tokens are still valid:\n%s", n, h)
	}
}

// valid returns the number of the run's tokens that the broker accepts.
func (w *world) valid(t testing.TB, runID string) (n int) {
	t.Helper()
	for _, token := range w.link.tokens(runID) {
		_, err := agentwrit.Validate(context.Background(), w.broker.URL, token)
		switch {
		case err == nil:
			n++
		case !errors.Is(err, agentwrit.ErrTokenInvalid):
			t.Fatal(err)
		}
	}
	return n
}

// trail is the broker's audit trail of a run: event types, in order.
func (w *world) trail(t testing.TB, runID string) []agentwrit.AuditEvent {
	t.Helper()
	var out []agentwrit.AuditEvent
	for e, err := range w.admin.AuditEvents(t.Context(), agentwrit.AuditFilter{TaskID: runID}) {
		must(t, err)
		out = append(out, e)
	}
	return out
}

func count(trail []agentwrit.AuditEvent, typ string) int {
	n := 0
	for _, e := range trail {
		if string(e.EventType) == typ {
			n++
		}
	}
	return n
}

// link is a proxy in front of the broker. It records every token that agents receive,
// and it can fail.
type link struct {
	URL   string
	proxy *httputil.ReverseProxy

	mu     sync.Mutex
	faults map[string]fault // by path; "" is any
	issued []string
}

// fault answers a request in place of the broker; false hands it on.
type fault func(http.ResponseWriter, *http.Request) bool

func newLink(t testing.TB, to string) *link {
	target, err := url.Parse(to)
	must(t, err)
	l := &link{faults: make(map[string]fault)}
	l.proxy = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      ownTransport(t),
		ModifyResponse: l.note,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(l.serve))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	ctx, cancel := context.WithCancel(context.Background())
	srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	srv.Start()
	l.URL = srv.URL
	t.Cleanup(func() {
		cancel() // a login may hang longer than the call for which it was made
		srv.Close()
	})
	return l
}

func (l *link) serve(w http.ResponseWriter, r *http.Request) {
	for _, path := range []string{r.URL.Path, ""} {
		l.mu.Lock()
		f := l.faults[path]
		l.mu.Unlock()
		if f != nil && f(w, r) {
			return
		}
	}
	l.proxy.ServeHTTP(w, r)
}

// note records an agent's token on its way to the agent.
func (l *link) note(resp *http.Response) error {
	switch resp.Request.URL.Path {
	case "/v1/register", "/v1/token/renew", "/v1/delegate":
	default:
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.AccessToken != "" {
		l.mu.Lock()
		l.issued = append(l.issued, answer.AccessToken)
		l.mu.Unlock()
	}
	return nil
}

// tokens lists those that were issued in a run, by what they say themselves.
func (l *link) tokens(runID string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, token := range l.issued {
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err == nil && bytes.Contains(payload, []byte(`"task_id":"`+runID+`"`)) {
			out = append(out, token)
		}
	}
	return out
}

// fail makes a path of the broker fail, or all of it when path is empty, until
// the test ends or the link is healed.
func (l *link) fail(t testing.TB, path string, f fault) {
	l.setFault(path, f)
	t.Cleanup(l.heal)
}

func (l *link) setFault(path string, f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults[path] = f
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.faults)
}

// broken closes the connection, like a broker that crashes.
func broken(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }

// hung never answers.
func hung(_ http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body) // the server sees a client go only once the body is read
	<-r.Context().Done()
	return true
}

// lost passes the request on and drops the response.
func (l *link) lost(_ http.ResponseWriter, r *http.Request) bool {
	l.proxy.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// emptied lets the broker do what was asked, and answers without what it issued.
func (l *link) emptied(w http.ResponseWriter, r *http.Request) bool {
	l.proxy.ServeHTTP(httptest.NewRecorder(), r)
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, "{}")
	return true
}
