package llm

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/llm/planner"
)

// record runs a conversation with a model and returns the file it was recorded
// to. The model is the planner, which takes a second for each piece.
func record(t *testing.T, req Request, answer func(ToolCall) string) (path string, calls []string, final string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "model.jsonl")
	r, err := NewRecorder(Config{BaseURL: "http://model.test/v1", Model: "gpt-4o-mini", APIKey: secret, Transport: inProcess{planner.Handler(time.Second)}}, path)
	if err != nil {
		t.Fatal(err)
	}
	calls, final = converse(t, r, req, answer)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return path, calls, final
}

func TestRecordedAndPlayedBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		path, calls, final := record(t, about("P-1042", fullRequest), fine)
		took := time.Since(start)

		for speed, want := range map[float64]time.Duration{1: took, 2: took / 2, 0: 0} {
			m, err := OpenRecording(path, speed)
			if err != nil {
				t.Fatal(err)
			}
			start = time.Now()
			played, answer := converse(t, m, about("P-1042", fullRequest), fine)
			if diff := cmp.Diff(calls, played); diff != "" || answer != final {
				t.Errorf("recorded %q, played %q; calls (-recorded +played):\n%s", final, answer, diff)
			}
			if off := time.Since(start) - want; off.Abs() > took/10 {
				t.Errorf("at speed %v it took %s, want %s", speed, time.Since(start), want)
			}
			if m.Mode() != ModeRecorded || m.Name() != "RECORDED gpt-4o-mini" {
				t.Errorf("name %s, mode %s", m.Name(), m.Mode())
			}
		}

		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{secret, "Authorization", "Bearer"} {
			if strings.Contains(string(b), never) {
				t.Errorf("the recording holds %q", never)
			}
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the recording is %v, %v", info.Mode(), err)
		}
	})
}

// A request that was not recorded goes to the planner, and its reply is marked once.
func TestAnotherRequestFallsBack(t *testing.T) {
	other := func(c ToolCall) string { return strings.Replace(fine(c), `"fine"`, `"worse"`, 1) }
	tests := []struct {
		name   string
		req    Request
		answer func(ToolCall) string
		says   string
	}{
		{"other words", about("P-1042", "Show labs"), fine, "## Laboratory results"},
		{"another patient", about("P-3301", fullRequest), fine, "## Prescription of Lisinopril"},
		{"other results", about("P-1042", fullRequest), other, "**Status** worse"},
	}
	synctest.Test(t, func(t *testing.T) {
		path, _, _ := record(t, about("P-1042", fullRequest), fine)
		m, err := OpenRecording(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range tests {
			calls, final := converse(t, m, tt.req, tt.answer)
			if len(calls) == 0 || !strings.Contains(final, tt.says) {
				t.Errorf("%s: calls %q, answer %q", tt.name, calls, final)
			}
		}
		said := 0
		req := tests[0].req
		for range 2 {
			r, err := ask(t, m, req)
			if err != nil {
				t.Fatal(err)
			}
			said += strings.Count(r.Content, "Not in the recording")
			if r.StandIn != PlannerName {
				t.Errorf("a reply that the planner gave names %q", r.StandIn)
			}
			req.Messages = append(req.Messages, r.Message())
			for _, c := range r.ToolCalls {
				req.Messages = append(req.Messages, Message{Role: RoleTool, ToolCallID: c.ID, Content: fine(c)})
			}
		}
		if said != 1 {
			t.Errorf("the planner introduced itself %d times, want once", said)
		}
	})
}

func TestFingerprint(t *testing.T) {
	const result = `{"patient_id":"P-1042","prescription_id":7,"started":"2026-11-23","agent":"spiffe://x/0123456789abcdef","dose":"10 mg"}`
	turn := func(change func(*Request)) string {
		req := about("P-1042", "Show labs")
		req.Messages = append(req.Messages, Message{Role: RoleAssistant, Content: "Let me see.", ToolCalls: []ToolCall{{ID: "a", Name: "f", Arguments: `{"a":1,"b":2}`}}},
			Message{Role: RoleTool, ToolCallID: "a", Content: result})
		change(&req)
		return fingerprint(req)
	}
	inResult := func(from, to string) func(*Request) {
		return func(r *Request) { r.Messages[3].Content = strings.Replace(result, from, to, 1) }
	}
	recorded := turn(func(*Request) {})
	for name, change := range map[string]func(*Request){
		"white space, case":      func(r *Request) { r.Messages[1].Content = "  show\nLABS " },
		"IDs of calls":           func(r *Request) { r.Messages[2].ToolCalls[0].ID, r.Messages[3].ToolCallID = "b", "b" },
		"order of arguments":     func(r *Request) { r.Messages[2].ToolCalls[0].Arguments = `{"b": 2, "a": 1}` },
		"the model's own words":  func(r *Request) { r.Messages[2].Content = "" },
		"order of tools":         func(r *Request) { r.Tools[0], r.Tools[1] = r.Tools[1], r.Tools[0] },
		"what a tool says it is": func(r *Request) { r.Tools[0].Description = "other" },
		"dates in a result":      inResult("2026-11-23", "2027-01-02T03:04:05.6Z"),
		"IDs in a result":        inResult("7", "8"),
		"hexadecimal numbers":    inResult("0123456789abcdef", "fedcba9876543210"),
		"order in a result":      inResult(`"patient_id":"P-1042","prescription_id":7`, `"prescription_id":7,"patient_id":"P-1042"`),
	} {
		if turn(change) != recorded {
			t.Errorf("%s should make no difference", name)
		}
	}
	for name, change := range map[string]func(*Request){
		"the request":        func(r *Request) { r.Messages[1].Content = "Show labs and records" },
		"a date in it":       func(r *Request) { r.Messages[1].Content = "Show labs of 2026-11-23" },
		"the run's patient":  func(r *Request) { r.Messages[0] = about("P-2187", "").Messages[0] },
		"the prompt":         func(r *Request) { r.Messages[0].Content += " Be brief." },
		"the arguments":      func(r *Request) { r.Messages[2].ToolCalls[0].Arguments = `{"a":1,"b":3}` },
		"the tool":           func(r *Request) { r.Messages[2].ToolCalls[0].Name = "g" },
		"a value":            inResult("10 mg", "20 mg"),
		"a result's patient": inResult("P-1042", "P-2187"),
		"a refusal":          func(r *Request) { r.Messages[3].Content = `{"error":"scope_denied"}` },
		"a missing result":   func(r *Request) { r.Messages = r.Messages[:3] },
		"the tools":          func(r *Request) { r.Tools = r.Tools[1:] },
	} {
		if turn(change) == recorded {
			t.Errorf("%s should make a difference", name)
		}
	}
}

// A recorded model fails as the model did, after the same words and the same
// time.
func TestRecordedErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			server http.HandlerFunc
			kind   Kind
			says   string
			spoken string
			took   time.Duration
		}{
			"a refusal":     {answers(400, "application/json", `{"error":"context size exceeded"}`), KindContext, "context size exceeded", "", 0},
			"half a stream": {says(hello), KindInterrupted, "broke off", "Hello", 0},
			"a late error": {func(w http.ResponseWriter, r *http.Request) {
				says(hello)(w, r)
				time.Sleep(3 * time.Second)
				io.WriteString(w, `data: {"error":{"message":"no disk"}}`+"\n\n")
			}, KindServer, "no disk", "Hello", 3 * time.Second},
		} {
			path := filepath.Join(t.TempDir(), "model.jsonl")
			r, err := NewRecorder(Config{BaseURL: "http://model.test/v1", Model: "m", APIKey: secret, Transport: inProcess{tt.server}}, path)
			if err != nil {
				t.Fatal(err)
			}
			_, recorded := ask(t, r, hi)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			m, err := OpenRecording(path, 1)
			if err != nil {
				t.Fatal(err)
			}
			start, spoken := time.Now(), ""
			_, err = m.Complete(t.Context(), hi, func(s string) { spoken += s })
			var e *Error
			if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(e.Message, tt.says) || recorded == nil || e.Error() != recorded.Error() {
				t.Errorf("%s: recorded %v, played %v", name, recorded, err)
			}
			if spoken != tt.spoken || time.Since(start) != tt.took {
				t.Errorf("%s: said %q in %s", name, spoken, time.Since(start))
			}
		}
	})
}

