package main

import (
	"net"
	"strings"
	"testing"
)

// If the default port is taken, the next free one is used. A requested port must be
// free.
func TestListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	usual := taken.Addr().String()

	ln, note, err := listen("", usual, "--addr")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if ln.Addr().String() == usual || !strings.Contains(note, "is taken") {
		t.Errorf("listening on %s, note %q", ln.Addr(), note)
	}
	if _, _, err := listen(usual, usual, "--addr"); err == nil || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("a requested port that is taken: %v", err)
	}
}

func TestConfigComplete(t *testing.T) {
	for _, tc := range []struct {
		name       string
		in         Config
		url, model string // the model's
		fails      string
	}{
		{name: "nothing set"},
		{name: "a key alone", in: Config{LLMAPIKey: "k"}, url: openAI, model: openAIModel},
		{name: "a key and a model", in: Config{LLMAPIKey: "k", LLMModel: "m"}, url: openAI, model: "m"},
		{name: "a server", in: Config{LLMBaseURL: "http://x/v1", LLMModel: "m"}, url: "http://x/v1", model: "m"},
		{name: "a broker and its admin secret", in: Config{BrokerURL: "http://b", AdminSecret: "s"}},
		{name: "a broker and app credentials", in: Config{BrokerURL: "http://b", ClientID: "i", ClientSecret: "s"}},
		{name: "a broker alone", in: Config{BrokerURL: "http://b"}, fails: "no credentials"},
		{name: "a recorded model", in: Config{LLMAPIKey: "k", LLMRecord: "f"}, url: openAI, model: openAIModel},
		{name: "no model to record", in: Config{LLMRecord: "f"}, fails: "LLM_BASE_URL"},
		{name: "recording and playback", in: Config{LLMAPIKey: "k", LLMRecord: "f", LLMRecording: "f"}, fails: "only one of them"},
		{name: "a client ID without a secret", in: Config{BrokerURL: "http://b", ClientID: "i"}, fails: "AGENTWRIT_CLIENT_SECRET"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.Ephemeral = true
			err := tc.in.complete()
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%v, want %q", err, tc.fails)
				}
				return
			}
			if err != nil || tc.in.LLMBaseURL != tc.url || tc.in.LLMModel != tc.model {
				t.Errorf("%q %q %v, want %q %q", tc.in.LLMBaseURL, tc.in.LLMModel, err, tc.url, tc.model)
			}
		})
	}
}
