package wire_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit/wire"
)

// The hash covers every field but itself.
func TestComputeHashCoversEveryField(t *testing.T) {
	event := wire.AuditEvent{ID: "evt-000001", Timestamp: time.Date(2026, 3, 1, 9, 0, 0, 5, time.UTC), PrevHash: wire.GenesisHash}
	want := event.ComputeHash()
	fields := reflect.TypeFor[wire.AuditEvent]()
	for i := range fields.NumField() {
		changed := event
		switch v := reflect.ValueOf(&changed).Elem().Field(i); v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(event.Timestamp.Add(1)))
		case int, int64:
			v.SetInt(v.Int() + 1)
		default:
			v.SetString(v.String() + "x")
		}
		name := fields.Field(i).Name
		if differs := changed.ComputeHash() != want; differs != (name != "Hash") {
			t.Errorf("%s changed: hash differs %v", name, differs)
		}
	}
}

// The hash of a recorded event, so that the formula stays the same.
func TestComputeHashFormula(t *testing.T) {
	e := wire.AuditEvent{ID: "evt-000001", Timestamp: time.Date(2026, 3, 1, 9, 0, 0, 120_000_000, time.UTC), EventType: wire.EventTokenIssued,
		AgentID: "a", TaskID: "t", OrchID: "o", Detail: "d", Resource: "r", Outcome: wire.OutcomeSuccess, DelegDepth: 1,
		DelegChainHash: "c", BytesTransferred: 2, PrevHash: wire.GenesisHash}
	// printf '%s|evt-000001|2026-03-01T09:00:00.12Z|token_issued|a|t|o|d|r|success|1|c|2' "$(printf '0%.0s' $(seq 64))" | sha256sum
	const want = "e7f4faa0c281e2a3bba8ba89c9b4c3f484b355b6451aa48d0115700f8b486c37"
	if got := e.ComputeHash(); got != want {
		t.Errorf("ComputeHash = %s, want %s", got, want)
	}
}
