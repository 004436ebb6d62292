// Package setup registers MedAssist with a broker: it finds or makes the app,
// brings its ceiling up to date, and writes the credentials where they belong.
// The embedded broker's app, a remote broker's, and `medassist setup` all come
// about here, in one way. It does no harm when run again, and never shows a
// secret that it did not just make.
package setup
