package agentwrit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
	"github.com/devonartis/medassist-go/agentwrit/brokertest"
)

func TestAdmin(t *testing.T) { brokertest.Each(t, testAdmin) }

func testAdmin(t *testing.T, b *brokertest.Broker) {
	admin, name := b.Admin(t), fmt.Sprintf("clinic-%d", time.Now().UnixNano())
	rec, err := admin.RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: name, Scopes: []string{"read:data:*"}})
	if err != nil || rec.ClientSecret == "" || rec.Name != name {
		t.Fatalf("register: %+v, %v", rec, err)
	}
	if _, err := admin.RegisterApp(t.Context(), agentwrit.CreateAppRequest{Name: name, Scopes: []string{"read:data:*"}}); !errors.Is(err, agentwrit.ErrConflict) {
		t.Errorf("register the same name: %v, want ErrConflict", err)
	}
	app, err := agentwrit.NewApp(b.URL, rec.ClientID, rec.ClientSecret)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: name, Scope: []string{"read:data:a"}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := admin.App(t.Context(), rec.AppID); err != nil || got.ClientSecret != "" || got.Status != "active" {
		t.Errorf("get: %+v, %v", got, err)
	}
	if apps, err := admin.Apps(t.Context()); err != nil || !slices.ContainsFunc(apps, func(a agentwrit.AppRecord) bool { return a.AppID == rec.AppID && a.ClientSecret == "" }) {
		t.Errorf("list: %v, %v", apps, err)
	}
	if got, err := admin.UpdateApp(t.Context(), rec.AppID, agentwrit.UpdateAppRequest{Scopes: []string{"read:data:a"}}); err != nil || len(got.Scopes) != 1 {
		t.Errorf("update: %+v, %v", got, err)
	}
	if _, err := admin.CreateLaunchToken(t.Context(), agentwrit.LaunchTokenRequest{AgentName: "x", AllowedScope: []string{"read:data:a"}}); err != nil {
		t.Errorf("launch token: %v", err)
	}
	if done, err := admin.Revoke(t.Context(), agentwrit.RevokeTask, name); err != nil || !done.Revoked {
		t.Errorf("revoke: %+v, %v", done, err)
	}
	assertInvalid(t, app, agent.AccessToken(), "token of a revoked task")
	if _, err := admin.Revoke(t.Context(), "planet", "x"); b.Strict && !errors.Is(err, agentwrit.ErrInvalidRequest) {
		t.Errorf("revoke at an unknown level: %v, want ErrInvalidRequest", err)
	}
	if got, err := admin.DeleteApp(t.Context(), rec.AppID); err != nil || got.Status != "inactive" {
		t.Errorf("delete: %+v, %v", got, err)
	}
	if _, err := admin.App(t.Context(), "app-none"); !errors.Is(err, agentwrit.ErrNotFound) {
		t.Errorf("an unknown app: %v, want ErrNotFound", err)
	}
	wrong, _ := agentwrit.NewAdmin(b.URL, "not the secret")
	err = wrong.Login(t.Context())
	var e *agentwrit.Error
	if !errors.Is(err, agentwrit.ErrAuthentication) || !errors.As(err, &e) || e.Title != "Unauthorized" ||
		e.Type != "urn:agentwrit:error:unauthorized" || e.Instance != "/v1/admin/auth" || e.RequestID == "" {
		t.Errorf("a wrong secret: %#v, want ErrAuthentication with the fields of the problem document", err)
	}
}

