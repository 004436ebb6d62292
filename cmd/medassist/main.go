// Command medassist runs the MedAssist AI demo: the page, the protected records
// API and, unless another one is named, an embedded AgentWrit broker.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something was not as expected
// (check, doctor and verify).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/joho/godotenv"
)

// Exit codes.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitUnexpected = 3
)

// errUnexpected is returned by commands that compare, when they ran well and
// what they found is not as it should be. It is said already.
var errUnexpected = errors.New("not as expected")

// cli is every subcommand; Serve is what runs without one.
type cli struct {
	Serve       serveCmd       `cmd:"" default:"withargs" help:"Run the demo (the default)."`
	Broker      brokerCmd      `cmd:"" help:"Run the embedded broker alone."`
	Verify      verifyCmd      `cmd:"" help:"Check an audit trail against the broker's key and signed checkpoints."`
	Check       checkCmd       `cmd:"" help:"Play every scenario and say whether it came as expected."`
	Doctor      doctorCmd      `cmd:"" help:"Look whether broker, credentials, model, streaming and audit trail will work, and say what to do."`
	Setup       setupCmd       `cmd:"" help:"Register MedAssist with a broker and print its credentials."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running MedAssist whether it is ready."`
	Completion  completionCmd  `cmd:"" help:"Print a script that completes commands and flags in your shell."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// stdio is where a command writes.
type stdio struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(execute(ctx, os.Args[1:], stdio{os.Stdout, os.Stderr}))
}

// execute runs a command line and returns its exit code.
func execute(ctx context.Context, args []string, io stdio) int {
	if err := godotenv.Load(); err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(io.err, "medassist: .env can't be read: %v\n", err)
		return exitUsage
	}
	exit := -1
	parser, err := kong.New(&cli{}, kong.Name("medassist"),
		kong.Description("MedAssist AI: a live demo of ephemeral, task-scoped credentials for AI agents.\n\n"+
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 3 something was not as expected (check, doctor, verify)."),
		kong.UsageOnError(), kong.Writers(io.out, io.err), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(io),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintf(io.err, "medassist: %v\n", err)
		return exitFailed
	}
	cmd, err := parser.Parse(args)
	if exit >= 0 { // help was asked for
		return exit
	}
	if err != nil {
		fmt.Fprintf(io.err, "medassist: %v\nRun medassist --help for what there is.\n", err)
		return exitUsage
	}
	switch err := cmd.Run(); {
	case errors.Is(err, errUnexpected):
		return exitUnexpected
	case err != nil:
		fmt.Fprintf(io.err, "medassist: %v\n", err)
		return exitFailed
	}
	return 0
}
