package view

import (
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// Export is a run as a file of its own.
type Export struct {
	Run   *Run
	Style string // all that the page needs, as one stylesheet
	Made  time.Time
}

// Policy lets the file show its own style, by that style's hash, and nothing
// else: no script, no image, no address (CSP Level 3, section 2.3.1).
func (e Export) Policy() string {
	sum := sha256.Sum256([]byte(e.Style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
