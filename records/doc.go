// Package records is the protected API that owns patient data: /records over
// HTTP, on an embedded SQL store.
//
// It trusts no caller, not even the process it runs in. Each request carries a
// bearer token; the broker is asked about it, now, and its scopes are compared
// with this package's own table of what each route requires. Only then is it
// looked up whether the patient exists, so that a refusal says nothing about
// the patient. Writes are real, and Reset restores the seed.
package records
