package records

// migrations build the schema; released ones are never edited. Dates are ISO 8601
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

// tables are in an order in which they can be emptied.
var tables = []string{"allergies", "problems", "visits", "labs", "medications", "charges",
	"claims", "insurance", "coverage", "formulary", "interactions", "services", "patients"}
