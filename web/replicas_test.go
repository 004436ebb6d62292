package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/scenario"
	"github.com/devonartis/medassist-go/talk"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// replicas are sites that share a database, a broker and an app.
type replicas struct {
	all []*site
	// front is reached through a load balancer, which sends each request to the next
	// replica. Its other fields are those of the first one.
	front *site
}

func newReplicas(t testing.TB, n int, change func(i int, c *configure)) replicas {
	t.Helper()
	database, broker := pgtest.URL(t), brokertest.Start(t)
	app := broker.App(t, tools.Ceiling()...)
	var r replicas
	for i := range n {
		c := configure{database: database, app: app, broker: func(testing.TB, ...brokertest.Option) *brokertest.Broker { return broker }}
		change(i, &c)
		r.all = append(r.all, newSite(t, c))
	}
	front := *r.all[0]
	front.Server = httptest.NewServer(r.balancer(t))
	t.Cleanup(front.Close)
	r.front = &front
	return r
}

func asUsual(int, *configure) {}

// balancer returns a load balancer that takes turns.
func (r replicas) balancer(t testing.TB) http.Handler {
	t.Helper()
	var turn atomic.Int64
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return &httputil.ReverseProxy{FlushInterval: -1, Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		next, err := url.Parse(r.all[int(turn.Add(1))%len(r.all)].URL)
		if err != nil {
			t.Error(err)
			return
		}
		p.SetURL(next)
		p.Out.Host = p.In.Host
	}}
}

// eventually waits until something is true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// sceneOf matches what a page shows of the stage.
var sceneOf = regexp.MustCompile(`(?s)<div id="stage" .*</figure>|<div id="stage" .*</h2>`)

// onAllStages waits until the stage and the phones show a text at each replica.
func (r replicas) onAllStages(t *testing.T, text string) {
	t.Helper()
	for _, path := range []string{"/stage", "/follow"} {
		for i, s := range r.all {
			var body []byte
			eventually(t, fmt.Sprintf("%s at replica %d shows %q", path, i, text), func() bool {
				_, body = s.fetch(t, path)
				return strings.Contains(string(body), text)
			})
		}
	}
}

// A presenter whose requests reach one replica after the other drives one talk, which
// all of them show: acts, steps, going back, the look, pages.
func TestReplicasShowOneTalk(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	do := func(path string, form url.Values) {
		t.Helper()
		if status, body := r.front.form(t, path, form); status != http.StatusOK {
			t.Fatalf("%s %v: %d %s", path, form, status, body)
		}
	}
	act := talk.Acts(25)[1] // which is played step by step
	do("/present/act", url.Values{"version": {"25"}, "act": {"1"}})
	r.onAllStages(t, "<h2>"+act.Title()+"</h2>")
	do("/present/run", nil)
	r.onAllStages(t, "act 2 of 10")
	do("/present/look", url.Values{"change": {"blank"}})
	r.onAllStages(t, "data-blank")
	do("/present/next", url.Values{"do": {"unblank"}})

	var id string
	eventually(t, "a run is live", func() bool {
		run := r.front.newestRun(t)
		id = run.ID
		return run.Live()
	})
	sc, _ := scenario.ByID(act.Scenario)
	presses := 0
	eventually(t, "the presenter comes to the end of the run", func() bool {
		do("/present/next", url.Values{"do": {"step"}})
		presses++
		run, err := r.all[1].log.Run(t.Context(), id)
		must(t, err)
		return !run.Live()
	})
	events, err := r.all[1].log.Events(t.Context(), id, 0)
	must(t, err)
	if v := sc.Expect.Judge(events); !v.AsExpected() || presses < 5 {
		t.Errorf("%v, after %d presses", v.Surprises, presses)
	}
	r.onAllStages(t, "All 4 tokens confirmed revoked")
	do("/present/step", url.Values{"step": {"4"}})
	r.onAllStages(t, "back at step 4 of ")
	var scenes []string
	for _, s := range r.all {
		_, body := s.fetch(t, "/stage")
		scenes = append(scenes, sceneOf.FindString(string(body)))
	}
	if scenes[0] != scenes[1] || len(scenes[0]) < 1000 {
		t.Errorf("two scenes, of %d and %d bytes", len(scenes[0]), len(scenes[1]))
	}
	do("/present/back", nil)
	r.onAllStages(t, "back at step 3 of ")
	do("/present/show", url.Values{"page": {"/audit"}})
	r.onAllStages(t, `<b>Audit log</b>`)
	do("/present/act", url.Values{"version": {"25"}, "act": {"3"}})
	r.onAllStages(t, "Act 4 of 10")
}

