package llm

import "strings"

// finishClass tells what a finish reason means for a reply.
type finishClass int

const (
	finishUnknown   finishClass = iota // a word that is not listed: text may be shown, no call is made
	finishDone                         // the reply is complete
	finishCalls                        // complete, and the model wants its calls made
	finishLength                       // cut off by a token limit
	finishFiltered                     // withheld or stopped by a content filter
	finishFailed                       // the server or the model failed
	finishMalformed                    // the model wrote a call that the server could not parse
)

// finishWords lists the reasons that servers give, in lower case.
var finishWords = map[string]finishClass{
	"stop": finishDone, "end_turn": finishDone, "stop_sequence": finishDone, "eos": finishDone, "eos_token": finishDone,
	"end": finishDone, "done": finishDone, "complete": finishDone, "completed": finishDone, "finished": finishDone, "endoftext": finishDone,

	"tool_calls": finishCalls, "tool_call": finishCalls, "tool_use": finishCalls, "function_call": finishCalls, "function_calls": finishCalls,

	"length": finishLength, "max_tokens": finishLength, "max_output_tokens": finishLength, "max_length": finishLength, "model_length": finishLength,
	"token_limit": finishLength, "context_length": finishLength, "model_context_window_exceeded": finishLength, "incomplete": finishLength,

	"content_filter": finishFiltered, "safety": finishFiltered, "recitation": finishFiltered, "blocklist": finishFiltered,
	"prohibited_content": finishFiltered, "spii": finishFiltered, "refusal": finishFiltered, "sensitive": finishFiltered,

	"error": finishFailed, "failed": finishFailed, "abort": finishFailed, "aborted": finishFailed, "cancelled": finishFailed, "canceled": finishFailed,
	"insufficient_system_resource": finishFailed, "network_error": finishFailed, "timeout": finishFailed,

	"malformed_function_call": finishMalformed, "unexpected_tool_call": finishMalformed,
}

// finishWord returns the name that the protocol has for a class, or the
// server's own word.
func finishWord(class finishClass, word string) string {
	switch class {
	case finishDone:
		return "stop"
	case finishCalls:
		return "tool_calls"
	case finishLength:
		return "length"
	case finishFiltered:
		return "content_filter"
	}
	return word
}

func classOf(word string) finishClass {
	return finishWords[strings.ToLower(strings.TrimPrefix(word, "FINISH_REASON_"))]
}
