package planner_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
	"github.com/devonartis/medassist-go/llm"
	"github.com/devonartis/medassist-go/llm/planner"
	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
	"github.com/devonartis/medassist-go/trace"
)

// clinic is the demo without its pages: broker, gate, records API and planner.
type clinic struct {
	*agents.Service
	log   *trace.Store
	store *records.Store
	keeps bool // what a request writes
}

func openClinic(t testing.TB) clinic {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	broker := brokertest.Start(t)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	client := agentwrit.WithHTTPClient(&http.Client{Transport: transport})
	operator, err := agentwrit.NewAdmin(broker.URL, broker.AdminSecret, client)
	must(err)
	rec, err := operator.RegisterApp(ctx, agentwrit.CreateAppRequest{Name: "medassist", Scopes: tools.Ceiling()})
	must(err)
	app, err := agentwrit.NewApp(broker.URL, rec.ClientID, rec.ClientSecret, client)
	must(err)
	store, err := records.OpenStore(ctx, "", time.Now)
	must(err)
	t.Cleanup(func() { store.Close() })
	validator, err := agentwrit.NewValidator(broker.URL, client)
	must(err)
	api := httptest.NewServer(records.NewHandler(store, validator, slog.New(slog.DiscardHandler)))
	t.Cleanup(api.Close)
	log, err := trace.OpenStore(ctx, "", nil)
	must(err)
	t.Cleanup(func() { log.Close() })
	service, err := agents.New(agents.Config{
		Broker: app, Operator: operator, BrokerURL: broker.URL, BrokerEmbedded: true, Model: llm.NewPlanner(),
		Tools: tools.NewClient(api.URL, transport), Log: log,
		Directory: func(ctx context.Context, id patient.ID) (agents.DirectoryEntry, error) {
			p, found, err := store.Find(ctx, id)
			return agents.DirectoryEntry{Found: found, Name: p.Name, DateOfBirth: p.DateOfBirth}, err
		},
	})
	must(err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(service.Shutdown(ctx))
	})
	return clinic{service, log, store, false}
}

// ask runs a request and returns the calls as the table writes them, and the answer.
func (c clinic) ask(t testing.TB, id, request string) (calls []string, answer string) {
	t.Helper()
	req, err := agents.ParseRequest(id, request, "")
	if err != nil {
		t.Fatal(err)
	}
	run, err := c.Start(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	x, err := trace.ReadExport(t.Context(), c.log, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	wrote := false
	add := func(tool, about string, args json.RawMessage, outcome string) {
		line := planner.Short[tool]
		if about != id {
			line += " " + about
		}
		var of struct {
			Drug     string `json:"drug"`
			Proposed string `json:"proposed_drug"`
		}
		_ = json.Unmarshal(args, &of) // what a step shows is JSON
		if drug := of.Drug + of.Proposed; drug != "" && drug != "none" {
			line += " " + drug
		}
		calls = append(calls, line+outcome)
		wrote = wrote || slices.Contains([]string{"prescribe", "note", "codes", "claim"}, planner.Short[tool])
	}
	for _, e := range x.Events {
		switch s := e.Step.(type) {
		case trace.ToolCall:
			add(s.Tool, s.PatientID, s.Args, "")
		case trace.ScopeDenied:
			add(s.Tool, s.PatientID, s.Args, "!")
		case trace.DelegationDenied:
			calls = append(calls, "delegate!")
		case trace.ToolError:
			var args struct {
				ID string `json:"patient_id"`
			}
			_ = json.Unmarshal([]byte(s.Args), &args)
			add(s.Tool, args.ID, json.RawMessage(s.Args), "?")
		case trace.LLMResponse:
			if s.Final {
				answer = s.Content
			}
		}
	}
	if wrote && !c.keeps {
		if err := c.store.Reset(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return calls, answer
}

// A row is one line of testdata/requests.txt.
type row struct {
	line             int
	patient, request string
	calls, says      []string
}

func readRows(t testing.TB, name string) []row {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []row
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		parts := strings.Split(text, " | ")
		if len(parts) != 4 {
			t.Fatalf("%s:%d has %d columns", name, n, len(parts))
		}
		r := row{line: n, patient: parts[0], request: strings.ReplaceAll(parts[1], `\n`, "\n")}
		if parts[2] != "-" {
			r.calls = strings.Split(parts[2], ", ")
		}
		r.says = strings.Split(parts[3], " ;; ")
		out = append(out, r)
	}
	return out
}

// TestRequests asks everything in testdata/requests.txt, at a real gate and a real
// records API.
func TestRequests(t *testing.T) {
	c := openClinic(t)
	rows := readRows(t, "testdata/requests.txt")
	if len(rows) < 200 {
		t.Errorf("%d requests", len(rows))
	}
	for i, r := range rows {
		if testing.Short() && i%10 > 0 {
			continue // one runs after the other: the race detector learns no more from all
		}
		calls, answer := c.ask(t, r.patient, r.request)
		first, _, _ := strings.Cut(answer, "\n")
		var lacks []string
		for _, s := range r.says {
			in := answer
			if rest, ok := strings.CutPrefix(s, "<"); ok {
				s, in = rest, first
			}
			if !strings.Contains(in, s) {
				lacks = append(lacks, s)
			}
		}
		if !slices.Equal(calls, r.calls) || len(lacks) > 0 {
			t.Errorf("line %d: %s (%s)\ncalls %s\nwant  %s\nlacks %q\n%s", r.line, r.request, r.patient,
				strings.Join(calls, ", "), strings.Join(r.calls, ", "), lacks, answer)
		}
	}
}

// What earlier requests wrote counts in later ones.
func TestRequestsInARow(t *testing.T) {
	c := openClinic(t)
	c.keeps = true
	for _, tt := range []struct{ request, calls, says string }{
		{"code the office visit", "codes", "Coded for P-1042: 99213"},
		{"file a claim for the office visit", "billing, claim", "A claim for 99213 ($132.00) was filed"}, // coded once
		{"file the claim", "billing, codes, claim", "A claim for 99213 ($132.00) was filed"},
		{"Show records, check billing, and prescribe Lisinopril", "records, billing, check Lisinopril, prescribe Lisinopril", "10 mg once daily was prescribed"},
		{"what is she on", "check", "**Lisinopril** 10 mg once daily"},
		{"Show records, check billing, and prescribe Lisinopril", "records, billing, check Lisinopril, prescribe Lisinopril", "the record now holds it twice"}, // a scenario is run again
		{"prescribe enalapril", "check Enalapril, records", "already takes **Lisinopril**, another ACE inhibitor"},
		{"add a note: better today", "note", "A note was added"},
		{"when was the last visit", "records", "with MedAssist clinical agent: note"},
	} {
		calls, answer := c.ask(t, "P-1042", tt.request)
		if strings.Join(calls, ", ") != tt.calls || !strings.Contains(answer, tt.says) {
			t.Errorf("%s: calls %s, want %s; want %q in\n%s", tt.request, strings.Join(calls, ", "), tt.calls, tt.says, answer)
		}
	}
}