// A viewer who reaches another replica is sent the whole scene once, and then what
// changes.
func TestViewerReachesAnotherReplica(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	if status, _ := r.front.form(t, "/present/act", url.Values{"version": {"25"}, "act": {"1"}}); status != 200 {
		t.Fatal(status)
	}
	r.onAllStages(t, "Act 2 of 10")
	_, body := r.all[0].fetch(t, "/stage")
	shown := regexp.MustCompile(`after=([0-9a-f]+-\d+)`).FindStringSubmatch(string(body))
	if shown == nil {
		t.Fatalf("no stream in %s", body)
	}
	for i, whole := range []int{0, 1} {
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, "GET", r.all[i].URL+"/stage/frames?after="+shown[1], nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		if status, _ := r.front.form(t, "/present/look", url.Values{"change": {"blank"}}); status != 200 {
			t.Fatal(status)
		}
		scenes := 0
		for lines := bufio.NewScanner(resp.Body); lines.Scan() && !strings.Contains(lines.Text(), fmt.Sprintf(`"blank":%t`, i == 0)); {
			scenes += strings.Count(lines.Text(), `<div id="stage"`)
		}
		if scenes != whole {
			t.Errorf("replica %d sends the scene %d times to a viewer of the first, want %d", i, scenes, whole)
		}
		leave()
		resp.Body.Close()
	}
}

// Whichever replica a viewer reaches, each time, it sees each step once and in order:
// programs by the events' IDs, pages by those of their parts.
func TestResumeAcrossReplicas(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	id := r.front.start(t, "P-1042", fullRequest, "talk:50ms")
	read := func(path string, seqs func(message string) []int) (all []int) {
		last := ""
		for connections := 1; ; connections++ {
			req, err := http.NewRequestWithContext(t.Context(), "GET", r.front.URL+path, nil)
			must(t, err)
			if last != "" {
				req.Header.Set("Last-Event-ID", last)
			}
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			messages := bufio.NewScanner(resp.Body)
			messages.Buffer(nil, 1<<20)
			messages.Split(scanMessages)
			over := true
			for read := 0; messages.Scan(); {
				message := messages.Text()
				if m := regexp.MustCompile(`(?m)^id: (\d+)$`).FindStringSubmatch(message); m != nil {
					last = m[1]
				}
				some := seqs(message)
				all = append(all, some...)
				if read += len(some); read >= 5 { // the connection is lost
					over = false
					break
				}
			}
			resp.Body.Close()
			if over {
				if connections < 4 {
					t.Errorf("%s: only %d connections", path, connections)
				}
				return all
			}
		}
	}
	numbers := func(pattern string) func(string) []int {
		find := regexp.MustCompile(pattern)
		return func(message string) (all []int) {
			for _, m := range find.FindAllStringSubmatch(message, -1) {
				n, _ := strconv.Atoi(m[1])
				all = append(all, n)
			}
			return all
		}
	}
	programs := make(chan []int, 1)
	go func() {
		defer close(programs) // also if read ends the test
		programs <- read("/api/runs/"+id+"/events", numbers(`(?m)^id: (\d+)$`))
	}()
	lines := read("/runs/"+id+"/frames", numbers(`<li id="step-(\d+)"`))
	if want := r.front.finish(t, id); !slices.Equal(lines, want) {
		t.Errorf("a page saw %v, want %v", lines, want)
	}
	events, err := r.front.log.Events(t.Context(), id, 0)
	must(t, err)
	got := <-programs
	for i, seq := range got {
		if seq != i+1 {
			t.Fatalf("a program saw %v", got)
		}
	}
	if len(got) != len(events) {
		t.Errorf("a program saw %d of %d events", len(got), len(events))
	}
}

