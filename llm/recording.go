package llm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

// recordingVersion is the format of a recording: JSON lines, one exchange each.
const recordingVersion = 2

// Bounds of a recording.
const (
	maxRecording = 64 << 20 // bytes of the file
	maxExchange  = 8 << 20  // bytes of a line
)

// exchange is one turn of a recorded model: a reply or an error, with its pace.
// It holds no headers and no key.
type exchange struct {
	Version     int       `json:"version"`
	Fingerprint string    `json:"fingerprint"` // of the request
	Request     string    `json:"request"`     // the user's text, for people who read the file
	Model       string    `json:"model"`
	Recorded    time.Time `json:"recorded"`

	Pieces []textPiece    `json:"pieces,omitempty"` // the answer as it streamed
	Took   int64          `json:"took_ms"`
	Reply  *Reply         `json:"reply,omitempty"`
	Error  *recordedError `json:"error,omitempty"`
}

// textPiece is a piece of an answer and when it arrived.
type textPiece struct {
	At   int64  `json:"at_ms"` // since the request
	Text string `json:"text"`
}

// recordedError is an [Error] of the recorded model.
type recordedError struct {
	Kind    Kind   `json:"kind"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// check reports why an exchange can't be played.
func (x exchange) check() error {
	switch {
	case x.Version != recordingVersion:
		return fmt.Errorf("its version is %d and not %d: record again", x.Version, recordingVersion)
	case (x.Reply == nil) == (x.Error == nil):
		return errors.New("it holds neither a reply nor an error, or both")
	case x.Reply != nil && x.Reply.Content == "" && len(x.Reply.ToolCalls) == 0:
		return errors.New("its reply is empty")
	}
	return nil
}

// readRecording reads a file of exchanges. Of several with one fingerprint the
// last counts. It returns the name of the last model in it.
func readRecording(path string) (exchanges map[string]exchange, model string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("open the recording: %w", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxRecording {
		return nil, "", fmt.Errorf("the recording %s is larger than %d bytes, or not a file", path, maxRecording)
	}
	exchanges = map[string]exchange{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxExchange)
	for n := 1; lines.Scan(); n++ {
		var x exchange
		err := json.Unmarshal(lines.Bytes(), &x)
		if err == nil {
			err = x.check()
		}
		if err != nil {
			return nil, "", fmt.Errorf("line %d of the recording %s can't be used: %w", n, path, err)
		}
		exchanges[x.Fingerprint], model = x, x.Model
	}
	if err := lines.Err(); err != nil {
		return nil, "", fmt.Errorf("read the recording: %w", err)
	}
	if len(exchanges) == 0 {
		return nil, "", errors.New("the recording " + path + " is empty")
	}
	return exchanges, model, nil
}
