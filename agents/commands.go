package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
)

// A command is carried out by the replica that runs a run. The fields below Kind are
// its arguments.
type command struct {
	Kind commandKind `json:"kind"`

	Pace     Pace             `json:"pace,omitzero"`
	By       string           `json:"by,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	End      trace.Credential `json:"end,omitzero"`
	Examined *examination     `json:"examined,omitempty"`
}

// A commandKind tells what a command does.
type commandKind string

const (
	commandNext    commandKind = "next"    // lets the run continue
	commandPace    commandKind = "pace"    // changes its pace
	commandCancel  commandKind = "cancel"  // stops it
	commandStolen  commandKind = "stolen"  // returns its stolen token
	commandEnd     commandKind = "end"     // ends one token
	commandExamine commandKind = "examine" // asks the broker about tokens after a revocation
)

// An examination names the tokens of a run that a revocation affects.
type examination struct {
	Revoked   agentwrit.RevokeResponse `json:"revoked"`
	Named     []trace.Credential       `json:"named,omitempty"`
	Delegated []trace.Credential       `json:"delegated,omitempty"` // from named ones
	EndRest   bool                     `json:"end_rest,omitempty"`  // end one by one what the revocation has left valid
}

// A reply is the result of a command.
type reply struct {
	Stolen   string     `json:"stolen,omitempty"` // a token
	Examined []examined `json:"examined,omitempty"`
}

// examined is a token that the broker was asked about.
type examined struct {
	trace.Credential
	Outcome outcome `json:"outcome"`
}

// Time limits of commands to other replicas, which include the broker's answers.
const (
	steerTimeout  = 3 * time.Second
	revokeTimeout = 15 * time.Second
)

// command has a command carried out by the replica that runs the run.
func (s *Service) command(ctx context.Context, runID string, c command) (reply, error) {
	e, err := s.find(runID)
	switch {
	case err == nil:
		return s.perform(ctx, e, c)
	case s.cfg.Cluster == nil:
		return reply{}, err
	}
	limit := steerTimeout
	if c.Kind == commandEnd || c.Kind == commandExamine {
		limit = revokeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	question, err := json.Marshal(c)
	if err != nil {
		return reply{}, err
	}
	raw, err := s.cfg.Cluster.Ask(ctx, runID, question)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return reply{}, fmt.Errorf("%w: %s", ErrNoAnswer, runID)
	case err != nil:
		return reply{}, err
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return reply{}, fmt.Errorf("agents: answer of another replica: %w", err)
	}
	return a.reply, a.err(runID)
}

// An answer is a reply, or an error, for another replica.
type answer struct {
	reply
	Error string `json:"error,omitempty"` // its text; of a passedError, that alone
}

// passedErrors are the errors that callers recognize.
var passedErrors = []error{ErrNotLive, ErrNotWaiting, ErrNoToken}

func (a answer) err(runID string) error {
	if a.Error == "" {
		return nil
	}
	for _, known := range passedErrors {
		if a.Error == known.Error() {
			return fmt.Errorf("%w: %s", known, runID)
		}
	}
	return errors.New(a.Error)
}

// answer carries out a command of another replica.
func (s *Service) answer(ctx context.Context, runID string, question []byte) []byte {
	var c command
	err := json.Unmarshal(question, &c)
	var a answer
	if err == nil {
		a.reply, err = s.commandHere(ctx, runID, c)
	}
	if err != nil {
		a.Error = err.Error()
		for _, known := range passedErrors {
			if errors.Is(err, known) {
				a.Error = known.Error()
			}
		}
	}
	encoded, err := json.Marshal(a)
	if err != nil {
		s.cfg.Logger.ErrorContext(ctx, "an answer can't be encoded", slog.String("run", runID), slog.Any("error", err))
	}
	return encoded
}

func (s *Service) commandHere(ctx context.Context, runID string, c command) (reply, error) {
	e, err := s.find(runID)
	if err != nil {
		return reply{}, err
	}
	return s.perform(ctx, e, c)
}

// perform carries out a command.
func (s *Service) perform(ctx context.Context, e *encounter, c command) (r reply, err error) {
	switch c.Kind {
	case commandNext:
		if !e.pace.advance() {
			err = fmt.Errorf("%w: %s", ErrNotWaiting, e.id)
		}
	case commandPace:
		e.pace.set(c.Pace)
	case commandCancel:
		e.cancel(&cancellation{c.By, c.Reason})
	case commandStolen:
		stolen := e.stolen.Load()
		if stolen == nil || stolen.from.agent.Released() {
			return reply{}, fmt.Errorf("%w: %s", ErrNoToken, e.id)
		}
		r.Stolen = stolen.token
	case commandEnd:
		if cred := e.credentials.find(c.End); cred != nil {
			err = s.endAlone(ctx, cred)
		}
	case commandExamine:
		r.Examined = s.examineAll(ctx, e, c.Examined)
	default:
		err = fmt.Errorf("agents: unknown command %q", c.Kind)
	}
	return r, err
}
