package llm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sashabaranov/go-openai"
)

// Recorder is a [Model] of a server that also writes each whole reply to a
// file, for [OpenRecording]. The file holds what patients' records said in
// those runs: treat it as one.
type Recorder struct {
	Model

	mu   sync.Mutex
	file *os.File
	err  error // the first failure to write
}

// NewRecorder makes a model like [NewOpenAI] and appends to the file at path,
// which is made if need be. A reply that failed, or that its caller did not read to
// its end, is not recorded. A file that can't be written disturbs no run;
// Close reports it.
func NewRecorder(cfg Config, path string) (*Recorder, error) {
	r := &Recorder{}
	model, err := newRemote(cfg, func(rt http.RoundTripper) http.RoundTripper {
		return &recordingTransport{next: rt, model: cfg.Model, keep: r.keep}
	})
	if err != nil {
		return nil, err
	}
	r.Model = model
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	return r, nil
}

// Close ends the recording and reports what could not be written to it.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.file.Close())
}

// keep writes an exchange if it is whole.
func (r *Recorder) keep(x exchange) {
	if x.check() != nil {
		return
	}
	line, err := json.Marshal(x)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("write the recording: %w", err)
	}
}

// recordingTransport notes what streams past. It stands before [transport], so
// that a stream is already clean, and what was repeated or refused is not seen.
type recordingTransport struct {
	next  http.RoundTripper
	model string
	keep  func(exchange)
}

// RoundTrip implements [http.RoundTripper].
func (t *recordingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	asked, err := readRequest(req)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &tape{ReadCloser: resp.Body, start: start, keep: t.keep, exchange: exchange{Version: recordingVersion,
		Fingerprint: fingerprint(asked), Request: lastUserWords(asked), Model: t.model, Recorded: start.UTC()}}
	return resp, nil
}

// readRequest reads a request's body and leaves it as it was.
func readRequest(req *http.Request) (openai.ChatCompletionRequest, error) {
	var asked openai.ChatCompletionRequest
	if req.GetBody == nil {
		return asked, errors.New("llm: a request without a body")
	}
	body, err := req.GetBody()
	if err != nil {
		return asked, err
	}
	defer body.Close()
	err = json.NewDecoder(body).Decode(&asked)
	return asked, err
}

func lastUserWords(req openai.ChatCompletionRequest) string {
	words := ""
	for _, m := range req.Messages {
		if m.Role == openai.ChatMessageRoleUser {
			words = m.Content
		}
	}
	return words
}

// tape keeps what is read of a clean stream, event by event.
type tape struct {
	io.ReadCloser
	start    time.Time
	keep     func(exchange)
	exchange exchange
	line     []byte // not ended yet
	kept     bool
}

// Read implements [io.Reader].
func (t *tape) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.line = append(t.line, p[:n]...)
	for {
		line, rest, whole := bytes.Cut(t.line, []byte("\n"))
		if !whole {
			break
		}
		t.line = rest
		t.add(line)
	}
	if errors.Is(err, io.EOF) {
		t.end()
	}
	return n, err
}

func (t *tape) add(line []byte) {
	data, isData := bytes.CutPrefix(line, []byte("data: "))
	switch {
	case !isData:
	case string(data) == "[DONE]":
		t.end()
	default:
		t.exchange.Chunks = append(t.exchange.Chunks, chunk{time.Since(t.start).Milliseconds(), bytes.Clone(data)})
	}
}

func (t *tape) end() {
	if !t.kept {
		t.kept = true
		t.keep(t.exchange)
	}
}
