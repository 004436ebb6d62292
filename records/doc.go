// Package records is the protected API that owns patient data: /records over
// HTTP, on an embedded SQL database or on the one that the app's replicas share.
//
// It trusts no caller, not even the process that it runs in. Each request
// carries a bearer token. The API validates the token with the broker on every
// request and compares its scopes with its own table of what each route
// requires. Only then does it look the patient up, so that a denial discloses
// nothing about the patient.
//
// A request is one transaction: what a write decides, it decides on data that
// cannot change before the write. Nothing is stored that could not be returned
// again: text and the number of rows per patient are bounded, lists are
// returned in pages, and a page is bounded in bytes.
//
// Writes are real; Reset restores the seed. The package issues no tokens and
// knows no tools or models.
package records
