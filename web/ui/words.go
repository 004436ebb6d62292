package ui

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ClockTime returns the time of day, in UTC.
func ClockTime(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// DateTime returns date and time of day, in UTC.
func DateTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// Decimal returns a number in decimal digits.
func Decimal[T ~int | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// Bool returns the value of a boolean ARIA attribute.
func Bool(b bool) string { return strconv.FormatBool(b) }

// ShortID shortens a SPIFFE ID and keeps both its ends: the trust domain, and
// the part that tells its agents apart.
func ShortID(spiffeID string) string {
	domain, path, ok := strings.Cut(strings.TrimPrefix(spiffeID, "spiffe://"), "/")
	last := strings.LastIndexByte(path, '/')
	if !ok || last < 0 {
		return spiffeID
	}
	return "spiffe://" + domain + "/…" + path[last:]
}

// RevokeURL returns the address of the preview of a revocation, which the run's
// cards and the operator's page both link to.
func RevokeURL(level, target string) string {
	return "/operator/revoke?" + url.Values{"level": {level}, "target": {target}}.Encode()
}
