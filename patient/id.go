// Package patient defines the patient ID. An ID is parsed once, where it enters
// the program, and is a type of its own from there on, so that it can never be a
// wildcard, contain a scope separator or name a path.
package patient

import "errors"

// MaxIDLength is the longest patient ID, in bytes.
const MaxIDLength = 32

// ErrInvalidID is the error that [ParseID] returns.
var ErrInvalidID = errors.New("a patient ID is 1 to 32 letters, digits, dots, underscores or hyphens, such as P-1042")

// An ID is a well-formed patient ID. The zero ID is not valid.
type ID struct{ s string }

// ParseID parses an ID: [A-Za-z0-9._-]{1,32}, except "." and "..", which are paths.
func ParseID(s string) (ID, error) {
	if s == "" || len(s) > MaxIDLength || s == "." || s == ".." {
		return ID{}, ErrInvalidID
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == '-':
		default:
			return ID{}, ErrInvalidID
		}
	}
	return ID{s}, nil
}

// MustParseID is like [ParseID] but panics on an error. It is for constants.
func MustParseID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		panic("patient: " + s + ": " + err.Error())
	}
	return id
}

// String returns the ID as it was written.
func (id ID) String() string { return id.s }

// IsZero reports whether id is the zero ID.
func (id ID) IsZero() bool { return id.s == "" }

// MarshalText encodes the ID.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.s), nil }

// UnmarshalText parses the ID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
