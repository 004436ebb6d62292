package twin

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/tools"
)

// Open returns how many second instances are open.
func (s *Service) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.instances
}

// Wait returns when the running comparison has ended, so that another may start.
func (s *Service) Wait() { s.playing.Wait() }

// An Instance is a second instance, for tests.
type Instance struct{ *instance }

// NewInstance opens a second instance.
func NewInstance(t *testing.T) Instance {
	t.Helper()
	in, err := openInstance(t.Context(), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return Instance{in}
}

func (in Instance) Key() string           { return in.key.reveal() }
func (in Instance) Validator() any        { return in.key }
func (in Instance) Preview() string       { return in.key.preview() }
func (in Instance) Close() error          { return in.close() }
func (in Instance) Accesses() []Access    { return in.accesses() }
func (in Instance) Client() *tools.Client { return in.client }

// Valid reports whether the instance's key is accepted.
func (in Instance) Valid(key string) bool {
	_, err := in.key.Validate(context.Background(), key)
	return err == nil
}
