package main

import "runtime/debug"

// release is set by the release build: -ldflags "-X main.release=v1.2.3".
var release string

// versionCmd prints the version.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(std stdio) error {
	printf(std.out, "medassist %s\n", version())
	return nil
}

// version returns the release, or else the module version recorded in the binary.
func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
