// Package twin compares AgentWrit with what most teams do: one request, and one
// reply of the model, run for real twice.
//
// One side is an ordinary run: agents with a token each, the gate, the records API.
// The other side makes the same calls with one shared, long-lived API key. For that
// it opens a second instance of the records API, with a throwaway copy of the
// invented data, which accepts such a key. An attacker copies the credential of both
// sides during the task, tries it for every patient, and tries it again afterwards.
//
// The second instance exists only during the comparison. It listens on no port: the
// only connection to it is in memory, within this package (pipe.go). Its key is
// random, lives in memory, is never logged and never shown whole (key.go). However
// the comparison ends, the instance is closed and its key with it.
//
// A [Result] holds what both sides did. Nothing in it is assumed: each entry comes
// from a request that was answered, from a log, or from the run's trace. The package
// gives the shared key no way to the real records API, and never changes a run.
package twin
