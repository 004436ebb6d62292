package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/devonartis/medassist-go/internal/dotenv"
)

// envFile is the file in the working directory that configures the program.
const envFile = ".env"

// secretVars lists the variables whose values are secrets. In .env, "$" stands
// for itself in them.
var secretVars = []string{"AGENTWRIT_ADMIN_SECRET", "AGENTWRIT_CLIENT_SECRET", "LLM_API_KEY", "MEDASSIST_PRESENTER_KEY",
	"MEDASSIST_DATABASE_URL", "MEDASSIST_DATABASE_DIRECT_URL"}

// withoutEnv lists the commands that work even if .env can't be read.
var withoutEnv = []string{"version", "completion", "healthcheck"}

// commandIn returns the command that args name, or the default one.
func commandIn(app *kong.Application, args []string) *kong.Node {
	if len(args) > 0 {
		if i := slices.IndexFunc(app.Children, func(n *kong.Node) bool { return n.Name == args[0] }); i >= 0 {
			return app.Children[i]
		}
	}
	return app.DefaultCmd
}

// loadEnv prepares the environment for a command. It sets the variables of the
// .env file, if there is one, unless the environment sets them. An empty variable
// counts as unset, in both places, and so does one that the command does not use:
// its value may be invalid.
func loadEnv(app *kong.Application, command *kong.Node) error {
	used := variables(command)
	for _, name := range variables(app.Node) {
		if os.Getenv(name) == "" || !slices.Contains(used, name) {
			if err := os.Unsetenv(name); err != nil {
				return err
			}
		}
	}
	content, err := os.ReadFile(envFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	vars, err := dotenv.Parse(string(content), secretVars...)
	if err != nil {
		return fmt.Errorf("%s: %w", envFile, err)
	}
	known := variables(app.Node)
	for name, value := range vars {
		_, set := os.LookupEnv(name)
		if set || value == "" || slices.Contains(known, name) && !slices.Contains(used, name) {
			continue
		}
		if os.Setenv(name, value) != nil { // its error would quote the value
			return fmt.Errorf("%s: the value of %s is invalid", envFile, name)
		}
	}
	return nil
}

// variables returns the environment variables of a command's flags and of those
// below it.
func variables(node *kong.Node) []string {
	var names []string
	for _, flag := range node.Flags {
		names = append(names, flag.Envs...)
	}
	for _, child := range node.Children {
		names = append(names, variables(child)...)
	}
	return names
}
