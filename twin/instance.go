package twin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/devonartis/medassist-go/patient"
	"github.com/devonartis/medassist-go/records"
	"github.com/devonartis/medassist-go/tools"
)

// An Access is one line of the second instance's access log: all that an API with
// a shared key can say about a request.
type Access struct {
	Time       time.Time `json:"time"`
	Credential string    `json:"credential"` // KeyName, or "none" without a valid key
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Status     int       `json:"status"`
}

// An instance is a second records API with a throwaway copy of the invented data. It
// accepts a shared key, which is how most teams do it, and exists only during a
// comparison.
type instance struct {
	key       *sharedKey
	store     *records.Store
	server    *http.Server
	transport *http.Transport
	client    *tools.Client
	served    chan error
	now       func() time.Time
	close     func() error // ends the key, stops the server and discards the data

	mu  sync.Mutex
	log []Access
}

// openInstance opens an instance. The caller must close it.
func openInstance(ctx context.Context, now func() time.Time, logger *slog.Logger) (*instance, error) {
	store, err := records.OpenStore(ctx, "", now)
	if err != nil {
		return nil, err
	}
	in := &instance{key: newSharedKey(), store: store, served: make(chan error, 1), now: now}
	listener := newPipe()
	in.transport = &http.Transport{DialContext: listener.dial}
	in.client = tools.NewClient("http://shared-key.invalid", in.transport)
	in.server = &http.Server{Handler: in.logged(records.NewHandler(store, in.key, logger)), ReadHeaderTimeout: 5 * time.Second}
	in.close = sync.OnceValue(in.shut)
	go func() { in.served <- in.server.Serve(listener) }()
	return in, nil
}

func (in *instance) shut() error {
	in.key.end()
	err := in.server.Close()
	if served := <-in.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	in.transport.CloseIdleConnections()
	return errors.Join(err, in.store.Close())
}

// patients returns the invented patients.
func (in *instance) patients(ctx context.Context) ([]Patient, error) {
	list, err := in.store.Patients(ctx)
	var out []Patient
	for _, p := range list {
		out = append(out, Patient{p.ID.String(), p.Name})
	}
	return out, err
}

// do makes a call with the shared key.
func (in *instance) do(ctx context.Context, call tools.Call) Outcome {
	_, err := in.client.Do(ctx, call, in.key.reveal())
	var refused *tools.Refused
	switch {
	case err == nil:
		return OutcomeAllowed
	case errors.As(err, &refused):
		return OutcomeDenied
	}
	return OutcomeFailed
}

// read reads a patient's chart with the shared key.
func (in *instance) read(ctx context.Context, id patient.ID) Outcome {
	call, err := tools.Parse("get_patient_records", `{"patient_id":"`+id.String()+`"}`)
	if err != nil {
		return OutcomeFailed
	}
	return in.do(ctx, call)
}

// logged adds each request to the access log.
func (in *instance) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		a := Access{Time: in.now(), Credential: KeyName, Method: r.Method, Path: r.URL.Path, Status: rec.status}
		if rec.status == http.StatusUnauthorized {
			a.Credential = "none"
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.log = append(in.log, a)
	})
}

// accesses returns the access log so far.
func (in *instance) accesses() []Access {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.log)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusRecorder) Unwrap() http.ResponseWriter { return s.ResponseWriter }
