// Package llm is the model: whatever reads a request, picks tools and writes
// the answer. One small interface, [Model], stands before three kinds of them:
//
//   - a server that speaks the OpenAI protocol ([NewOpenAI]);
//   - the offline planner ([NewPlanner]), an OpenAI-compatible handler in this
//     process, for when there is no network (package planner);
//   - a recorded model ([NewRecorder], [OpenRecording]), whose replies are
//     played back from a file.
//
// All three are reached by the same client, through the same protocol; they
// differ in their transport. So what is shown without a network is what is run
// with one.
//
// Servers differ in how they speak, and fail in every way. The transport
// repeats what was turned away before anything was said, strips what the
// client library can't read, and bounds what is left; the client demands a
// whole reply and bounds that too. What remains is a [Reply] or an [*Error].
//
// A model is never trusted: this package hands on what it says as text, and
// whoever calls it decides what to make of that. The API key is in no error,
// no log and no recording.
package llm
