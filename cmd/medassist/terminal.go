package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/internal/text"
)

// printf writes formatted output. Text arguments may come from elsewhere (a
// broker, a file, a model), so their control and formatting characters are
// escaped: they can neither move the cursor nor imitate a line of ours. Line
// breaks belong in the format.
func printf(w io.Writer, format string, args ...any) {
	escaped := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			escaped[i] = escape(arg)
		case error:
			escaped[i] = escape(arg.Error())
		case fmt.Stringer:
			escaped[i] = escape(arg.String())
		case int, int64:
			escaped[i] = arg
		default: // named string types and everything else
			escaped[i] = escape(fmt.Sprint(arg))
		}
	}
	fmt.Fprintf(w, format, escaped...)
}

// escape returns s with every character escaped that does not simply print.
func escape(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unprintable(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteRune(r)
		}
		s = s[size:]
	}
	return b.String()
}

// unprintable reports whether r is a control, formatting or separator character.
// Formatting characters include those that reorder bidirectional text.
func unprintable(r rune) bool { return r != ' ' && (!unicode.IsPrint(r) || text.Hidden(r)) }

// pipe wraps standard output or standard error. When the reader of the pipe is
// gone it calls stop, so that the process shuts down in order instead of being
// killed by SIGPIPE.
type pipe struct {
	io.Writer
	stop func()
}

func (p pipe) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		p.stop()
	}
	return n, err
}
