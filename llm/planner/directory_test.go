package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/records"
)

// The planner's directory is that of the demo's records: a name that it knows is the
// patient whom the records have under that ID.
func TestDirectoryIsThatOfTheRecords(t *testing.T) {
	store, err := records.OpenStore(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	patients, err := store.Patients(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(patients) != len(directory) {
		t.Errorf("the planner knows %d patients, the records %d", len(directory), len(patients))
	}
	for _, p := range patients {
		known, ok := personWithID(p.ID.String())
		if got := known.given + " " + known.family; !ok || got != strings.ToLower(p.Name) || known.female != (p.Sex == "female") {
			t.Errorf("the planner knows %s as %q, female: %t; the records as %s, %s", p.ID, got, known.female, p.Name, p.Sex)
		}
	}
}
