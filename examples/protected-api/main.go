// Command protected-api serves records to agents. The middleware validates each
// request's token with the broker and requires the scope of the record that the
// path names, so that an agent reaches its own patient's record only.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/devonartis/medassist-go/agentwrit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	// A service needs no credentials to validate tokens.
	validator, err := agentwrit.NewValidator(os.Getenv("AGENTWRIT_BROKER_URL"))
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:9000"))
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: routes(validator), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Shutdown(context.WithoutCancel(ctx)) })
	fmt.Printf("serving on http://%s\n", ln.Addr())
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(v agentwrit.TokenValidator) http.Handler {
	mayRead := agentwrit.RequireScopeFunc(v, func(r *http.Request) ([]string, error) {
		return []string{"read:records:" + r.PathValue("id")}, nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /records/{id}", mayRead(http.HandlerFunc(record)))
	return mux
}

func record(w http.ResponseWriter, r *http.Request) {
	claims, _ := agentwrit.ClaimsFrom(r.Context())
	fmt.Fprintf(w, "record of %s, for task %s\n", r.PathValue("id"), claims.TaskID)
}
