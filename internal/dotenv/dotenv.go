// Package dotenv reads and edits .env files in the format of
// github.com/joho/godotenv. Unlike godotenv, its errors name the line of a
// mistake and never quote the file, which may contain secrets.
package dotenv

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// MaxSize is the largest file that is accepted, in bytes.
const MaxSize = 64 << 10

// A SyntaxError reports a line that can't be parsed.
type SyntaxError struct {
	Line int // from 1
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d can't be parsed", e.Line) }

// dollar stands for "$" where it must not be expanded. It is a private-use
// character, which has no meaning in a .env file.
const dollar = "\uf8ff"

// Parse returns the variables of a file. References such as ${NAME} to earlier
// variables of the file are expanded, except in the values of the variables
// listed in literal, where "$" stands for itself.
func Parse(content string, literal ...string) (map[string]string, error) {
	if _, err := statements(content); err != nil {
		return nil, err
	}
	vars, err := godotenv.Unmarshal(content)
	if err != nil {
		return nil, &SyntaxError{1} // statements found nothing wrong, so the line is unknown
	}
	unexpanded, err := godotenv.Unmarshal(strings.ReplaceAll(content, "$", dollar))
	if err != nil {
		return nil, &SyntaxError{1}
	}
	for _, name := range literal {
		value, ok := unexpanded[name]
		if !ok {
			continue
		}
		if plain := strings.ReplaceAll(value, dollar, "$"); plain != vars[name] {
			vars[name] = strings.ReplaceAll(strings.ReplaceAll(value, `\`+dollar, "$"), dollar, "$")
		}
	}
	return vars, nil
}

// statement is a variable's definition. It takes more than one line if the value
// is quoted and contains line breaks.
type statement struct {
	name        string
	first, last int // indexes of its lines
}

// statements returns the definitions in a file, in order.
func statements(content string) ([]statement, error) {
	if len(content) > MaxSize {
		return nil, fmt.Errorf("larger than %d bytes", MaxSize)
	}
	lines := strings.Split(content, "\n")
	var out []statement
	for first := 0; first < len(lines); {
		last := first
		var vars map[string]string
		var err error
		for ; last < len(lines); last++ {
			// A quoted value that is not closed yet is an error, so try one more line.
			vars, err = godotenv.Unmarshal(strings.Join(lines[first:last+1], "\n"))
			if err == nil || !openQuote(lines[first]) {
				break
			}
		}
		if _, unnamed := vars[""]; err != nil || unnamed {
			return nil, &SyntaxError{first + 1}
		}
		for name := range vars {
			out = append(out, statement{name, first, last})
		}
		first = last + 1
	}
	return out, nil
}

// openQuote reports whether a definition starts with a quote, so that its value
// may continue on the next line.
func openQuote(line string) bool {
	_, value, found := strings.Cut(line, "=")
	if name, yaml, ok := strings.Cut(line, ":"); ok && !strings.Contains(name, "=") {
		value, found = yaml, true
	}
	value = strings.TrimLeft(value, " \t\v\f\r")
	return found && (strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'"))
}

// Set returns the content with the variables set. A variable that is defined
// keeps its place and its export prefix; the others are appended in the order of
// their names in order. Every other line stays as it is. Set fails for a value
// that a .env file can't represent.
func Set(content string, vars map[string]string, order []string) (string, error) {
	defined, err := statements(content)
	if err != nil {
		return "", err
	}
	quoted := make(map[string]string, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if quoted[name], err = quote(vars[name]); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	lines := strings.Split(strings.TrimRight(content, "\n"), "\n")
	written := map[string]bool{}
	for _, s := range slices.Backward(defined) {
		value, ok := quoted[s.name]
		if !ok {
			continue
		}
		prefix := ""
		if strings.HasPrefix(strings.TrimSpace(lines[s.first]), "export ") {
			prefix = "export "
		}
		lines = slices.Replace(lines, s.first, s.last+1, prefix+s.name+"="+value)
		written[s.name] = true
	}
	if content == "" {
		lines = nil
	}
	for _, name := range order {
		if value, ok := quoted[name]; ok && !written[name] {
			lines = append(lines, name+"="+value)
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// plain lists the characters, beside letters and digits, that need no quotes.
const plain = "._~+/=:@%,?&-"

// quote returns a value as it is written in a .env file. Nothing is expanded in
// the result.
func quote(value string) (string, error) {
	simple := true
	for _, r := range value {
		switch {
		case r < ' ' || r > '~' || r == '\'' || r == '\\':
			return "", fmt.Errorf("can't be written to a .env file: it contains %q", r)
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(plain, r):
		default:
			simple = false
		}
	}
	if simple {
		return value, nil
	}
	return "'" + value + "'", nil
}
