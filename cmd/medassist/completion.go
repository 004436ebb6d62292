package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/devonartis/medassist-go/scenario"
)

// completionCmd prints a shell completion script.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help explains how to load the script.
func (completionCmd) Help() string {
	return `To load it into the current shell:
  source <(medassist completion bash)        bash
  source <(medassist completion zsh)         zsh, after compinit
  medassist completion fish | source         fish`
}

// Run prints the script, generated from the command-line parser.
func (c *completionCmd) Run(k *kong.Context, std stdio) error {
	commands := completions(k.Model.Node)
	if c.Shell == "fish" {
		return fish(std.out, commands)
	}
	return bash(std.out, commands, c.Shell == "zsh")
}

// completion lists the words that can follow a command.
type completion struct {
	name, help string
	flags      []*kong.Flag
	words      []string // known arguments
}

// completions returns the completions of every command.
func completions(root *kong.Node) []completion {
	var out []completion
	for _, n := range root.Children {
		if n.Hidden || n.Type != kong.CommandNode {
			continue
		}
		c := completion{name: n.Name, help: n.Help}
		for _, group := range n.AllFlags(true) {
			c.flags = append(c.flags, group...)
		}
		for _, p := range n.Positional {
			c.words = append(c.words, p.EnumSlice()...)
		}
		if n.Name == "check" {
			for _, s := range scenario.All() {
				c.words = append(c.words, s.ID)
			}
		}
		c.words = slices.DeleteFunc(c.words, func(w string) bool { return w == "" })
		out = append(out, c)
	}
	return out
}

// bash writes the script for bash, or for zsh by means of its bash emulation.
func bash(w io.Writer, commands []completion, zsh bool) error {
	var b strings.Builder
	if zsh {
		b.WriteString("autoload -U +X bashcompinit && bashcompinit\n")
	}
	b.WriteString("_medassist() {\n  local cur=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n  case \"${COMP_WORDS[1]}\" in\n")
	var names []string
	for _, c := range commands {
		names = append(names, c.name)
		words := slices.Clone(c.words)
		for _, f := range c.flags {
			words = append(words, "--"+f.Name)
		}
		fmt.Fprintf(&b, "    %s) words=%q ;;\n", c.name, strings.Join(words, " "))
	}
	fmt.Fprintf(&b, "  esac\n  [ \"$COMP_CWORD\" -eq 1 ] && words=%q\n", strings.Join(names, " "))
	b.WriteString("  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _medassist medassist\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// fish writes the script for fish.
func fish(w io.Writer, commands []completion) error {
	var b strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&b, "complete -c medassist -n __fish_use_subcommand -f -a %s -d %s\n", c.name, quoted(c.help))
		after := "'__fish_seen_subcommand_from " + c.name + "'"
		for _, word := range c.words {
			fmt.Fprintf(&b, "complete -c medassist -n %s -f -a %s\n", after, word)
		}
		for _, f := range c.flags {
			fmt.Fprintf(&b, "complete -c medassist -n %s -l %s -d %s\n", after, f.Name, quoted(f.Help))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted returns s as a quoted fish word.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
