package attack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// maxBody is the largest request that the model reads.
const maxBody = 16 << 20

// Model is a server of the OpenAI protocol that obeys whatever it reads: the request,
// the results of tools, and what it finds in them under a disguise. The same
// conversation always gets the same reply.
type Model struct {
	mu   sync.Mutex
	read []byte // everything that was sent to it since the last reset
	sent []order
}

// received returns everything that the model was sent since the last call of reset.
func (m *Model) received() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.read)
}

func (m *Model) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.read, m.sent = nil, nil
}

// message is a message of the protocol, as far as the model reads it.
type message struct {
	Role      string `json:"role"`
	Content   string `json:"content"`
	ToolCalls []struct {
		Function struct {
			Name      string `json:"name"`
			Arguments string `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// ServeHTTP answers a chat completion request with a stream.
func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var in struct {
		Messages []message `json:"messages"`
		Tools    []any     `json:"tools"`
	}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		http.Error(w, `{"error":{"message":"not a chat completion request"}}`, http.StatusBadRequest)
		return
	}
	calls, answer := reply(in.Messages)
	if len(in.Tools) == 0 {
		calls = nil // the last turn offers none
	}
	m.mu.Lock()
	m.read = append(m.read, body...)
	m.sent = append(m.sent, calls...)
	m.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	writeReply(w, len(in.Messages), calls, answer)
}

// reply returns what the model does after these messages: the orders that it has
// not followed yet, or its answer.
func reply(messages []message) (calls []order, answer string) {
	done := make(map[order]bool)
	var read []string
	for _, m := range messages {
		for _, c := range m.ToolCalls {
			done[order{c.Function.Name, c.Function.Arguments}] = true
		}
		switch m.Role {
		case "user":
			read = append(read, m.Content)
		case "tool":
			read = append(read, texts(m.Content)...)
		}
	}
	if whole := assembled(read); whole != "" {
		read = append(read, whole)
	}
	disclose := false
	for _, text := range read {
		orders, tell := ordersIn(text)
		disclose = disclose || tell
		for _, o := range orders {
			if !done[o] {
				done[o] = true
				calls = append(calls, o)
			}
		}
	}
	if disclose {
		// It repeats all that it knows, the system prompt included.
		for _, m := range messages {
			answer += m.Role + ": " + m.Content + "\n"
		}
		return calls, answer
	}
	return calls, "Done. " + strings.Join(read, " ")
}

// texts returns the strings in a tool's result, in the order of its keys.
func texts(content string) []string {
	var v any
	if json.Unmarshal([]byte(content), &v) != nil {
		return []string{content}
	}
	var out []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			keys := make([]string, 0, len(v))
			for k := range v {
				keys = append(keys, k)
			}
			slices.Sort(keys)
			for _, k := range keys {
				walk(v[k])
			}
		}
	}
	walk(v)
	return out
}

// part is a numbered part of a text that was split over several fields.
var part = regexp.MustCompile(`\[(\d)/\d\]([^\[]*)`)

// assembled puts the numbered parts of a text together.
func assembled(read []string) string {
	var parts [10]string
	for _, text := range read {
		for _, m := range part.FindAllStringSubmatch(text, -1) {
			parts[m[1][0]-'0'] = m[2]
		}
	}
	return strings.Join(parts[:], "")
}

// writeReply streams a reply; n makes its call IDs differ from those of other turns.
func writeReply(w io.Writer, n int, calls []order, answer string) {
	type function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}
	type call struct {
		Index    int      `json:"index"`
		ID       string   `json:"id"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	delta, finish := map[string]any{"role": "assistant", "content": answer}, "stop"
	if len(calls) > 0 {
		var list []call
		for i, c := range calls {
			list = append(list, call{i, fmt.Sprintf("call_%d_%d", n, i), "function", function{c.Tool, c.Args}})
		}
		delta, finish = map[string]any{"role": "assistant", "tool_calls": list}, "tool_calls"
	}
	for _, choice := range []map[string]any{
		{"index": 0, "delta": delta, "finish_reason": nil},
		{"index": 0, "delta": map[string]any{}, "finish_reason": finish},
	} {
		b, err := json.Marshal(map[string]any{"id": "chatcmpl-attack", "object": "chat.completion.chunk", "model": "obedient", "choices": []any{choice}})
		if err != nil {
			panic("attack: encode a reply: " + err.Error()) // strings always encode
		}
		fmt.Fprintf(w, "data: %s\n\n", b)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}
