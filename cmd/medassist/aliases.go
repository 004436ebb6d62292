package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// aliases maps the reference broker's variables to those of `medassist broker`,
// for the ones that mean the same. Others are translated by [aliasValues].
var aliases = map[string]string{
	"AA_ADMIN_SECRET":  "AGENTWRIT_ADMIN_SECRET",
	"AA_TRUST_DOMAIN":  "MEDASSIST_BROKER_TRUST_DOMAIN",
	"AA_ISSUER":        "MEDASSIST_BROKER_ISSUER",
	"AA_AUDIENCE":      "MEDASSIST_BROKER_AUDIENCE",
	"AA_DEFAULT_TTL":   "MEDASSIST_BROKER_AGENT_TTL",
	"AA_MAX_TTL":       "MEDASSIST_BROKER_MAX_TTL",
	"AA_APP_TOKEN_TTL": "MEDASSIST_BROKER_APP_TOKEN_TTL",
	"AA_LOG_LEVEL":     "MEDASSIST_LOG_LEVEL",
	"AA_DB_PATH":       "MEDASSIST_DATA",
	"AA_TLS_CERT":      "MEDASSIST_BROKER_TLS_CERT",
	"AA_TLS_KEY":       "MEDASSIST_BROKER_TLS_KEY",
	"AA_TLS_CLIENT_CA": "MEDASSIST_BROKER_TLS_CLIENT_CA",
	// AA_BIND_ADDRESS and AA_PORT together are MEDASSIST_BROKER_ADDR.
	"AA_BIND_ADDRESS": "MEDASSIST_BROKER_ADDR",
	"AA_PORT":         "MEDASSIST_BROKER_ADDR",
	// AA_TLS_MODE decides which of the TLS variables count.
	"AA_TLS_MODE": "",
}

// unsupported are variables of the reference broker without a counterpart.
var unsupported = map[string]string{
	"AA_SIGNING_KEY_PATH": "the key is kept in the data folder",
	"AA_CONFIG_PATH":      "use environment variables or .env",
	"AA_SEED_TOKENS":      "register apps with the admin secret",
}

// logLevels translates the reference broker's levels.
var logLevels = map[string]string{"quiet": "error", "standard": "info", "verbose": "debug", "trace": "debug"}

// applyAliases sets the variables of the broker command, and of its health check,
// from the reference broker's. If our own variable is set too, it takes precedence,
// and a note of the broker command reports a difference. Notes never contain a value.
func applyAliases(command *kong.Node) (notes []string, err error) {
	switch command.Name {
	case "broker":
	case "healthcheck": // runs every few seconds, so it repeats no notes
		defer func() { notes = nil }()
	default:
		return nil, nil
	}
	values, err := aliasValues()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		value, set := values[name]
		own := aliases[name]
		switch current := os.Getenv(own); {
		case !set:
		case current == "":
			if os.Setenv(own, value) != nil { // its error would quote the value
				return nil, fmt.Errorf("the value of %s is invalid", name)
			}
		case current != value:
			notes = append(notes, fmt.Sprintf("%s and %s differ: %s is used", own, name, own))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unsupported)) {
		if os.Getenv(name) != "" {
			notes = append(notes, fmt.Sprintf("%s is ignored: %s", name, unsupported[name]))
		}
	}
	return notes, nil
}

// aliasValues returns the aliases that are set, in the form of our variables.
func aliasValues() (map[string]string, error) {
	values := make(map[string]string)
	for name := range aliases {
		if v := os.Getenv(name); v != "" {
			values[name] = v
		}
	}
	for _, name := range []string{"AA_DEFAULT_TTL", "AA_MAX_TTL", "AA_APP_TOKEN_TTL"} {
		if _, err := strconv.Atoi(values[name]); err == nil {
			values[name] += "s" // a plain number is seconds
		}
	}
	if level, ok := logLevels[values["AA_LOG_LEVEL"]]; ok {
		values["AA_LOG_LEVEL"] = level
	}
	if file, set := values["AA_DB_PATH"]; set {
		values["AA_DB_PATH"] = filepath.Dir(file)
	}
	if values["AA_BIND_ADDRESS"] != "" || values["AA_PORT"] != "" {
		host, port, err := net.SplitHostPort(defaultBrokerAddr)
		if err != nil {
			return nil, err
		}
		values["AA_BIND_ADDRESS"] = net.JoinHostPort(cmp.Or(values["AA_BIND_ADDRESS"], host), cmp.Or(values["AA_PORT"], port))
		delete(values, "AA_PORT")
	}
	return values, tlsMode(values)
}

// tlsMode applies AA_TLS_MODE: it drops the TLS variables that its mode does not
// use, and fails if one is missing that the mode needs.
func tlsMode(values map[string]string) error {
	mode := strings.ToLower(values["AA_TLS_MODE"])
	delete(values, "AA_TLS_MODE")
	files := map[string][]string{ // needed by mode
		"none": {},
		"tls":  {"AA_TLS_CERT", "AA_TLS_KEY"},
		"mtls": {"AA_TLS_CERT", "AA_TLS_KEY", "AA_TLS_CLIENT_CA"},
	}
	needed, known := files[mode]
	switch {
	case mode == "":
		return nil
	case !known:
		return errors.New("AA_TLS_MODE must be none, tls or mtls")
	}
	for _, name := range files["mtls"] {
		if !slices.Contains(needed, name) {
			delete(values, name)
		} else if values[name] == "" && os.Getenv(aliases[name]) == "" {
			return fmt.Errorf("AA_TLS_MODE=%s needs %s", mode, name)
		}
	}
	return nil
}
