package run

import "testing"

func TestSuggest(t *testing.T) {
	patients := []PatientOption{{"P-1042", "Maria Alvarez"}, {"P-2187", "James Park"}, {"P-3301", "Ann Lee"}, {"P-4455", "Ann Lee"}}
	for typed, want := range map[string]string{
		"p-1042": "P-1042", "Maria Alvarez": "P-1042", " maria  alvarez ": "P-1042", "james park": "P-2187",
		"P-1042": "", "P-9999": "", "Maria": "", "": "", "Ann Lee": "", "p-3301": "P-3301",
	} {
		got := ""
		if s := suggest(patients, typed); s != nil {
			got = s.ID
		}
		if got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
