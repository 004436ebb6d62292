package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/devonartis/medassist-go/internal/cluster"
	"github.com/devonartis/medassist-go/setup"
)

// A credentialStore keeps the credentials of the app that the demo registers at its
// broker.
type credentialStore interface {
	// update calls register with the stored credentials, or none, and stores what it
	// returns. Processes that share a store take turns.
	update(ctx context.Context, register func(stored setup.Credentials) (setup.Credentials, error)) (setup.Credentials, error)
	// permanent reports whether a later start finds the credentials again.
	permanent() bool
}

// newCredentialStore returns the store for the configured broker. The cluster is nil
// if there is no database.
func newCredentialStore(cfg Config, replicas *cluster.Cluster, log *slog.Logger) credentialStore {
	switch {
	case replicas != nil:
		return sharedCredentials{replicas, "credentials" + brokerSuffix(cfg)}
	case cfg.Data != "":
		return credentialFile{credentialsFile(cfg), log}
	}
	return fixedCredentials{cfg.stored}
}

// brokerSuffix tells the credentials at different brokers apart. It is empty for the
// embedded broker.
func brokerSuffix(cfg Config) string {
	if cfg.BrokerURL == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(cfg.BrokerURL))
	return "-" + hex.EncodeToString(sum[:6])
}

// A credentialFile is a file in the data folder.
type credentialFile struct {
	path string
	log  *slog.Logger
}

func (f credentialFile) permanent() bool { return true }

func (f credentialFile) update(ctx context.Context, register func(setup.Credentials) (setup.Credentials, error)) (setup.Credentials, error) {
	stored, err := setup.ReadFile(f.path)
	if err != nil {
		return stored, err
	}
	found, err := register(stored)
	if err != nil || found == stored {
		return found, err
	}
	if err := setup.WriteFile(f.path, found); err != nil {
		f.log.WarnContext(ctx, "can't store the app's credentials, so the next start registers another app", "file", f.path, "client_id", found.ClientID, "error", err)
	}
	return found, nil
}

// fixedCredentials are those that another demo has stored, for one in memory.
type fixedCredentials struct{ stored setup.Credentials }

func (fixedCredentials) permanent() bool { return false }

func (f fixedCredentials) update(_ context.Context, register func(setup.Credentials) (setup.Credentials, error)) (setup.Credentials, error) {
	return register(f.stored)
}

// sharedCredentials are a value in the database, sealed.
type sharedCredentials struct {
	replicas *cluster.Cluster
	name     string
}

func (s sharedCredentials) permanent() bool { return true }

func (s sharedCredentials) update(ctx context.Context, register func(setup.Credentials) (setup.Credentials, error)) (found setup.Credentials, err error) {
	err = updateShared(ctx, s.replicas, s.name, func(value []byte) ([]byte, error) {
		var stored setup.Credentials
		if value != nil {
			if err := json.Unmarshal(value, &stored); err != nil {
				return nil, fmt.Errorf("the app's credentials in the database: %w", err)
			}
		}
		if found, err = register(stored); err != nil || found == stored {
			return value, err
		}
		return json.Marshal(found)
	})
	return found, err
}
