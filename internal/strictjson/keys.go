package strictjson

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a document.
const maxDepth = 32

// fewKeys are compared one by one, more with a map.
const fewKeys = 16

// A key is a key of an object.
type key struct {
	name   string
	folded string // equal for keys that differ in letter case only
}

// keysOf returns the keys of the object that data, which must be valid JSON, consists
// of. It fails if an object repeats a key, in any letter case.
func keysOf(data []byte) ([]key, error) {
	s := scanner{data: data}
	if s.next() != '{' {
		return nil, errNoObject
	}
	return s.object(1)
}

// A scanner reads valid JSON. It is several times as fast as a [json.Decoder], because
// it need not check the syntax, and reads nothing but keys.
type scanner struct {
	data []byte
	at   int
}

// next returns the first character after white space.
func (s *scanner) next() byte {
	for {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
}

// object reads an object to its end, from its opening brace.
func (s *scanner) object(depth int) (keys []key, err error) {
	var seen map[string]bool // of the keys, if they are many
	s.at++
	for s.next() != '}' {
		if s.next() == ',' {
			s.at++
			s.next()
		}
		k := s.key()
		if seen[k.folded] || seen == nil && slices.ContainsFunc(keys, func(other key) bool { return other.folded == k.folded }) {
			return nil, &KeyError{}
		}
		switch keys = append(keys, k); {
		case len(keys) == fewKeys:
			seen = make(map[string]bool)
			for _, k := range keys {
				seen[k.folded] = true
			}
		case seen != nil:
			seen[k.folded] = true
		}
		s.next()
		s.at++ // the colon
		if err := s.value(depth); err != nil {
			return nil, err
		}
	}
	s.at++
	return keys, nil
}

// value reads a value to its end.
func (s *scanner) value(depth int) error {
	switch c := s.next(); {
	case (c == '{' || c == '[') && depth >= maxDepth:
		return errDepth
	case c == '{':
		_, err := s.object(depth + 1)
		return err
	case c == '[':
		s.at++
		for s.next() != ']' {
			if s.next() == ',' {
				s.at++
			}
			if err := s.value(depth + 1); err != nil {
				return err
			}
		}
		s.at++
	case c == '"':
		s.text()
	default: // a number, true, false or null
		for s.at < len(s.data) && strings.IndexByte(" \t\n\r,]}", s.data[s.at]) < 0 {
			s.at++
		}
	}
	return nil
}

// text reads a string to its end, and returns it with its quotes.
func (s *scanner) text() (raw []byte, escaped bool) {
	begin := s.at
	for s.at++; s.data[s.at] != '"'; s.at++ {
		if s.data[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	return s.data[begin:s.at], escaped
}

func (s *scanner) key() key {
	raw, escaped := s.text()
	name := string(raw[1 : len(raw)-1])
	if escaped {
		_ = json.Unmarshal(raw, &name) // it is valid
	}
	return key{name, fold(name)}
}

// fold returns the form that keys have in common if encoding/json considers them
// equal: every letter is replaced by the smallest one that differs in case only.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if 'a' <= r && r <= 'z' {
				return r - 'a' + 'A'
			}
			return r
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, name)
}
