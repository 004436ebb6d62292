// Package llm talks to the model, which reads a request, picks tools and
// writes the answer. One small interface, [Model], covers three kinds of it:
//
//   - a server that speaks the OpenAI protocol ([NewOpenAI]), over chat
//     completions or the Responses API;
//   - the offline planner ([NewPlanner]), an OpenAI-compatible handler in this
//     process, for when there is no network (package planner);
//   - a recorded model ([NewRecorder], [OpenRecording]), whose replies are
//     played back from a file.
//
// "OpenAI-compatible" servers differ in how they stream, which fields they
// accept and what they want to see again in the next turn; docs/models.md lists
// what was met. The work is divided like this:
//
//   - transport amends each request (fields that the client library's types
//     lack, fields that the server refused), turns every answer into an event
//     stream that the library can read, or into an [*Error];
//   - assembly builds a reply from the pieces of a stream, whatever their shape;
//   - textFilter splits reasoning and tool calls from text;
//   - client adapts to what the server refuses, and repeats a request as long as
//     nothing of its reply has been shown.
//
// A model is never trusted: this package returns what it wrote as data, and the
// caller decides what to make of it. A reply that failed has no tool calls. The
// API key is in no error, no log and no recording.
package llm
