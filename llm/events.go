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

// events passes on the data of an event stream, one line for each event, and
// nothing else. Comments, heartbeats, event names and empty data trip the client
// library, and so does an error among the events: it becomes an [*Error].
type events struct {
	who     string
	lines   *bufio.Scanner
	pending []byte // data of the event that is being read
	out     []byte // what is yet to be passed on
	err     error  // after out
}

func newEvents(r io.Reader, who string) *events {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	return &events{who: who, lines: lines}
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
// line; but data that is whole ends its event, as not every server sends one.
func (e *events) next() {
	if !e.lines.Scan() {
		e.end()
		switch err := e.lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			e.err = tooMuch(e.who, fmt.Sprintf("a line may have %d bytes", maxLine))
		case err != nil:
			e.err = err
		case e.err == nil:
			e.err = io.EOF
		}
		return
	}
	line := bytes.TrimPrefix(e.lines.Bytes(), []byte("\uFEFF"))
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
	data := e.pending
	e.pending = nil
	if len(data) == 0 {
		return
	}
	if err := failureIn(data, e.who); err != nil {
		e.err = err
		return
	}
	e.out = append(append([]byte("data: "), data...), "\n\n"...)
}

// failureIn finds an error that a server reports in place of a reply, after it
// has answered 200.
func failureIn(data []byte, who string) error {
	if !bytes.Contains(data, []byte(`"error"`)) {
		return nil
	}
	var frame struct {
		Error   json.RawMessage `json:"error"`
		Choices json.RawMessage `json:"choices"`
	}
	if json.Unmarshal(data, &frame) != nil || frame.Choices != nil || len(frame.Error) == 0 || string(frame.Error) == "null" {
		return nil
	}
	var said struct {
		Code int `json:"code"`
	}
	if json.Unmarshal(frame.Error, &said) == nil && said.Code >= 400 && said.Code < 600 {
		return answered(who, said.Code, "")
	}
	return &Error{Kind: KindServer, Message: who + " reported an error in place of a reply", Hint: "its log may say more"}
}

// streamOf makes a stream of one chunk from a whole completion, which some
// servers send although they were asked to stream.
func streamOf(r io.Reader, who string) (string, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	if err := failureIn(body, who); err != nil {
		return "", err
	}
	type choice struct {
		Index        int             `json:"index"`
		Message      json.RawMessage `json:"message,omitempty"`
		Delta        json.RawMessage `json:"delta,omitempty"`
		FinishReason json.RawMessage `json:"finish_reason,omitempty"`
	}
	var whole struct {
		Choices []choice        `json:"choices"`
		Usage   json.RawMessage `json:"usage,omitempty"`
	}
	if err := json.Unmarshal(body, &whole); err != nil {
		return "", unreadable(who, "it is JSON, but no chat completion; check LLM_BASE_URL, which usually ends in /v1")
	}
	for i, c := range whole.Choices {
		whole.Choices[i].Message, whole.Choices[i].Delta = nil, c.Message
	}
	chunk, err := json.Marshal(whole)
	if err != nil {
		return "", unreadable(who, "it is JSON, but no chat completion")
	}
	return fmt.Sprintf("data: %s\n\ndata: [DONE]\n\n", chunk), nil
}
