// Command medassist runs the MedAssist AI demo: the page, the protected records
// API and, unless another one is named, an embedded AgentWrit broker.
//
// Exit codes: 0 success, 1 error, 2 wrong usage, 3 a check failed (check, doctor
// and verify).
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
	exitError       = 1
	exitUsage       = 2
	exitCheckFailed = 3
)

// errCheckFailed is returned by check, doctor and verify when the command itself
// worked but a check failed. The command has already printed the details.
var errCheckFailed = errors.New("a check failed")

// cli lists the subcommands. Serve runs when none is named.
type cli struct {
	Serve       serveCmd       `cmd:"" default:"withargs" help:"Run the demo (the default)."`
	Broker      brokerCmd      `cmd:"" help:"Run the embedded broker alone."`
	Verify      verifyCmd      `cmd:"" help:"Verify an audit log against the broker's key and signed checkpoints."`
	Check       checkCmd       `cmd:"" help:"Run every scenario and report pass or fail."`
	Doctor      doctorCmd      `cmd:"" help:"Diagnose the setup (broker, credentials, model, streaming, audit log) and suggest fixes."`
	Setup       setupCmd       `cmd:"" help:"Register MedAssist with a broker and print its credentials."`
	Healthcheck healthcheckCmd `cmd:"" help:"Check whether a running MedAssist is ready."`
	Completion  completionCmd  `cmd:"" help:"Print a shell completion script."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// stdio holds the streams that a command writes to.
type stdio struct{ out, err io.Writer }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(execute(ctx, os.Args[1:], stdio{os.Stdout, os.Stderr}))
}

// execute runs a command line and returns its exit code.
func execute(ctx context.Context, args []string, std stdio) int {
	if err := godotenv.Load(); err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Fprintf(std.err, "medassist: can't read .env: %v\n", err)
		return exitUsage
	}
	exit := -1
	parser, err := kong.New(&cli{}, kong.Name("medassist"),
		kong.Description("MedAssist AI: a live demo of ephemeral, task-scoped credentials for AI agents.\n\n"+
			"Exit codes: 0 success, 1 error, 2 wrong usage, 3 a check failed (check, doctor, verify)."),
		kong.UsageOnError(), kong.Writers(std.out, std.err), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintf(std.err, "medassist: %v\n", err)
		return exitError
	}
	cmd, err := parser.Parse(args)
	if exit >= 0 { // --help
		return exit
	}
	if err != nil {
		fmt.Fprintf(std.err, "medassist: %v\nSee medassist --help.\n", err)
		return exitUsage
	}
	switch err := cmd.Run(); {
	case errors.Is(err, errCheckFailed):
		return exitCheckFailed
	case err != nil:
		fmt.Fprintf(std.err, "medassist: %v\n", err)
		return exitError
	}
	return 0
}
