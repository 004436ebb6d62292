package llm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sashabaranov/go-openai"
)

// recordingVersion is the format of a recording: JSON lines, one exchange each.
const recordingVersion = 1

// Bounds of a recording.
const (
	maxRecording = 64 << 20 // bytes of the file
	maxExchange  = 8 << 20  // bytes of a line
)

// exchange is one turn of a recorded model. It holds no headers and no key.
type exchange struct {
	Version     int       `json:"version"`
	Fingerprint string    `json:"fingerprint"` // of the request
	Request     string    `json:"request"`     // the user's words, for people who read the file
	Model       string    `json:"model"`
	Recorded    time.Time `json:"recorded"`
	Chunks      []chunk   `json:"chunks"`
}

// chunk is one event of a streamed reply.
type chunk struct {
	At   int64           `json:"at_ms"` // since the request
	Data json.RawMessage `json:"data"`
}

// check reports why an exchange is no whole reply.
func (x exchange) check() error {
	a := assembly{who: "the recorded model"}
	for _, c := range x.Chunks {
		var parsed openai.ChatCompletionStreamResponse
		if err := json.Unmarshal(c.Data, &parsed); err != nil {
			return err
		}
		if _, err := a.add(parsed); err != nil {
			return err
		}
	}
	_, err := a.reply()
	return err
}

// readRecording reads a file of exchanges. Of several with one fingerprint the
// last counts. It returns the name of the model that spoke last.
func readRecording(path string) (exchanges map[string]exchange, model string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("open the recording: %w", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	if info, err := f.Stat(); err != nil || info.Size() > maxRecording {
		return nil, "", fmt.Errorf("the recording %s is larger than %d bytes, or not a file", path, maxRecording)
	}
	exchanges = map[string]exchange{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxExchange)
	for n := 1; lines.Scan(); n++ {
		var x exchange
		err := json.Unmarshal(lines.Bytes(), &x)
		if err == nil && x.Version != recordingVersion {
			err = fmt.Errorf("its version is %d and not %d", x.Version, recordingVersion)
		}
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
