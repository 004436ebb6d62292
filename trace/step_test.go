package trace_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/devonartis/medassist-go/trace"
)

var ignoreEncoded = cmpopts.IgnoreUnexported(trace.Event{})

// steps holds one of every registered step, with every field set.
var steps = func() []trace.Step {
	all := trace.Steps()
	for i, s := range all {
		v := reflect.New(reflect.TypeOf(s)).Elem()
		fill(v)
		all[i] = v.Interface().(trace.Step)
	}
	return all
}()

// fill sets v and all that it holds to values other than zero.
func fill(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"a":"<b>"}`))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.String:
		v.SetString("<value> of a field")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(7)
	default:
		panic("no value for a " + v.Type().String())
	}
}

var (
	clinical  = trace.Credential{Category: "clinical"}
	delegated = trace.Credential{Category: "prescription", Delegated: true}
)

// contract lists the keys that clients of the Python demo read.
var contract = map[trace.Type]string{
	trace.TypeAgentCreated:          "agent_id spiffe_id scope tools task_id orch_id expires_in token_preview category trigger",
	trace.TypeTokenValidated:        "valid sub scope jti orch_id task_id category error context",
	trace.TypeToolCall:              "tool patient_id args authorized required_scope held_scope agent_id output category",
	trace.TypeScopeDenied:           "tool patient_id args authorized required_scope held_scope agent_id reason category missing_scope refused_by",
	trace.TypeDelegation:            "delegator_id delegator_scope delegate_id delegated_scope token_preview chain expires_in",
	trace.TypeTokenRenewed:          "agent_id old_preview new_preview new_expires_in category",
	trace.TypeTokenReleased:         "agent_id spiffe_id task_id category",
	trace.TypePostReleaseValidation: "agent_id valid error context",
	trace.TypePatientLookup:         "patient_id found name dob known_patients",
	trace.TypeLLMStart:              "model base_url tools_available request",
	trace.TypeDelegationDenied:      "delegator delegate scope error",
	trace.TypeComplete:              "patient_id agents_spawned agents_count",
}

func TestEventsKeepTheirJSONContract(t *testing.T) {
	for _, step := range steps {
		t.Run(string(step.Type()), func(t *testing.T) {
			want := trace.Event{RunID: "run-1", Seq: 7, Time: time.Date(2026, 11, 23, 9, 0, 0, 5, time.UTC), Status: trace.StatusInfo,
				Label: "A label", Spans: []trace.Span{{Lane: trace.LaneBroker, Took: time.Millisecond, Name: "validate"}}, Step: step}
			b, err := want.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var got trace.Event
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, ignoreEncoded, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("round trip (-want +got):\n%s", diff)
			}
			var doc struct {
				StepType  trace.Type      `json:"step_type"`
				Label     string          `json:"label"`
				Detail    map[string]any  `json:"detail"`
				Status    trace.Status    `json:"status"`
				Timestamp json.RawMessage `json:"timestamp"`
			}
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			if doc.StepType != step.Type() || doc.Label != "A label" || doc.Status != "info" || string(doc.Timestamp) != `1795424400.000000005` {
				t.Errorf("event = %s", b)
			}
			for _, key := range strings.Fields(contract[step.Type()]) {
				if _, ok := doc.Detail[key]; !ok {
					t.Errorf("detail has no %q: %s", key, b)
				}
			}
		})
	}
}

// Every type that implements Step is registered, under a name of its own, and
// the OpenAPI document lists the same names.
func TestEveryStepIsRegistered(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared, registered []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "step" {
				declared = append(declared, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	for _, s := range trace.Steps() {
		registered = append(registered, reflect.TypeOf(s).Name())
	}
	sorted := cmpopts.SortSlices(strings.Compare)
	if diff := cmp.Diff(declared, registered, sorted); diff != "" {
		t.Errorf("step types (-declared +registered):\n%s", diff)
	}

	var types []string
	for _, typ := range trace.Types() {
		if slices.Contains(types, string(typ)) {
			t.Errorf("two steps are called %q", typ)
		}
		types = append(types, string(typ))
	}
	spec, err := os.ReadFile("../docs/openapi/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	enum := regexp.MustCompile(`step_type:\s+enum: \[([^\]]+)\]`).FindSubmatch(spec)
	if enum == nil {
		t.Fatal("docs/openapi/app.yaml has no enum of step types")
	}
	documented := regexp.MustCompile(`[a-z_]+`).FindAllString(string(enum[1]), -1)
	if diff := cmp.Diff(documented, types, sorted); diff != "" {
		t.Errorf("step types (-app.yaml +registered):\n%s", diff)
	}
}

// The check of a token that a renewal replaced is a token_validated step for
// clients, as in the Python demo. Events that earlier versions stored are read.
func TestReplacedTokenInThePublicForm(t *testing.T) {
	want := trace.Event{RunID: "run-1", Seq: 7, Time: time.Unix(1795424400, 5).UTC(), Status: trace.StatusSuccess, Label: "Old token confirmed revoked",
		Step: trace.PostReleaseValidation{Credential: clinical, AgentID: "a", Token: trace.TokenOfRenewal}}
	b, err := want.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"step_type":"token_validated"`, `"context":"old_token_after_renewal"`, `"valid":false`, `"category":"clinical"`} {
		if !strings.Contains(string(b), part) {
			t.Errorf("%s lacks %s", b, part)
		}
	}
	stored := strings.NewReplacer(`"token_validated"`, `"post_release_validation"`, `1795424400.000000005`, `"2026-11-23T09:00:00.000000005Z"`).Replace(string(b))
	for _, form := range []string{string(b), stored} {
		var got trace.Event
		if err := json.Unmarshal([]byte(form), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, ignoreEncoded); diff != "" {
			t.Errorf("%s (-want +got):\n%s", form, diff)
		}
	}
}

