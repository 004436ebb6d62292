// Package llm is the model: whatever reads a request, picks tools and writes
// the answer. One small interface, [Model], stands before a server that speaks
// the OpenAI protocol and before the offline planner, and both are reached
// through the same client: the planner is an OpenAI-compatible handler behind
// an in-process transport, so that what is shown without a network is what is
// run with one.
//
// A model is never trusted. This package bounds what one may send, insists on
// a whole reply, and hands on what it says as text; whoever calls it decides
// what to make of that. The API key is in no error and no log.
package llm
