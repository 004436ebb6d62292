package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/devonartis/medassist-go/broker"
	"github.com/devonartis/medassist-go/internal/pgtest"
)

// childFolder tells this test binary, started once more, to be a broker, with its
// data in a folder or in the PostgreSQL database of a URL.
const childFolder = "MEDASSIST_TEST_BROKER_FOLDER"

const childSecret = "the secret of a broker in a test"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := serveChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(pgtest.Main(m))
}

// serveChild runs a broker until its standard input closes, that is until its
// parent is gone.
func serveChild(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // a file that may not grow is an error, not the end
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg := broker.Config{Dir: dir, AdminSecret: childSecret, SecretCost: bcrypt.MinCost,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	if strings.HasPrefix(dir, "postgres://") {
		cfg.Dir, cfg.Database = "", dir
	}
	b, err := broker.Open(ctx, cfg)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", ln.Addr())
	go func() {
		bufio.NewReader(os.Stdin).ReadByte()
		cancel()
	}()
	if err := b.Serve(ctx, ln); err != nil {
		return err
	}
	return b.Close()
}

// child is a broker in a process of its own.
type child struct {
	*harness
	cmd *exec.Cmd
	log *strings.Builder
}

// startChild starts a broker process on a folder, and waits until it serves.
func startChild(t testing.TB, dir string) *child {
	t.Helper()
	perBroker(t, "a data folder")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(exe), log: new(strings.Builder)}
	c.cmd.Env = append(os.Environ(), childFolder+"="+dir)
	c.cmd.Stderr = c.log
	if _, err := c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.cmd.Wait()
		t.Fatalf("the broker process did not start: %v\n%s", err, c.log)
	}
	c.harness = &harness{t: t, url: strings.TrimSpace(url),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 20 * time.Second}}
	t.Cleanup(c.kill)
	return c
}

// kill ends the process without warning, as a power cut would.
func (c *child) kill() {
	c.cmd.Process.Kill() // SIGKILL; fails when it has ended
	c.cmd.Wait()
	c.http.CloseIdleConnections()
}
