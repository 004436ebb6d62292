// Package operator serves the operator's page: the live agents of all runs,
// revocation with a preview of its impact, the preflight, the broker's health,
// and the reset of the demo.
//
// A preview is a GET and changes nothing; only its confirmation revokes. What
// the JSON API shares with this page is exported as methods of [Pages].
package operator
