// Package conformance holds a broker to the protocol as it was recorded from a
// live one: testdata/golden.json, exchange by exchange, over HTTP.
//
// Its tests run against the embedded broker, or any other that the environment
// names:
//
//	AGENTWRIT_CONFORMANCE_URL=http://127.0.0.1:8080 \
//	AGENTWRIT_CONFORMANCE_SECRET=… go test ./broker/conformance
//
// There is nothing here to import. Where the embedded broker is stricter than
// the recorded one is tested beside the rules, in package broker; no recorded
// exchange had to be given up for them. Three were looked at twice:
//
//   - "app launch: over the ceiling" asks for an admin: scope, which ours never
//     grants. On the app's route the ceiling is looked at first, and as no
//     ceiling holds such a scope the recorded 403 stands; on the admin's route,
//     and in a ceiling, it is 400.
//   - "app create" and "app delete" answer with some members empty. So do ours.
//   - After "release" the delegated tokens of the same agent are dead in ours,
//     alive in the recorded one. What follows is recorded with another agent.
package conformance
