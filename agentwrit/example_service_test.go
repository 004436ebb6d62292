package agentwrit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/devonartis/medassist-go/agentwrit"
)

func ExampleRequireScope() {
	app, _ := newApp()
	agent := newAgent(app, "visit-17", "read:records:P-1042")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := agentwrit.ClaimsFrom(r.Context())
		fmt.Fprint(w, "Hello, agent of task ", claims.TaskID)
	})

	protected := agentwrit.RequireScope(app, "read:records:P-1042")(handler)

	for _, header := range []string{agent.BearerHeader(), ""} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", header)
		protected.ServeHTTP(w, r)
		body, _, _ := strings.Cut(w.Body.String(), "{")
		fmt.Println(w.Code, body)
	}
	// Output:
	// 200 Hello, agent of task visit-17
	// 401
}

func ExampleRequireScopeFunc() {
	app, _ := newApp()
	agent := newAgent(app, "visit-17", "read:records:P-1042")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "records of ", r.PathValue("id"))
	})

	// The path names the patient, and so the scope that is required.
	guard := agentwrit.RequireScopeFunc(app, func(r *http.Request) ([]string, error) {
		return []string{"read:records:" + r.PathValue("id")}, nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /records/{id}", guard(handler))

	for _, path := range []string{"/records/P-1042", "/records/P-2187"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", agent.BearerHeader())
		mux.ServeHTTP(w, r)
		body, _, _ := strings.Cut(w.Body.String(), "{")
		fmt.Println(w.Code, body)
	}
	// Output:
	// 200 records of P-1042
	// 403
}

func ExampleContextWithClaims() {
	greet := func(w http.ResponseWriter, r *http.Request) {
		claims, _ := agentwrit.ClaimsFrom(r.Context())
		fmt.Fprint(w, "Hello, agent of task ", claims.TaskID)
	}

	// A unit test of the handler alone, without middleware and broker.
	r := httptest.NewRequest("GET", "/", nil)
	r = r.WithContext(agentwrit.ContextWithClaims(r.Context(), &agentwrit.Claims{TaskID: "visit-17"}))
	w := httptest.NewRecorder()
	greet(w, r)
	fmt.Println(w.Body)
	// Output: Hello, agent of task visit-17
}

func ExampleNewTransport() {
	app, _ := newApp()
	agent := newAgent(app, "visit-17", "read:records:P-1042")
	api := httptest.NewServer(agentwrit.RequireScope(app, "read:records:P-1042")(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the records") })))
	defer api.Close()

	transport, err := agentwrit.NewTransport(agent, api.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport}
	resp, err := client.Get(api.URL + "/records/P-1042")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)

	// The token is not sent anywhere else.
	_, err = client.Get("http://elsewhere.example/")
	fmt.Println(errors.Is(err, agentwrit.ErrAuthorization))
	// Output:
	// the records <nil>
	// true
}

func ExampleNewOfflineVerifier() {
	brokerURL, clientID, clientSecret := startBroker()
	app, err := agentwrit.NewApp(brokerURL, clientID, clientSecret)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	agent := newAgent(app, "visit-17", "read:records:P-1042")

	verifier, err := agentwrit.NewOfflineVerifier(brokerURL)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Validate(ctx, agent.AccessToken())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Scope)

	// The price of working offline: a released token is accepted until it expires.
	if err := agent.Release(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Validate(ctx, agent.AccessToken())
	fmt.Println(err)
	// Output:
	// [read:records:P-1042]
	// <nil>
}
