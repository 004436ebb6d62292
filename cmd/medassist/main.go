// Command medassist runs the MedAssist AI demo: the page, the protected records
// API and, unless another one is named, an embedded AgentWrit broker.
//
// Exit codes: 0 success, 1 error, 2 wrong usage, 3 a check failed (check, doctor
// and verify). A process that SIGINT, SIGTERM, SIGHUP or a closed output pipe ends
// first releases the tokens of its runs and exits with 0, or with 1 if it could
// not.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/alecthomas/kong"
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
	Check       checkCmd       `cmd:"" help:"Run every scenario and report pass or fail, or score the corpus of attacks."`
	Doctor      doctorCmd      `cmd:"" help:"Diagnose the setup (broker, credentials, model, streaming, audit log) and suggest fixes."`
	Setup       setupCmd       `cmd:"" help:"Register MedAssist with a broker and print its credentials."`
	Backup      backupCmd      `cmd:"" help:"Copy the databases, also while MedAssist is running."`
	Healthcheck healthcheckCmd `cmd:"" help:"Check whether a running MedAssist is ready."`
	Completion  completionCmd  `cmd:"" help:"Print a shell completion script."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// stdio holds the streams that a command writes to.
type stdio struct{ out, err io.Writer }

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	ctx, cancel := context.WithCancel(ctx)
	signal.Ignore(syscall.SIGPIPE) // see pipe
	watchPipe(os.Stderr, cancel)
	code := execute(ctx, os.Args[1:], stdio{pipe{os.Stdout, cancel}, pipe{os.Stderr, cancel}})
	cancel()
	os.Exit(code)
}

// execute runs a command line and returns its exit code.
func execute(ctx context.Context, args []string, std stdio) int {
	exit := -1
	parser, err := kong.New(&cli{}, kong.Name("medassist"),
		kong.Description("MedAssist AI: a live demo of ephemeral, task-scoped credentials for AI agents.\n\n"+
			"Exit codes: 0 success, 1 error, 2 wrong usage, 3 a check failed (check, doctor, verify)."),
		kong.UsageOnError(), kong.Writers(std.out, std.err), kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		printf(std.err, "medassist: %v\n", err)
		return exitError
	}
	command := commandIn(parser.Model, args)
	envErr := loadEnv(parser.Model, command)
	notes, err := applyAliases(command)
	if envErr == nil {
		envErr = err
	}
	for _, note := range notes {
		printf(std.err, "medassist: %s\n", note)
	}
	cmd, err := parser.Parse(args)
	switch {
	case exit >= 0: // --help
		return exit
	case envErr != nil && !slices.Contains(withoutEnv, command.Name):
		printf(std.err, "medassist: %v\n", envErr)
		return exitUsage
	case err != nil:
		printf(std.err, "medassist: %v\nSee medassist --help.\n", err)
		return exitUsage
	}
	switch err := cmd.Run(); {
	case errors.Is(err, errCheckFailed):
		return exitCheckFailed
	case err != nil:
		printf(std.err, "medassist: %v\n", err)
		return exitError
	}
	return 0
}
