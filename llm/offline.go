package llm

import (
	"errors"
	"io"
	"net/http"

	"github.com/devonartis/medassist-go/llm/planner"
)

// PlannerName is the offline planner's name on the page.
const PlannerName = "OFFLINE PLANNER"

// NewPlanner returns the Model that needs no network: the planner's handler,
// reached through the same client and protocol as any other model.
func NewPlanner() Model { return newInProcess(PlannerHandler(), PlannerName, "the offline planner") }

// PlannerHandler serves the offline planner over HTTP; over a network it is a
// remote model like any other.
func PlannerHandler() http.Handler { return planner.Handler(0) }

// newInProcess returns a model whose server is a handler in this process. Its
// host can't exist (RFC 2606).
func newInProcess(h http.Handler, name, who string) *client {
	cfg := Config{Model: planner.ModelID, Transport: inProcess{h}}
	end := endpoint{host: "planner.invalid", bases: []string{"http://planner.invalid/v1"}, api: APIChat}
	return newClient(cfg, end, VendorUnknown, name, ModeOffline, who)
}

// inProcess is a transport that calls a handler instead of a network. The
// response streams: what the handler has written can be read while it goes on.
type inProcess struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper]. The handler's goroutine ends when
// it has answered, when the reader closes the body or when the request's
// context ends.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	served := req.Clone(ctx)
	if served.Body == nil {
		served.Body = http.NoBody
	}
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, pipe: pw, ready: make(chan struct{})}
	go func() {
		defer w.finish()
		defer served.Body.Close()
		t.handler.ServeHTTP(w, served)
	}()
	select {
	case <-w.ready:
	case <-ctx.Done():
		pr.CloseWithError(ctx.Err())
		return nil, ctx.Err()
	}
	return &http.Response{StatusCode: w.status, Status: http.StatusText(w.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: pr, ContentLength: -1, Request: req}, nil
}

// pipeWriter is a ResponseWriter whose body is a pipe.
type pipeWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	ready  chan struct{} // closed when status is set
	status int
}

// Header implements [http.ResponseWriter].
func (w *pipeWriter) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter].
func (w *pipeWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		close(w.ready)
	}
}

// Write implements [io.Writer]. It returns once the bytes were read.
func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(b)
}

// Flush implements [http.Flusher]; a pipe does not buffer.
func (w *pipeWriter) Flush() {}

// finish ends the response. A handler's panic breaks off its own response and
// nothing else, as in a server.
func (w *pipeWriter) finish() {
	err := io.EOF
	if recover() != nil {
		err = errors.New("the handler panicked")
	}
	w.WriteHeader(http.StatusOK)
	w.pipe.CloseWithError(err)
}