// Tool calls and reasoning are played as they were recorded.
func TestRecordedCalls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.jsonl")
	r, err := NewRecorder(configOf(t, says(strings.Replace(hello, "content", "reasoning_content", 1)+
		delta(`{"index":0,"id":"a","extra_content":{"s":1},"function":{"name":"f","arguments":"{\"x\":1}"}}`)+stop)), path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := ask(t, r, hi)
	if err != nil || r.Close() != nil {
		t.Fatal(err)
	}
	m, err := OpenRecording(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ask(t, m, hi)
	if diff := cmp.Diff(want, got); err != nil || diff != "" || got.Reasoning != "Hello" || len(got.ToolCalls) != 1 || got.ToolCalls[0].Extra == nil {
		t.Errorf("%v; reply (-recorded +played):\n%s", err, diff)
	}
}

// The last of several recordings of one request counts.
func TestRecordedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.jsonl")
	for _, word := range []string{"first", "second"} {
		r, err := NewRecorder(configOf(t, says(strings.Replace(hello, "Hello", word, 1)+stop+done)), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t, r, hi); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := OpenRecording(path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ask(t, m, hi); err != nil || r.Content != "second" {
		t.Errorf("reply %+v, %v", r, err)
	}
}

func TestRecordingsThatCantBeUsed(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"empty":           "",
		"not JSON":        "hello\n",
		"another version": `{"version":1,"reply":{"Content":"Hello"}}` + "\n",
		"an empty reply":  `{"version":2,"fingerprint":"x","model":"m","reply":{}}` + "\n",
		"no reply":        `{"version":2,"fingerprint":"x","model":"m"}` + "\n",
		"a long line":     strings.Repeat("x", maxExchange+1),
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenRecording(path, 1); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := OpenRecording(filepath.Join(dir, "missing"), 1); err == nil {
		t.Error("a missing file is accepted")
	}
	if _, err := OpenRecording(dir, 1); err == nil {
		t.Error("a folder is accepted")
	}
	if _, err := NewRecorder(Config{BaseURL: "http://x", Model: "m"}, dir); err == nil {
		t.Error("a folder is recorded to")
	}
}

// A caller that leaves does not wait for the recorded model's next word.
func TestPlaybackIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path, _, _ := record(t, about("P-1042", "hello"), fine)
		m, err := OpenRecording(path, 0.001)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := withTimeout(t, time.Minute)
		defer cancel()
		_, err = m.Complete(ctx, about("P-1042", "hello"), func(string) {})
		if e, ok := err.(*Error); !ok || e.Kind != KindTimeout || time.Since(start) != time.Minute {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
	})
}

// A turn that its caller cancelled says nothing about the model.
func TestCancelledTurnsAreNotRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.jsonl")
	r, err := NewRecorder(configOf(t, hangs(hello)), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := r.Complete(ctx, hi, func(string) { cancel() }); err == nil || r.Close() != nil {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || len(b) > 0 {
		t.Errorf("recorded %s, %v", b, err)
	}
}
