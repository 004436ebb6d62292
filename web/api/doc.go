// Package api serves the JSON API of docs/openapi/app.yaml, for programs: it
// starts and controls runs, streams their steps, lists patients and tools,
// reads the audit log, revokes and resets. It keeps the Python demo's contract.
//
// It renders no HTML. Errors are problem documents.
package api
