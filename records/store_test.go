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
	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/sqlitedb"
	"github.com/devonartis/medassist-go/patient"
)

// A store of an earlier version keeps what was written and gets the columns that
// were added since. Notes that this version would refuse are still readable.
func TestStoresOfEarlierVersions(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
	s, err := OpenStore(t.Context(), "", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	testFailures(t, s, "PRAGMA defer_foreign_keys = 1",
		"CREATE TRIGGER fault BEFORE INSERT ON visits BEGIN SELECT RAISE(ABORT, 'secret path'); END")
}

func TestFailuresOfTheSharedStore(t *testing.T) {
	t.Parallel()
	s := openShared(t, pgtest.URL(t))
	testFailures(t, s, "ALTER TABLE visits ALTER CONSTRAINT visits_patient_id_fkey DEFERRABLE INITIALLY DEFERRED",
		"CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'secret path'; END $$",
		"CREATE TRIGGER fault BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION fault()")
}

// testFailures takes statements that have a missing patient found at the commit, and
// that make the writing of notes fail.
func testFailures(t *testing.T, s *Store, deferred string, fault ...string) {
	exec := func(statements ...string) error {
		return s.transact(t.Context(), func(tx txn) error {
			for _, statement := range statements {
				if _, err := tx.Exec(statement); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := exec(deferred, "INSERT INTO visits (id, patient_id, date, clinician, reason, note) VALUES (99, 'P-0', '', '', '', '')"); err == nil {
		t.Error("a failed commit was reported as success")
	}
	if err := exec(fault...); err != nil {
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

// A replica that is frozen in the middle of a transaction does not keep the others
// from writing: the database ends its transaction.
func TestAFrozenReplica(t *testing.T) {
	t.Parallel()
	url := pgtest.URL(t)
	frozen, other := openShared(t, url), openShared(t, url)
	locked, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	write := func(s *Store, name string, wait func()) error {
		return s.transact(t.Context(), func(tx txn) error {
			wait()
			_, err := tx.Exec("UPDATE patients SET name = $1", name)
			return err
		})
	}
	go func() { ended <- write(frozen, "frozen", func() { close(locked); <-goOn }) }()
	<-locked
	if err := write(other, "other", func() {}); err != nil {
		t.Errorf("the other replica is blocked: %v", err)
	}
	close(goOn)
	if err := <-ended; err == nil {
		t.Error("the frozen replica's transaction was committed")
	}
	if p, _, err := frozen.Find(t.Context(), patient.MustParseID("P-1042")); err != nil || p.Name != "other" {
		t.Errorf("%+v, %v", p, err)
	}
}

func openShared(t *testing.T, url string) *Store {
	t.Helper()
	c, err := cluster.Open(t.Context(), cluster.Config{URL: url, Secret: "secret", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := OpenShared(t.Context(), c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// anyToken accepts any token for writing notes of P-1042.
type anyToken struct{}

func (anyToken) Validate(context.Context, string) (*agentwrit.Claims, error) {
	return &agentwrit.Claims{Scope: []string{"write:records:P-1042"}}, nil
}
