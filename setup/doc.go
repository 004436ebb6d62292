// Package setup registers MedAssist with a broker: it finds or registers the
// app, updates its ceiling, and writes the credentials to a file. The embedded
// broker's app, a remote broker's app and `medassist setup` all use it.
//
// Running it again changes nothing. It never prints a secret other than one
// that the broker has just issued.
package setup
