package records

import "slices"

// migrations build the schema in SQLite; released ones are never edited. Dates are ISO 8601
// days, money is in cents, diagnoses are a JSON array.
var migrations = []string{`
CREATE TABLE patients (
	id TEXT PRIMARY KEY, name TEXT NOT NULL, date_of_birth TEXT NOT NULL, sex TEXT NOT NULL) STRICT;
CREATE TABLE allergies (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	substance TEXT NOT NULL, reaction TEXT NOT NULL, severity TEXT NOT NULL) STRICT;
CREATE TABLE problems (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	icd10 TEXT NOT NULL, description TEXT NOT NULL, since TEXT NOT NULL, status TEXT NOT NULL) STRICT;
CREATE TABLE visits (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	date TEXT NOT NULL, clinician TEXT NOT NULL, reason TEXT NOT NULL, note TEXT NOT NULL) STRICT;
CREATE TABLE labs (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	date TEXT NOT NULL, loinc TEXT NOT NULL, test TEXT NOT NULL, value REAL NOT NULL,
	unit TEXT NOT NULL, reference_range TEXT NOT NULL, flag TEXT NOT NULL) STRICT;
CREATE TABLE medications (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	drug TEXT NOT NULL, dose TEXT NOT NULL, frequency TEXT NOT NULL, indication TEXT NOT NULL,
	prescriber TEXT NOT NULL, started TEXT NOT NULL) STRICT;
CREATE TABLE charges (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	date TEXT NOT NULL, code TEXT NOT NULL, description TEXT NOT NULL, icd10 TEXT NOT NULL,
	amount INTEGER NOT NULL, paid INTEGER NOT NULL, status TEXT NOT NULL) STRICT;
CREATE TABLE claims (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	date TEXT NOT NULL, codes TEXT NOT NULL, amount INTEGER NOT NULL, status TEXT NOT NULL) STRICT;
CREATE TABLE insurance (
	patient_id TEXT PRIMARY KEY REFERENCES patients,
	payer TEXT NOT NULL, plan TEXT NOT NULL, member_id TEXT NOT NULL, effective TEXT NOT NULL,
	copay INTEGER NOT NULL, deductible INTEGER NOT NULL, deductible_met INTEGER NOT NULL,
	out_of_pocket_max INTEGER NOT NULL) STRICT;
CREATE TABLE coverage (
	id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients,
	service TEXT NOT NULL, patient_share TEXT NOT NULL, prior_authorization TEXT NOT NULL) STRICT;
CREATE TABLE formulary (
	drug TEXT PRIMARY KEY COLLATE NOCASE, class TEXT NOT NULL, usual_dose TEXT NOT NULL,
	usual_frequency TEXT NOT NULL, indication TEXT NOT NULL) STRICT;
CREATE TABLE interactions (
	drug TEXT NOT NULL COLLATE NOCASE, with_drug TEXT NOT NULL COLLATE NOCASE, severity TEXT NOT NULL,
	mechanism TEXT NOT NULL, advice TEXT NOT NULL, PRIMARY KEY (drug, with_drug)) STRICT;
CREATE TABLE services (
	code TEXT PRIMARY KEY, description TEXT NOT NULL, keywords TEXT NOT NULL, amount INTEGER NOT NULL) STRICT;
`, `
ALTER TABLE patients ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE patients ADD COLUMN phone TEXT NOT NULL DEFAULT '';
ALTER TABLE patients ADD COLUMN emergency_contact TEXT NOT NULL DEFAULT '';
ALTER TABLE insurance ADD COLUMN group_number TEXT NOT NULL DEFAULT '';
ALTER TABLE visits ADD COLUMN diagnoses TEXT NOT NULL DEFAULT '[]';
`, `
CREATE TABLE probe (id INTEGER PRIMARY KEY, filler TEXT NOT NULL) STRICT;
`}

