// Package pgtest gives tests a PostgreSQL database.
//
// It uses the server of MEDASSIST_TEST_DATABASE_URL, or else starts one from the
// PostgreSQL programs on this machine, once for each test binary. Without either
// the test is skipped, unless MEDASSIST_POSTGRES is "required".
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a PostgreSQL server that a test can stop and start.
type Server struct {
	URL string // of the administrator's database

	programs, dir string
	port          int
	process       *exec.Cmd
}

var shared struct {
	sync.Once
	server *Server
	err    error
}

// errNone is the error where no server can be started.
var errNone = errors.New("no PostgreSQL here: set MEDASSIST_TEST_DATABASE_URL, or install postgresql")

// Main runs the tests and stops the server that they shared. A TestMain calls it.
func Main(m interface{ Run() int }) int { return Tests{m}.Run() }

// Tests are those of a binary whose TestMain also does something else.
type Tests struct{ Runner interface{ Run() int } }

// Run runs the tests, stops the server that they shared, and drops the databases
// of another one.
func (t Tests) Run() int {
	code := t.Runner.Run()
	if shared.server != nil {
		shared.server.Remove()
	} else {
		unused.drop()
	}
	return code
}

// URL returns the URL of an empty database. After the test it is emptied for
// another one, or dropped. The server does not sync to disk.
func URL(t testing.TB) string {
	t.Helper()
	admin := os.Getenv("MEDASSIST_TEST_DATABASE_URL")
	if admin == "" {
		shared.Do(func() { shared.server, shared.err = start("-c", "fsync=off") })
		skipWithout(t, shared.err)
		admin = shared.server.URL
	}
	d := unused.take(t, admin)
	t.Cleanup(func() { unused.giveBack(d) })
	return d.url
}

// Require skips a test that needs a database where there is none.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv("MEDASSIST_TEST_DATABASE_URL") == "" {
		_, err := findPrograms()
		skipWithout(t, err)
	}
}

// RequireProgram skips a test that needs a pooler or a load balancer which is not
// installed, unless MEDASSIST_PROXIES is "required".
func RequireProgram(t testing.TB, name string) {
	t.Helper()
	_, err := exec.LookPath(name)
	if err != nil && os.Getenv("MEDASSIST_PROXIES") != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// New starts a server for one test.
func New(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := start(settings...)
	skipWithout(t, err)
	t.Cleanup(s.Remove)
	return s
}

// Database returns the URL of a new, empty database of the server.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return newDatabase(t, s.URL).url
}

func skipWithout(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNone) && os.Getenv("MEDASSIST_POSTGRES") != "required" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start creates a server in a temporary folder and starts it. The settings are
// arguments of the server.
func start(settings ...string) (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	s := &Server{programs: programs}
	if s.dir, err = os.MkdirTemp("", "medassist-postgres-"); err != nil {
		return nil, err
	}
	if err := s.create(settings...); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// create fills the server's folder and starts the server.
func (s *Server) create(settings ...string) (err error) {
	user := unprivileged()
	if err := user.owns(s.dir); err != nil {
		return err
	}
	init := exec.Command(filepath.Join(s.programs, "initdb"), "-D", s.data(), "-U", "test", "-A", "trust", "-N", "--no-locale", "-E", "UTF8",
		"--wal-segsize=1") // MB, which are filled with zeros
	user.run(init)
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	s.URL = "postgres://test@127.0.0.1:" + strconv.Itoa(s.port) + "/postgres?sslmode=disable"
	return s.Run(settings...)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Run starts the server, which must not be running, and waits until it answers.
func (s *Server) Run(settings ...string) error {
	args := slices.Concat([]string{"-D", s.data(), "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-k", s.dir,
		"-c", "max_connections=200", "-c", "max_wal_size=1GB"}, settings)
	process := exec.Command(filepath.Join(s.programs, "postgres"), args...)
	unprivileged().run(process)
	if err := process.Start(); err != nil {
		return err
	}
	s.process = process
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		var conn *pgx.Conn
		if conn, err = pgx.Connect(ctx, s.URL); err == nil {
			err = conn.Close(ctx)
			cancel()
			return err
		}
		cancel()
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

// Crash stops the server at once, as a power failure would stop it.
func (s *Server) Crash() {
	_ = interruptNow(s.process.Process) // "immediate shutdown"
	_ = s.process.Wait()
}

// Remove stops the server, if it was started, and removes its folder.
func (s *Server) Remove() {
	if s.process != nil {
		s.Crash()
	}
	_ = os.RemoveAll(s.dir)
}

// findPrograms returns the folder of the newest installed server.
func findPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is valid
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	if len(found) == 0 {
		return "", errNone
	}
	return filepath.Dir(slices.Max(found)), nil
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
