// Package openapi holds the OpenAPI 3.1 documents of the app and of the embedded
// broker. Tests compare both with running servers.
package openapi

import _ "embed" // the documents

// The documents, as YAML.
var (
	//go:embed app.yaml
	App []byte
	//go:embed broker.yaml
	Broker []byte
)
