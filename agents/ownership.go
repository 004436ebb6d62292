package agents

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/trace"
)

// Every token of a run that a replica owns is saved before it is used, so that
// another replica can end it. A process can end between the request for a token and
// the save. Therefore it first saves that the request may be under way: the
// successor then knows that there may be a token that nobody holds. Without a
// cluster, nothing is saved.

const (
	saveTimeout = 5 * time.Second
	saveRetry   = 250 * time.Millisecond
)

// leave ends the run here, because another replica owns it now. That replica ends
// its tokens and its trace.
func (e *encounter) leave() {
	e.left.Store(true)
	e.cancel(&failure{stage: "internal", message: "Another replica has taken over the run."})
}

// expectToken saves that a token is about to be requested. It returns when that is
// saved or ctx has ended, which it does if the run is another replica's.
func (e *encounter) expectToken(ctx context.Context, id trace.Credential) {
	e.saveUntilDone(ctx, SavedToken{Token: Token{RunID: e.id, Credential: id, TaskID: e.id, Expires: time.Unix(e.issuedUntil(), 0)}, Unstable: true})
}

// refusedToken saves that the broker has not issued the expected token.
func (e *encounter) refusedToken(ctx context.Context, id trace.Credential) {
	e.save(ctx, SavedToken{Token: Token{RunID: e.id, Credential: id}})
}

// issuedToken saves a token that was just issued. Like expectToken, it returns when
// it is saved or ctx has ended. In that case the token is ended without being used.
func (e *encounter) issuedToken(ctx context.Context, cred *credential) {
	cred.saved.Store(e.saveUntilDone(ctx, e.saved(cred)))
}

// expectRenewal saves that a token is about to be replaced. It reports whether that
// is saved: without it, the token must not be renewed.
func (e *encounter) expectRenewal(ctx context.Context, cred *credential) bool {
	t := e.saved(cred)
	t.Unstable = true
	return e.save(ctx, t)
}

// changedToken saves that a token was replaced or has ended.
func (e *encounter) changedToken(ctx context.Context, cred *credential) {
	if e.save(ctx, e.saved(cred)) {
		cred.saved.Store(true)
	}
}

// saved returns what is saved of a credential.
func (e *encounter) saved(cred *credential) SavedToken {
	t := SavedToken{Token: e.describe(cred), Secret: cred.agent.AccessToken(), Ended: cred.ended()}
	t.ID = cmp.Or(t.ID, claimedID(t.Secret))
	return t
}

// saveUntilDone saves t, again and again while that fails, and reports whether it is
// saved.
func (e *encounter) saveUntilDone(ctx context.Context, t SavedToken) bool {
	done := e.save(ctx, t)
	for !done && ctx.Err() == nil {
		e.pace.sleep(ctx, saveRetry, nil)
		done = e.trySave(ctx, t) == nil // the first failure was logged
	}
	return done
}

// save saves t once, also if ctx has ended, and reports whether it is saved.
func (e *encounter) save(ctx context.Context, t SavedToken) bool {
	err := e.trySave(ctx, t)
	if err != nil && !errors.Is(err, ErrNotOwner) {
		e.Logger.ErrorContext(ctx, "a token could not be saved", slog.String("run", e.id), slog.Any("error", err))
	}
	return err == nil
}

func (e *encounter) trySave(ctx context.Context, t SavedToken) error {
	if e.Cluster == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	err := e.Cluster.SaveToken(limited, t)
	if errors.Is(err, ErrNotOwner) {
		e.leave()
	}
	return err
}

// releaseUnsaved releases the tokens that no other replica knows.
func (e *encounter) releaseUnsaved(ctx context.Context) {
	for _, cred := range e.credentials.list() {
		if cred.saved.Load() || cred.ended() {
			continue
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.Limits.Cleanup)
		if err := cred.agent.Release(limited); err != nil && !errors.Is(err, agentwrit.ErrAuthentication) {
			e.Logger.ErrorContext(ctx, "a token that is not saved could not be released", slog.String("run", e.id), slog.Any("error", err))
		}
		cancel()
	}
}

// share saves the state of the run whenever it has changed, until the run ends. Then
// it deletes what was saved, unless another replica needs it.
func (e *encounter) share() {
	cursor, background := e.pace.states.From(0), context.Background()
	var last State
	for failing := false; ; {
		waiting, cancel := background, context.CancelFunc(func() {})
		if failing {
			waiting, cancel = context.WithTimeout(background, saveRetry)
		}
		states, err := cursor.Next(waiting)
		cancel()
		switch {
		case len(states) > 0:
			last = states[len(states)-1]
		case errors.Is(err, io.EOF):
			if !e.left.Load() {
				e.forget(background)
			}
			return
		}
		limited, cancel := context.WithTimeout(background, saveTimeout)
		err = e.Cluster.SaveState(limited, e.id, last)
		cancel()
		if err != nil && !failing {
			e.Logger.WarnContext(background, "the state of a run could not be saved", slog.String("run", e.id), slog.Any("error", err))
		}
		failing = err != nil
	}
}

func (e *encounter) forget(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	if err := e.Cluster.Forget(limited, e.id); err != nil {
		e.Logger.WarnContext(ctx, "what was saved about a run could not be deleted", slog.String("run", e.id), slog.Any("error", err))
	}
}
