package records

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/sqlitedb"
	"github.com/devonartis/medassist-go/patient"
)

// A store of an earlier version keeps what was written and gets the columns that
// were added since. Notes that this version would refuse are still readable.
func TestStoresOfEarlierVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	db, err := sqlitedb.Open(t.Context(), path, migrations[:1])
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		`INSERT INTO patients VALUES ('P-1042', 'Maria Alvarez', '1967-03-14', 'female')`,
		`INSERT INTO insurance VALUES ('P-1042', 'Harborlight Health', 'Silver PPO', 'HLH-448120', '2026-01-01', 1, 2, 3, 4)`,
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	for range 30 {
		if _, err := db.Exec(`INSERT INTO visits (patient_id, date, clinician, reason, note) VALUES ('P-1042', '2026-11-01', 'c', 'r', ?)`,
			strings.Repeat("\x01", 30000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := OpenStore(t.Context(), path, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		err = s.transact(t.Context(), func(tx txn) error {
			p, found, err := tx.find(t.Context(), patient.MustParseID("P-1042"))
			if err != nil || !found {
				t.Fatal(found, err)
			}
			c, err := tx.chart(t.Context(), p, firstPage())
			if err != nil || c.Phone != "555-0142" || len(c.Visits) != 1 || len(c.Visits[0].Note) != 4000 || c.VisitsNext == "" {
				t.Errorf("%+v, %v", c, err)
			}
			i, err := tx.insurance(t.Context(), p.ID)
			if err != nil || i.GroupNumber != "HLH-GRP-2207" {
				t.Errorf("%+v, %v", i, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		s.Close()
	}
}
