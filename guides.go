// Package medassist holds the guides of this repository, for the parts of the
// program that read them. All else is in the folders; see the README.
package medassist

import _ "embed"

// PresentersGuide is PRESENTERS_GUIDE.md.
//
//go:embed PRESENTERS_GUIDE.md
var PresentersGuide string