// sharedMigrations build the schema in PostgreSQL; released ones are never edited.
// Texts are ordered by their bytes, as in SQLite.
var sharedMigrations = []string{`
CREATE TABLE records.patients (
	id TEXT COLLATE "C" PRIMARY KEY, name TEXT NOT NULL, date_of_birth TEXT NOT NULL, sex TEXT NOT NULL,
	address TEXT NOT NULL, phone TEXT NOT NULL, emergency_contact TEXT NOT NULL);
CREATE TABLE records.allergies (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	substance TEXT NOT NULL, reaction TEXT NOT NULL, severity TEXT NOT NULL);
CREATE TABLE records.problems (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	icd10 TEXT NOT NULL, description TEXT NOT NULL, since TEXT COLLATE "C" NOT NULL, status TEXT NOT NULL);
CREATE TABLE records.visits (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	date TEXT COLLATE "C" NOT NULL, clinician TEXT NOT NULL, reason TEXT NOT NULL, note TEXT NOT NULL,
	diagnoses TEXT NOT NULL DEFAULT '[]');
CREATE TABLE records.labs (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	date TEXT COLLATE "C" NOT NULL, loinc TEXT NOT NULL, test TEXT NOT NULL, value DOUBLE PRECISION NOT NULL,
	unit TEXT NOT NULL, reference_range TEXT NOT NULL, flag TEXT NOT NULL);
CREATE TABLE records.medications (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	drug TEXT COLLATE "C" NOT NULL, dose TEXT NOT NULL, frequency TEXT NOT NULL, indication TEXT NOT NULL,
	prescriber TEXT NOT NULL, started TEXT COLLATE "C" NOT NULL);
CREATE TABLE records.charges (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	date TEXT COLLATE "C" NOT NULL, code TEXT NOT NULL, description TEXT NOT NULL, icd10 TEXT NOT NULL,
	amount BIGINT NOT NULL, paid BIGINT NOT NULL, status TEXT NOT NULL);
CREATE TABLE records.claims (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	date TEXT COLLATE "C" NOT NULL, codes TEXT NOT NULL, amount BIGINT NOT NULL, status TEXT NOT NULL);
CREATE TABLE records.insurance (
	patient_id TEXT COLLATE "C" PRIMARY KEY REFERENCES records.patients,
	payer TEXT NOT NULL, plan TEXT NOT NULL, member_id TEXT NOT NULL, group_number TEXT NOT NULL, effective TEXT NOT NULL,
	copay BIGINT NOT NULL, deductible BIGINT NOT NULL, deductible_met BIGINT NOT NULL,
	out_of_pocket_max BIGINT NOT NULL);
CREATE TABLE records.coverage (
	id BIGINT PRIMARY KEY, patient_id TEXT COLLATE "C" NOT NULL REFERENCES records.patients,
	service TEXT NOT NULL, patient_share TEXT NOT NULL, prior_authorization TEXT NOT NULL);
CREATE TABLE records.formulary (
	drug TEXT COLLATE "C" PRIMARY KEY, class TEXT NOT NULL, usual_dose TEXT NOT NULL,
	usual_frequency TEXT NOT NULL, indication TEXT NOT NULL);
CREATE TABLE records.interactions (
	drug TEXT COLLATE "C" NOT NULL, with_drug TEXT COLLATE "C" NOT NULL, severity TEXT NOT NULL,
	mechanism TEXT NOT NULL, advice TEXT NOT NULL, PRIMARY KEY (drug, with_drug));
CREATE TABLE records.services (
	code TEXT COLLATE "C" PRIMARY KEY, description TEXT NOT NULL, keywords TEXT NOT NULL, amount BIGINT NOT NULL);
CREATE TABLE records.probe (id BIGINT PRIMARY KEY, filler TEXT NOT NULL);
`}

// tables are in an order in which they can be emptied.
var tables = []string{"allergies", "problems", "visits", "labs", "medications", "charges",
	"claims", "insurance", "coverage", "formulary", "interactions", "services", "patients"}

// numbered reports whether the rows of a table have an "id" that is a number.
func numbered(table string) bool {
	return !slices.Contains([]string{"patients", "insurance", "formulary", "interactions", "services"}, table)
}

// SchemaVersion returns the version of the schema "records" that this program knows.
func SchemaVersion() int { return len(sharedMigrations) }
