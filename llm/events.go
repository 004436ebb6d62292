package llm

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const maxLine = 1 << 20 // bytes of one line of a stream

// events reads an event stream and passes on the data of each event, on one
// line, and nothing else. Comments, heartbeats, event names and empty data
// confuse the client library. An error among the events becomes an [*Error].
type events struct {
	lines   *bufio.Scanner
	failed  func(body []byte) *Error // returns the error that a server reports
	done    func()                   // the stream said that it is complete
	name    string                   // of the event that is being read
	pending []byte                   // its data
	out     []byte                   // what is yet to be passed on
	err     error                    // after out
	tooLong error
}

func newEvents(r io.Reader, who string, failed func([]byte) *Error, done func()) *events {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	return &events{lines: lines, failed: failed, done: done, tooLong: tooMuch(who, fmt.Sprintf("a line may have %d bytes", maxLine))}
}

// Read implements [io.Reader].
func (e *events) Read(p []byte) (int, error) {
	for len(e.out) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		e.next()
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

// next reads a line. Data on several lines is one event, ended by an empty
// line; but data that is complete JSON ends its event, because not every server
// sends an empty line.
func (e *events) next() {
	if !e.lines.Scan() {
		e.end()
		switch err := e.lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			e.err = e.tooLong
		case err != nil:
			e.err = err
		case e.err == nil:
			e.err = io.EOF
		}
		return
	}
	line := bytes.TrimPrefix(bytes.TrimRight(e.lines.Bytes(), "\r"), []byte("\uFEFF"))
	if name, ok := bytes.CutPrefix(line, []byte("event:")); ok {
		e.name = string(bytes.TrimSpace(name))
		return
	}
	data, isData := bytes.CutPrefix(line, []byte("data:"))
	switch data = bytes.TrimSpace(data); {
	case isData:
		e.pending = append(e.pending, data...)
		if string(data) == "[DONE]" || json.Valid(e.pending) {
			e.end()
		}
	case len(line) == 0:
		e.end()
	}
}

// end passes on the event that was read.
func (e *events) end() {
	data, name := e.pending, e.name
	e.pending, e.name = nil, ""
	if len(data) == 0 {
		return
	}
	if string(data) == "[DONE]" {
		e.done()
	} else if name == "error" || reportsError(data) {
		e.err = e.failed(data)
		return
	}
	e.out = append(append([]byte("data: "), data...), "\n\n"...)
}

// reportsError reports whether an event, or a whole answer, is an error in
// place of a reply or in the middle of one.
func reportsError(data []byte) bool {
	var f fields
	if json.Unmarshal(data, &f) != nil {
		return false
	}
	reply := f["choices"] != nil || f["output"] != nil || f["response"] != nil || f["usage"] != nil
	if raw, present := f["error"]; present && !isNull(raw) {
		switch string(bytes.TrimSpace(raw)) {
		case "{}", `""`, "false":
			return !reply
		}
		return true
	}
	if reply {
		return false
	}
	return f.text("object") == "error" || f.text("type") == "error" || f["detail"] != nil || len(f.list("errors")) > 0
}
