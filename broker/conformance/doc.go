// Package conformance tests a broker over HTTP, in two parts:
//
//   - The protocol as recorded from a reference broker: testdata/golden.json,
//     exchange by exchange. Every broker passes it.
//   - The rules by which the embedded broker is stricter (docs/protocol.md). They
//     are tested with the brokers that promise them.
//
// The tests run with the embedded broker and with the one that
// AGENTWRIT_TEST_BROKER_URL and AGENTWRIT_TEST_ADMIN_SECRET name, the first part
// also with one that behaves like the reference broker; see package brokertest.
//
// The package exports nothing. Three recorded exchanges need an explanation:
//
//   - "app launch: over the ceiling" requests an admin: scope, which the embedded
//     broker never grants. On the app's route the ceiling is checked first, and
//     no ceiling contains such a scope, so the answer is the recorded 403. On the
//     admin's route, and in a ceiling, the answer is 400.
//   - "app create" and "app delete" answer with some empty members, here too.
//   - After "release" the tokens that the agent delegated are invalid here, and
//     valid in the recording. The later exchanges use another agent.
package conformance
