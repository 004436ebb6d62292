// Package tools is the catalogue of the functions that a model may call: each
// with its category, its arguments and the scopes that a call requires. It
// parses what a model wrote into a [Call], once, and makes a call as an HTTP
// request to the records API with a bearer token.
//
// The required scopes and the request use the same parsed patient ID, so the
// patient that is checked is the patient whose data is returned. The package
// makes no authorization decision: the gate and the records API do.
package tools