func TestMalformedEventsAreRefused(t *testing.T) {
	for _, s := range []string{
		``, `null`, `[]`, `{}`,
		`{"step_type":"telepathy","detail":{}}`,
		`{"step_type":"complete"}`,
		`{"step_type":"complete","detail":[]}`,
		`{"step_type":"complete","detail":{"tokens":"four"}}`,
		`{"step_type":"complete","detail":{},"seq":"1"}`,
		`{"step_type":"complete","detail":{},"timestamp":true}`,
		`{"step_type":"complete","detail":{},"timestamp":-1}`,
		`{"step_type":"complete","detail":{},"timestamp":1e9}`,
		`{"step_type":"complete","detail":{},"timestamp":1.-5}`,
		`{"step_type":"complete","detail":{},"timestamp":9999999999999}`,
		`{"step_type":"complete","detail":{},"timestamp":"yesterday"}`,
	} {
		var e trace.Event
		if err := e.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s was decoded as %+v", s, e)
		}
	}
}

func FuzzEvent(f *testing.F) {
	for _, s := range steps {
		b, err := json.Marshal(trace.Event{RunID: "run-1", Seq: 1, Step: s})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again trace.Event
		if json.Unmarshal(b, &e) != nil {
			return
		}
		out, err := e.JSON()
		if err != nil {
			t.Fatalf("an event was read that can't be written: %v", err)
		}
		if strings.ContainsAny(string(out), "\n\r") {
			t.Fatalf("the public form is not one line: %q", out)
		}
		if err := json.Unmarshal(out, &again); err != nil {
			t.Fatalf("an event was written that can't be read: %v", err)
		}
		if out2, _ := again.JSON(); string(out) != string(out2) {
			t.Fatalf("%s became %s", out, out2)
		}
	})
}

// The OpenAPI document lists the keys of every step's detail.
func TestDetailKeysAreDocumented(t *testing.T) {
	spec, err := os.ReadFile("../docs/openapi/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var detail map[string]any
		if err := json.Unmarshal(b, &detail); err != nil {
			t.Fatal(err)
		}
		line := string(s.Type()) + ": [" + strings.Join(slices.Sorted(maps.Keys(detail)), ", ") + "]"
		if !strings.Contains(string(spec), "            "+line+"\n") {
			t.Errorf("app.yaml lacks the line\n            %s", line)
		}
	}
}
