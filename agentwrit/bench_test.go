package agentwrit_test

import (
	"testing"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

// BenchmarkCreateAgent measures launch token, challenge and registration together.
func BenchmarkCreateAgent(b *testing.B) {
	app := brokertest.Start(b).App(b, "read:data:*")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := app.CreateAgent(b.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	app := brokertest.Start(b).App(b, "read:data:*")
	agent, err := app.CreateAgent(b.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := app.Validate(b.Context(), agent.AccessToken()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScopeIsSubset(b *testing.B) {
	held := []string{"read:records:P-1042", "write:records:P-1042", "read:labs:P-1042", "write:prescriptions:P-1042"}
	want := []string{"read:labs:P-1042"}
	b.ReportAllocs()
	for b.Loop() {
		if !agentwrit.ScopeIsSubset(want, held) {
			b.Fatal("not a subset")
		}
	}
}
