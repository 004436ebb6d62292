package postgres_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/internal/postgres"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// The first server of a URL accepts connections and never answers, as a frozen one
// does. The second one is reached within the three seconds that a heartbeat has.
func TestSecondHostIsReached(t *testing.T) {
	t.Parallel()
	good := pgtest.URL(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	both, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	both.Host = silent.Addr().String() + "," + both.Host
	query := both.Query()
	query.Set("target_session_attrs", "read-write")
	both.RawQuery = query.Encode()
	pool, session, err := postgres.Parse(both.String(), "")
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]*pgx.ConnConfig{"pool": pool.ConnConfig, "session": session} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			_ = conn.Close(ctx)
		}
		cancel()
	}
}
