package ui

import (
	"crypto/sha256"
	"encoding/base64"
)

// FilePolicy returns a content security policy for a page that is saved as a file:
// it allows the file's own style, by its hash, and nothing else: no script, no image,
// no address (CSP Level 3, section 2.3.1).
func FilePolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
