package broker_test

import (
	"testing"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/broker"
)

// A body that two readers could read differently is refused, and has no effect.
func TestAmbiguousBodies(t *testing.T) {
	h := start(t, broker.Config{})
	admin := h.admin()
	for name, tc := range map[string]struct {
		body   string
		status int
	}{
		"as documented":                   {`{"agent_name":"a","allowed_scope":["read:records:p1"]}`, 201},
		"an unknown member":               {`{"agent_name":"a","allowed_scope":["read:records:p1"],"new":1}`, 201},
		"a member twice":                  {`{"agent_name":"a","allowed_scope":["read:records:p1"],"allowed_scope":["read:records:*"]}`, 400},
		"a member twice, cases differ":    {`{"agent_name":"a","allowed_scope":["read:records:p1"],"Allowed_Scope":["read:records:*"]}`, 400},
		"a member twice, escaped":         {`{"agent_name":"a","allowed_scope":["read:records:p1"],"allowed\u005fscope":["read:records:*"]}`, 400},
		"a member in another case":        {`{"agent_name":"a","ALLOWED_SCOPE":["read:records:p1"]}`, 400},
		"a member with a long s":          {`{"agent_name":"a","allowed_` + "\u017f" + `cope":["read:records:p1"]}`, 400},
		"an unknown member twice":         {`{"agent_name":"a","allowed_scope":["read:records:p1"],"x":1,"X":2}`, 400},
		"bytes that are not UTF-8":        {"{\"agent_name\":\"a\xff\",\"allowed_scope\":[\"read:records:p1\"]}", 400},
		"an unknown member twice, nested": {`{"agent_name":"a","allowed_scope":["read:records:p1"],"x":[{"y":1,"Y":2}]}`, 400},
	} {
		before := len(h.events(admin, "event_type="+string(wire.EventLaunchTokenIssued)))
		if a := h.call("POST", byAdmin, admin, tc.body); a.status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, tc.status)
		}
		if issued := len(h.events(admin, "event_type="+string(wire.EventLaunchTokenIssued))) - before; (issued == 1) != (tc.status == 201) {
			t.Errorf("%s: %d launch tokens", name, issued)
		}
	}
}
