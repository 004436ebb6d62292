// Package reference serves the OpenAPI documents of the app and of the embedded
// broker, as JSON for programs and as pages for people. The pages are rendered
// from the documents by the server, like all others: no script, nothing from
// elsewhere.
package reference
