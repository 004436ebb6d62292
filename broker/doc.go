// Package broker is an AgentWrit broker that lives in a process: the whole
// protocol of WIRE.md, over HTTP, on one database file or in memory.
//
// It imports the wire types and never the client, so that what it says is what
// the wire says. It never stores a secret that opens anything, never hands out
// a credential before its record is on disk, and never answers "allowed"
// because something could not be looked up.
package broker
