package main

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/devonartis/medassist-go/llm"
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

// The settings of a model's server reach it as they were meant; an empty one is
// not set.
func TestModelSettings(t *testing.T) {
	for _, tc := range []struct {
		name  string
		in    Config
		want  llm.Config
		fails string
	}{
		{name: "nothing"},
		{name: "an API", in: Config{LLMAPI: "Responses"}, want: llm.Config{API: llm.APIResponses}},
		{name: "a timeout", in: Config{LLMTimeout: "2m"}, want: llm.Config{FirstWordTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}},
		{name: "a timeout in seconds", in: Config{LLMTimeout: "90"}, want: llm.Config{FirstWordTimeout: 90 * time.Second, IdleTimeout: 90 * time.Second}},
		{name: "a limit on tokens", in: Config{LLMMaxTokens: "500"}, want: llm.Config{MaxTokens: 500}},
		{name: "a temperature of 0", in: Config{LLMTemperature: "0"}, want: llm.Config{Temperature: new(float32(0))}},
		{name: "no duration", in: Config{LLMTimeout: "soon"}, fails: "LLM_TIMEOUT"},
		{name: "no time at all", in: Config{LLMTimeout: "0"}, fails: "LLM_TIMEOUT"},
		{name: "no number of tokens", in: Config{LLMMaxTokens: "-1"}, fails: "LLM_MAX_TOKENS"},
		{name: "no temperature", in: Config{LLMTemperature: "warm"}, fails: "LLM_TEMPERATURE"},
	} {
		got, err := tc.in.server()
		if tc.fails != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("%s: %v, want %q", tc.name, err, tc.fails)
			}
			continue
		}
		if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tc.name, err, diff)
		}
	}
	// What the server's package refuses is refused at start.
	for _, in := range []Config{{LLMAPI: "soap"}, {LLMTemperature: "3"}, {LLMBaseURL: "localhost:8080"}} {
		in.LLMModel = "m"
		if in.LLMBaseURL == "" {
			in.LLMBaseURL = "http://localhost/v1"
		}
		if _, err := newModel(in, &closers{}); err == nil || !strings.Contains(err.Error(), "LLM_") {
			t.Errorf("%+v: %v", in, err)
		}
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
		{name: "a public URL", in: Config{PublicURL: "https://demo.example:8443/"}},
		{name: "a public URL with a path", in: Config{PublicURL: "https://demo.example/medassist"}, fails: "MEDASSIST_PUBLIC_URL"},
		{name: "a public URL with a key", in: Config{PublicURL: "https://demo.example/?key=x"}, fails: "MEDASSIST_PUBLIC_URL"},
		{name: "a public URL without a scheme", in: Config{PublicURL: "demo.example"}, fails: "MEDASSIST_PUBLIC_URL"},
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
