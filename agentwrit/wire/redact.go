package wire

import (
	"fmt"
	"log/slog"
	"time"
)

// Format writes the app's name and ID for every verb, so that printing an App
// does not reveal its secret.
func (a App) Format(s fmt.State, _ rune) { fmt.Fprint(s, "app "+a.Name+" ("+a.AppID+")") }

// LogValue returns the same text for package slog.
func (a App) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(a)) }

// Format writes the expiry time for every verb, so that printing a launch token
// does not reveal it.
func (r LaunchTokenResponse) Format(s fmt.State, _ rune) {
	fmt.Fprint(s, "launch token until "+r.ExpiresAt.UTC().Format(time.RFC3339))
}

// LogValue returns the same text for package slog.
func (r LaunchTokenResponse) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }
