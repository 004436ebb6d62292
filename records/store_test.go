package records

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
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

// What fails is reported, never as stored, and without the reason: it may name
// the database's file and statements.
func TestFailures(t *testing.T) {
	s, err := OpenStore(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.transact(t.Context(), func(tx txn) error {
		_, err := tx.Exec("PRAGMA defer_foreign_keys = 1; INSERT INTO visits (patient_id, date, clinician, reason, note) VALUES ('P-0', '', '', '', '')")
		return err
	}); err == nil {
		t.Error("a failed commit was reported as success")
	}
	if _, err := s.db.Exec("CREATE TRIGGER fault BEFORE INSERT ON visits BEGIN SELECT RAISE(ABORT, 'secret path'); END"); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/records/P-1042/notes", strings.NewReader(`{"notes":"x"}`))
	r.Header.Set("Authorization", "Bearer x")
	NewHandler(s, anyToken{}, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), "unavailable") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// anyToken accepts any token for writing notes of P-1042.
type anyToken struct{}

func (anyToken) Validate(context.Context, string) (*agentwrit.Claims, error) {
	return &agentwrit.Claims{Scope: []string{"write:records:P-1042"}}, nil
}