// scanMessages splits the messages of a stream.
func scanMessages(data []byte, atEOF bool) (int, []byte, error) {
	if i := strings.Index(string(data), "\n\n"); i >= 0 {
		return i + 2, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// Each page of a run is the same at each replica: live, ended, replayed, exported,
// and in the history.
func TestReplicasShowTheSamePages(t *testing.T) {
	if testing.Short() {
		t.Skip("one request at a time, to a database that it starts")
	}
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	id, lines := r.all[0].encounter(t, "P-1042", fullRequest)
	eventually(t, "the other replica knows its end", func() bool {
		run, err := r.all[1].log.Run(t.Context(), id)
		return err == nil && !run.Live()
	})
	for _, path := range []string{"/runs/" + id, "/runs/" + id + "/at/9", "/runs/" + id + "/replay?speed=0&after=7", "/runs/" + id + "/export.html",
		"/runs/" + id + "/parts/cards", "/runs", "/api/runs/" + id} {
		var bodies [2]string
		for i, s := range r.all {
			resp, body := s.fetch(t, path)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s at replica %d: %s", path, i, resp.Status)
			}
			bodies[i] = perRequest.ReplaceAllString(string(body), "")
		}
		if bodies[0] != bodies[1] {
			i := 0
			for i < min(len(bodies[0]), len(bodies[1])) && bodies[0][i] == bodies[1][i] {
				i++
			}
			t.Errorf("%s differs between replicas: %.200q and %.200q", path, bodies[0][max(0, i-50):], bodies[1][max(0, i-50):])
		}
	}
	if got := shown(t, get(t, r.all[1].URL+"/runs/"+id+"/replay/frames?speed=100").Body); !slices.Equal(got, lines) {
		t.Errorf("the replay at the other replica: %v, want %v", got, lines)
	}
}

// resultOf matches what the operator's page says about what was just done.
var resultOf = regexp.MustCompile(`<p class="result"[^>]*>[^<]*`)

// perRequest matches what differs whenever a page is made.
var perRequest = regexp.MustCompile(`data-now="[^"]*"|name="idempotency_key" value="[^"]*"|"exported_at":"[^"]*"|\d\d:\d\d:\d\d`)

// What one replica runs, another steers and ends; a reset reaches all.
func TestSteerAndResetAcrossReplicas(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	a, b := r.all[0], r.all[1]
	cancelled, reset := a.waiting(t, "Show records and labs", "call get_lab_results for P-1042"), a.start(t, "P-1042", "Show labs", "step")
	eventually(t, "the other replica lists the runs", func() bool { return len(b.service.Live()) == 2 })
	if _, body := b.fetch(t, "/operator/live"); !strings.Contains(string(body), cancelled) || !strings.Contains(string(body), `level=token&amp;target=`) {
		t.Errorf("the operator's page lists no run of the other replica: %s", body)
	}
	eventually(t, "it knows that a run waits", func() bool {
		state, err := b.service.State(reset)
		return err == nil && state.Waiting != ""
	})
	before, err := a.log.Events(t.Context(), reset, 0)
	must(t, err)
	if status, body := b.form(t, "/runs/"+reset+"/next", nil); status >= 300 {
		t.Errorf("next: %d %s", status, body)
	}
	eventually(t, "the run takes a step", func() bool {
		now, err := b.log.Events(t.Context(), reset, 0)
		return err == nil && len(now) > len(before)
	})
	if status, body := b.form(t, "/runs/"+cancelled+"/cancel", nil); status >= 300 {
		t.Errorf("cancel: %d %s", status, body)
	}
	if end := stepsOf[trace.Complete](t, a, cancelled); len(end) != 1 || end[0].Outcome != trace.OutcomeCancelled || !end[0].AllRevoked {
		t.Errorf("the cancelled run ended with %+v", end)
	}
	chart := func(s *site) string {
		digest, err := s.records.Digest(t.Context(), patient.MustParseID("P-1042"))
		must(t, err)
		return digest
	}
	first := chart(b)
	a.encounter(t, "P-1042", "Prescribe Lisinopril 10 mg daily")
	if chart(b) == first {
		t.Error("the other replica does not know of a prescription")
	}
	eventually(t, "the other replica knows which run is live", func() bool { return len(b.service.Live()) == 1 })
	if status, body := b.form(t, "/operator/reset", nil); status != 200 || !strings.Contains(body, "1 live run cancelled") {
		t.Errorf("reset: %d %s", status, resultOf.FindString(body))
	}
	if run, err := a.log.Run(t.Context(), reset); err != nil || run.Outcome != trace.OutcomeCancelled || chart(a) != first {
		t.Errorf("after a reset at the other replica: %s, %v, records restored: %t", run.Outcome, err, chart(a) == first)
	}
}

// A comparison and a preflight that one replica makes are shown by the other.
func TestReplicasShareResults(t *testing.T) {
	if testing.Short() {
		t.Skip("one request at a time, to a database that it starts")
	}
	t.Parallel()
	r := newReplicas(t, 2, asUsual)
	a, b := r.all[0], r.all[1]
	if status, _ := a.form(t, "/twin", url.Values{"scenario": {"cross-patient"}}); status != http.StatusOK {
		t.Fatal(status)
	}
	r.onAllStages(t, "<b>Before and after</b>")
	a.twins.Close() // when it has ended
	var id string
	eventually(t, "the other replica shows the result", func() bool {
		result, _ := b.twins.Latest(t.Context())
		id = result.ID
		return !result.Live()
	})
	for _, path := range []string{"/twin", "/twin/" + id, "/twin/" + id + "/export.json"} {
		if resp, body := b.fetch(t, path); resp.StatusCode != http.StatusOK || !strings.Contains(string(body), id) {
			t.Errorf("%s at the other replica: %s", path, resp.Status)
		}
	}
	resp := get(t, a.URL+"/operator/preflight/frames")
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("before the first preflight: %s", resp.Status)
	}
	if status, _ := a.form(t, "/operator/preflight", nil); status != http.StatusOK {
		t.Fatal(status)
	}
	results, err := io.ReadAll(get(t, b.URL+"/operator/preflight/frames").Body)
	must(t, err)
	if n := strings.Count(string(results), `hx-target="#checks"`); n != 11 {
		t.Errorf("the other replica shows %d of 11 checks", n)
	}
	if status, _ := b.form(t, "/audit/reverify", nil); status != http.StatusOK {
		t.Error(status)
	}
	var health struct {
		LiveRuns int `json:"live_runs"`
	}
	_, body := b.fetch(t, "/healthz")
	if err := json.Unmarshal(body, &health); err != nil || health.LiveRuns != 0 {
		t.Errorf("%s: %v", body, err)
	}
}

