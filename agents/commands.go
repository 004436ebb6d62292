package agents

import (
	"context"
	"fmt"

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

// command has a command carried out.
func (s *Service) command(ctx context.Context, runID string, c command) (reply, error) {
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
