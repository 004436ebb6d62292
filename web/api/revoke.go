package api

import (
	"bufio"
	"errors"
	"io"
	"net/http"

	"github.com/devonartis/medassist-go/agents"
	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/web/internal/respond"
)

// revocation names what to revoke.
type revocation struct {
	Level  string `json:"level"`
	Target string `json:"target"`
}

// revoke is POST /api/revoke.
func (a *API) revoke(w http.ResponseWriter, r *http.Request) error {
	in, err := readRevocation(w, r)
	if err != nil {
		return err
	}
	done, err := a.cfg.Runs.Revoke(r.Context(), agents.Revocation{Level: agentwrit.RevokeLevel(in.Level), Target: in.Target})
	if err != nil {
		return err
	}
	return respond.JSON(w, http.StatusOK, done.RevokeResponse)
}

// readRevocation reads level and target from the query, as the Python demo does,
// or from the body. If they are in both, it is unclear what to revoke.
func readRevocation(w http.ResponseWriter, r *http.Request) (revocation, error) {
	query := r.URL.Query()
	if !query.Has("level") && !query.Has("target") {
		return respond.Decode[revocation](w, r)
	}
	if len(query["level"]) > 1 || len(query["target"]) > 1 {
		return revocation{}, respond.BadInput("", "Give level and target once.")
	}
	sent := bufio.NewReader(r.Body)
	if _, err := sent.Peek(1); !errors.Is(err, io.EOF) {
		r.Body = io.NopCloser(sent) // the server closes the original
		body, err := respond.Decode[revocation](w, r)
		if err != nil {
			return revocation{}, err
		}
		if body != (revocation{}) {
			return revocation{}, respond.BadInput("", "Give level and target in the query or in the body, not in both.")
		}
	}
	return revocation{query.Get("level"), query.Get("target")}, nil
}
