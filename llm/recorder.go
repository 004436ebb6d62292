package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/internal/privatefile"
)

// A Recorder is a [Model] of a server that also writes each turn to a file, for
// [OpenRecording]: the reply with its tool calls and reasoning, or the error,
// and the pace of both. The file holds what patients' records said in those
// runs: protect it as you protect them.
type Recorder struct {
	Model

	mu   sync.Mutex
	file *os.File
	err  error // the first failure to write
}

// NewRecorder returns a model like [NewOpenAI] does, and appends to the file at
// path, which it creates if need be. A turn that its caller cancelled is not
// recorded. A file that can't be written disturbs no run; Close reports it.
func NewRecorder(cfg Config, path string) (*Recorder, error) {
	model, err := NewOpenAI(cfg)
	if err != nil {
		return nil, err
	}
	if err := privatefile.Create(path); err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the recording: %w", err)
	}
	return &Recorder{Model: model, file: file}, nil
}

// Vendor returns the product that serves the model, as far as it is known.
func (r *Recorder) Vendor() Vendor { return AdviceFor(r.Model).vendor }

// Complete implements [Model].
func (r *Recorder) Complete(ctx context.Context, req Request, onText func(string)) (Reply, error) {
	start := time.Now()
	x := exchange{Version: recordingVersion, Fingerprint: fingerprint(req), Model: r.Name(), Recorded: start.UTC()}
	for _, m := range req.Messages {
		if m.Role == RoleUser {
			x.Request = m.Content
		}
	}
	reply, err := r.Model.Complete(ctx, req, func(text string) {
		x.Pieces = append(x.Pieces, textPiece{time.Since(start).Milliseconds(), text})
		onText(text)
	})
	x.Took = time.Since(start).Milliseconds()
	var e *Error
	switch {
	case err == nil:
		x.Reply = &reply
	case errors.As(err, &e) && ctx.Err() == nil:
		x.Error = &recordedError{e.Kind, e.Status, e.Message, e.Hint}
	default:
		return reply, err
	}
	r.keep(x)
	return reply, err
}

// Close ends the recording and reports what could not be written to it.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.file.Close())
}

// keep appends an exchange.
func (r *Recorder) keep(x exchange) {
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
