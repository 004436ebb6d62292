// Package patient holds the one type that every room must agree on: the
// patient ID. It is parsed once, where it enters, and used as a type from
// there on, so that an ID can never be a wildcard, a scope separator or a path.
package patient

import "errors"

// MaxIDLength is the longest patient ID, in bytes.
const MaxIDLength = 32

// ErrInvalidID is what [ParseID] returns for anything but an ID.
var ErrInvalidID = errors.New("a patient ID is 1 to 32 letters, digits, dots, underscores or hyphens, such as P-1042")

// ID is a well-formed patient ID. The zero ID is not one.
type ID struct{ s string }

// ParseID accepts [A-Za-z0-9._-]{1,32} except "." and "..", which are paths.
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

// MustParseID is [ParseID] for IDs that stand in the source.
func MustParseID(s string) ID {
	id, err := ParseID(s)
	if err != nil {
		panic("patient: " + s + ": " + err.Error())
	}
	return id
}

// String is the ID as it was written.
func (id ID) String() string { return id.s }

// IsZero reports whether id was never parsed.
func (id ID) IsZero() bool { return id.s == "" }

// MarshalText writes the ID.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.s), nil }

// UnmarshalText parses the ID.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
