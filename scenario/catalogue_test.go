package scenario

import "testing"

// Every scenario can be found by its ID and started by its key, which no other
// has. A key is one character, as a keyboard types it without Shift.
func TestKeysAndIDsAreUnique(t *testing.T) {
	ids, keys := map[string]bool{}, map[string]string{}
	for _, s := range All() {
		if found, ok := ByID(s.ID); !ok || found.Title != s.Title || ids[s.ID] {
			t.Errorf("%s is not found by its ID, or not alone", s.ID)
		}
		ids[s.ID] = true
		if len(s.Key) != 1 || (s.Key[0] < '0' || s.Key[0] > '9') && (s.Key[0] < 'a' || s.Key[0] > 'z') {
			t.Errorf("%s: the key is %q, want a digit or a small letter", s.ID, s.Key)
		}
		if other := keys[s.Key]; other != "" {
			t.Errorf("%s and %s have the key %s", other, s.ID, s.Key)
		}
		keys[s.Key] = s.ID
	}
}
