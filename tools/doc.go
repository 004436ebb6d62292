// Package tools is the catalogue of what a model may ask for: nine tools in
// three categories, each with the scopes that a call of it needs. It parses
// what a model wrote into a [Call], once, and makes a call as an HTTP request
// to the records API under a bearer token.
//
// One parsed patient ID serves the required scopes and the request alike, so
// what is checked is what is fetched. The package decides nothing: it says
// what a call requires, and the gate and the records API compare.
package tools
