package agentwrit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// holder is what a careless program logs: clients in exported and unexported
// fields, in a slice, in a map, behind an interface.
type holder struct {
	App   *agentwrit.App
	Agent *agentwrit.Agent
	Admin *agentwrit.Admin
	Any   any

	app       *agentwrit.App
	agent     *agentwrit.Agent
	agents    []*agentwrit.Agent
	byName    map[string]*agentwrit.Agent
	transport http.RoundTripper
}

// No way of printing, logging or encoding a client, or a value that holds one,
// reveals a secret.
func TestSecretsAreNotPrinted(t *testing.T) { brokertest.Each(t, testSecretsAreNotPrinted) }

func testSecretsAreNotPrinted(t *testing.T, b *brokertest.Broker) {
	rec := b.Register(t, "read:data:*")
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	admin := b.Admin(t)
	if err := admin.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	agent := createAgent(t, app, "read:data:a")
	launch, err := admin.CreateLaunchToken(t.Context(), agentwrit.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:data:a"}})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := agentwrit.NewTransport(agent, "https://api.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{rec.ClientSecret, agent.AccessToken(), b.AdminSecret, launch.LaunchToken}
	check := func(how, text string) {
		t.Helper()
		for i, s := range secrets {
			if strings.Contains(text, s) {
				t.Errorf("%s reveals secret %d", how, i)
			}
		}
	}
	h := holder{app, agent, admin, agent, app, agent, []*agentwrit.Agent{agent}, map[string]*agentwrit.Agent{"x": agent}, transport}
	for _, v := range []any{app, agent, admin, transport, rec, *rec, launch, *launch, h, &h, []any{app, agent}, map[string]any{"x": agent, "y": rec}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			check(fmt.Sprintf("%s of %T", verb, v), fmt.Sprintf(verb, v))
		}
		var text, lines bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&lines, nil)).Info("x", "v", v)
		check(fmt.Sprintf("slog text of %T", v), text.String())
		if _, isMap := v.(map[string]any); !isMap { // an AppRecord must be encodable as JSON, secret included
			check(fmt.Sprintf("slog JSON of %T", v), lines.String())
		}
	}
	for _, v := range []any{app, agent, admin, transport, h, &h} {
		encoded, err := json.Marshal(v)
		if err != nil {
			continue // can't be encoded at all
		}
		check(fmt.Sprintf("JSON of %T", v), string(encoded))
	}

	// Printers such as those of test frameworks follow pointers and read
	// unexported fields.
	for _, v := range []any{app, agent, admin, transport} {
		walk(reflect.ValueOf(v), map[uintptr]bool{}, func(s string) { check(fmt.Sprintf("reflection on %T", v), s) })
	}
}

// walk calls found with every string that reflection reaches from v.
func walk(v reflect.Value, seen map[uintptr]bool, found func(string)) {
	if v.IsValid() && v.Type().PkgPath() == "net/http" {
		return // connections have buffers, which hold what was sent
	}
	switch v.Kind() {
	case reflect.String:
		found(v.String())
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			walk(v.Elem(), seen, found)
		}
	case reflect.Interface:
		walk(v.Elem(), seen, found)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), seen, found)
		}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
			found(string(v.Bytes()))
			return
		}
		for i := range v.Len() {
			walk(v.Index(i), seen, found)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			walk(it.Key(), seen, found)
			walk(it.Value(), seen, found)
		}
	}
}

// An error of a request that did not come through has no address, whose query may
// be confidential, neither in its text nor in what it wraps.
func TestErrorsHaveNoAddress(t *testing.T) {
	t.Parallel()
	brokertest.Each(t, testErrorsHaveNoAddress)
}

func testErrorsHaveNoAddress(t *testing.T, b *brokertest.Broker) {
	proxy := intercept(t, b)
	admin, err := agentwrit.NewAdmin(proxy.url, b.AdminSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.Login(t.Context()); err != nil {
		t.Fatal(err)
	}
	proxy.replace("/v1/audit/events", dropConnection)
	_, err = admin.AuditPage(t.Context(), agentwrit.AuditFilter{TaskID: "confidential"})
	if !errors.Is(err, agentwrit.ErrTransport) {
		t.Fatalf("a dropped connection: %v", err)
	}
	var u *url.Error
	if errors.As(err, &u) || strings.Contains(fmt.Sprintf("%v %+v", err, err), "confidential") {
		t.Errorf("the error names the address: %v", err)
	}
	if _, err := agentwrit.NewAdmin("http://user:confidential@127.0.0.1:port", "secret"); err == nil || strings.Contains(err.Error(), "confidential") {
		t.Errorf("an invalid address: %v", err)
	}
}
