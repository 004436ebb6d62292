package main

import (
	"fmt"
	"runtime/debug"
)

// release is set by the release build: -ldflags "-X main.release=v1.2.3".
var release string

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(io stdio) error {
	_, err := fmt.Fprintln(io.out, "medassist", version())
	return err
}

// version is the release, or what the build knows of its origin.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