// Steps that a replica has shown and could not store, before another one took over
// its run, disappear from its pages and its stage.
func TestShownStepsAreTakenBack(t *testing.T) {
	t.Parallel()
	var proxy *pgtest.Proxy
	r := newReplicas(t, 2, func(i int, c *configure) {
		if i == 0 {
			proxy = pgtest.NewProxy(t, c.database)
			c.database = proxy.URL
		}
	})
	t.Cleanup(proxy.Mend)
	a := r.all[0]
	id := a.waiting(t, "Show records and labs", "call get_lab_results for P-1042")
	must(t, a.web.Show(t.Context(), id))
	page := get(t, a.URL+"/runs/"+id+"/frames")
	proxy.Freeze()
	_, err := a.log.Append(t.Context(), id, trace.Event{Time: time.Now(), Step: trace.LLMStart{Turn: 9}})
	must(t, err)
	eventually(t, "another replica has ended the run", func() bool {
		run, err := r.all[1].log.Run(t.Context(), id)
		return err == nil && !run.Live()
	})
	proxy.Mend()
	text, err := io.ReadAll(page.Body)
	must(t, err)
	if n := strings.Count(string(text), `hx-target="#run"`); n != 1 {
		t.Errorf("the page was sent the whole run %d times", n)
	}
	var scenes [2]string
	eventually(t, "both stages show the end of the run", func() bool {
		for i, s := range r.all {
			_, body := s.fetch(t, "/stage")
			scenes[i] = sceneOf.FindString(string(body))
		}
		return scenes[0] == scenes[1]
	})
}
