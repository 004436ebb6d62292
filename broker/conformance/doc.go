// Package conformance tests a broker against the protocol as recorded from a
// reference broker: testdata/golden.json, exchange by exchange, over HTTP.
//
// The tests run against the embedded broker, or against the one named in the
// environment:
//
//	AGENTWRIT_CONFORMANCE_URL=http://127.0.0.1:8080 \
//	AGENTWRIT_CONFORMANCE_SECRET=… go test ./broker/conformance
//
// The package exports nothing. The rules in which the embedded broker is stricter
// are tested in package broker; every recorded exchange is still reproduced. Three
// of them need an explanation:
//
//   - "app launch: over the ceiling" requests an admin: scope, which the embedded
//     broker never grants. On the app's route the ceiling is checked first, and
//     no ceiling contains such a scope, so the answer is the recorded 403. On the
//     admin's route, and in a ceiling, the answer is 400.
//   - "app create" and "app delete" answer with some empty members, here too.
//   - After "release" the tokens that the agent delegated are invalid here, and
//     valid in the recording. The later exchanges use another agent.
package conformance