// Keys and checkpoints need no login; a saved key set reads back.
func TestKeysAndCheckpoint(t *testing.T) {
	b := brokertest.Start(t)
	v := b.Validator(t)
	keys, err := v.Keys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatalf("Keys = %v, %v", keys, err)
	}
	note, head, err := v.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	saved, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	again, err := agentwrit.ParseKeys(saved)
	if err != nil || len(again) != 1 {
		t.Fatalf("ParseKeys = %v, %v", again, err)
	}
	if c, err := again.OpenCheckpoint(note); err != nil || c != head {
		t.Errorf("OpenCheckpoint = %+v, %v; want %+v", c, err, head)
	}
	stranger := brokertest.Start(t).Admin(t)
	others, err := stranger.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := others.OpenCheckpoint(note); !errors.Is(err, agentwrit.ErrCheckpoint) {
		t.Errorf("checkpoint of another broker: %v, want ErrCheckpoint", err)
	}
	if _, _, err := b.Admin(t, agentwrit.WithKeys(others)).Checkpoint(t.Context()); !errors.Is(err, agentwrit.ErrCheckpoint) {
		t.Errorf("checkpoint not signed by the pinned key: %v, want ErrCheckpoint", err)
	}
	if _, err := (agentwrit.Keys{}).OpenCheckpoint(note); !errors.Is(err, agentwrit.ErrCheckpoint) {
		t.Errorf("checkpoint without keys: %v, want ErrCheckpoint", err)
	}
	for _, bad := range []string{"", "{}", `{"keys":[{"kty":"RSA"}]}`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"x","kid":"x"}]}`} {
		if _, err := agentwrit.ParseKeys([]byte(bad)); !errors.Is(err, agentwrit.ErrCrypto) {
			t.Errorf("ParseKeys(%s): %v, want ErrCrypto", bad, err)
		}
	}
}

// The log of several agents, page by page, verifies against a checkpoint saved in
// the middle. Every modification is found.
func TestVerifyChain(t *testing.T) {
	b := brokertest.Start(t)
	app, admin := b.App(t, "read:data:*"), b.Admin(t)
	createAgent(t, app, "read:data:a")
	_, saved, err := admin.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := createAgent(t, app, "read:data:a").Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	_, later, err := admin.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	size, head, err := agentwrit.VerifyChain(admin.AuditEvents(t.Context(), agentwrit.AuditFilter{Limit: 3}), saved, later)
	if err != nil || size < saved.Size+9 {
		t.Fatalf("VerifyChain = %d, %v", size, err)
	}
	var log []agentwrit.AuditEvent
	for e, err := range admin.AuditEvents(t.Context(), agentwrit.AuditFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, e)
	}
	if last := log[len(log)-1].Hash; last != head {
		t.Errorf("head %s, but the last event has %s", head, last)
	}
	verify := func(events []agentwrit.AuditEvent, saved ...agentwrit.Checkpoint) error {
		_, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
			for _, e := range events {
				if !yield(e, nil) {
					return
				}
			}
		}, saved...)
		return err
	}
	var chainErr *agentwrit.ChainError
	for i := range log {
		edited := slices.Clone(log)
		edited[i].Detail += "x"
		if err := verify(edited, saved); !errors.As(err, &chainErr) || chainErr.Position != int64(i+1) {
			t.Errorf("event %d edited: %v", i+1, err)
		}
		if err := verify(slices.Delete(slices.Clone(log), i, i+1), saved); i < len(log)-1 && !errors.As(err, &chainErr) {
			t.Errorf("event %d removed: %v", i+1, err)
		}
	}
	other := saved
	other.Hash = log[0].Hash
	rewritten := slices.Clone(log)
	prev := agentwrit.GenesisHash
	for i := range rewritten {
		rewritten[i].Outcome, rewritten[i].PrevHash = agentwrit.OutcomeDenied, prev
		rewritten[i].Hash = rewritten[i].ComputeHash()
		prev = rewritten[i].Hash
	}
	if err := verify(rewritten); err != nil {
		t.Errorf("rewritten as a whole, nothing saved: %v, want that it verifies", err)
	}
	for name, err := range map[string]error{
		"end removed":                  verify(log[:saved.Size-1], saved),
		"all removed":                  verify(nil, saved),
		"end removed, two checkpoints": verify(log[:saved.Size+1], saved, later),
		"another hash signed":          verify(log, other),
		"rewritten as a whole":         verify(rewritten, saved),
		"checkpoints in wrong order":   verify(log, later, saved),
		"a checkpoint of size 0":       verify(log, agentwrit.Checkpoint{Hash: log[0].Hash}),
	} {
		if !errors.Is(err, agentwrit.ErrCheckpoint) {
			t.Errorf("%s: %v, want ErrCheckpoint", name, err)
		}
	}
	failed := errors.New("page could not be read")
	if _, _, err := agentwrit.VerifyChain(func(yield func(agentwrit.AuditEvent, error) bool) {
		_ = yield(log[0], nil) && yield(agentwrit.AuditEvent{}, failed)
	}); !errors.Is(err, failed) {
		t.Errorf("a failed sequence: %v, want its error", err)
	}
}

// Close releases the login's token, and later calls fail. Agents are unaffected.
func TestClose(t *testing.T) { brokertest.Each(t, testClose) }

func testClose(t *testing.T, b *brokertest.Broker) {
	app, admin := b.App(t, "read:data:*"), b.Admin(t)
	agent := createAgent(t, app, "read:data:a")
	began := time.Now()
	if err := app.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	released := 0
	for _, err := range admin.AuditEvents(t.Context(), agentwrit.AuditFilter{EventType: agentwrit.EventTokenReleased, Since: began}) {
		if err != nil {
			t.Fatal(err)
		}
		released++
	}
	if released != 1 {
		t.Errorf("%d tokens released by Close, want 1", released)
	}
	if _, err := app.CreateAgent(t.Context(), agentwrit.AgentRequest{OrchID: "o", TaskID: "t", Scope: []string{"read:data:a"}}); !errors.Is(err, agentwrit.ErrClosed) {
		t.Errorf("create agent after Close: %v, want ErrClosed", err)
	}
	if err := app.Login(t.Context()); !errors.Is(err, agentwrit.ErrClosed) {
		t.Errorf("login after Close: %v, want ErrClosed", err)
	}
	if err := agent.Renew(t.Context()); err != nil {
		t.Errorf("renew an agent after Close: %v", err)
	}
	if err := agent.Release(t.Context()); err != nil {
		t.Errorf("release an agent after Close: %v", err)
	}
	for range 2 {
		if err := admin.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	unused := b.Admin(t)
	if err := unused.Close(); err != nil {
		t.Errorf("close without a login: %v", err)
	}
}
