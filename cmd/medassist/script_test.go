package main

import (
	"net"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/devonartis/medassist-go/internal/pgtest"
	"github.com/devonartis/medassist-go/web/browsertest"
)

func TestMain(m *testing.M) {
	testscript.Main(pgtest.Tests{Runner: browsertest.Main(m)}, map[string]func(){"medassist": main})
}

// The command line, run as a process.
func TestScripts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the scripts, which run in parallel
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("TAKEN", taken.Addr().String())
		return nil
	}})
}
