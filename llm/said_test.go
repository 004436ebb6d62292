package llm

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A server's own words are found in every form that servers have, with the kind
// of failure that they mean.
func TestWhatServersSay(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		says   string
		kind   Kind
	}{
		{"OpenAI", 400, `{"error":{"message":"Bad model.","type":"invalid_request_error","param":null,"code":null}}`, "Bad model", KindServer},
		{"Ollama", 404, `{"error":"model 'x' not found"}`, "model 'x' not found", KindServer},
		{"Gemini", 400, `[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]`, "API key not valid", KindServer},
		{"Mistral", 422, `{"object":"error","message":"Invalid model","type":"invalid_request","code":1500}`, "Invalid model", KindServer},
		{"FastAPI, text", 403, `{"detail":"Not allowed here"}`, "Not allowed here", KindAuth},
		{"FastAPI, list", 422, `{"detail":[{"type":"missing","loc":["body","messages",0],"msg":"Field required"}]}`, "Field required (messages)", KindServer},
		{"a list of errors", 400, `{"errors":[{"message":"No such model"}]}`, "No such model", KindServer},
		{"a problem document", 503, `{"type":"about:blank","title":"Overloaded","detail":"Come back later","status":503}`, "Come back later", KindServer},
		{"OpenRouter", 502, `{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"{\"error\":{\"message\":\"upstream is down\"}}","provider_name":"X"}}}`, "Provider returned error: upstream is down", KindServer},
		{"an error in an error", 400, `{"error":{"message":"{\"error\":{\"message\":\"deep\"}}"}}`, "deep", KindServer},
		{"HTML", 502, "<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>", "502 Bad Gateway", KindServer},
		{"HTML without a title", 502, "<h1>Bad &lt;Gateway&gt;</h1>", "Bad <Gateway>", KindServer},
		{"text", 404, "404 page not found", "404 page not found", KindServer},
		{"a JSON string", 500, `"boom"`, "boom", KindServer},
		{"nothing", 500, "", "answered 500", KindServer},

		{"a quota", 429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","code":"insufficient_quota"}}`, "quota", KindQuota},
		{"no balance", 402, `{"error":{"message":"Insufficient Balance"}}`, "Insufficient Balance", KindQuota},
		{"no credit", 400, `{"error":{"message":"Your credit balance is too low to access the API."}}`, "credit balance", KindQuota},
		{"Google's rate limit", 429, `[{"error":{"code":429,"message":"You exceeded your current quota.","details":[{"retryDelay":"34s"}]}}]`, "quota", KindRateLimited},
		{"a rate limit", 429, `{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}`, "Rate limit reached", KindRateLimited},
		{"llama.cpp's context", 400, `{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_ctx":4096}}`, "context size", KindContext},
		{"OpenAI's context", 400, `{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}`, "8192 tokens", KindContext},
	}
	for _, tt := range tests {
		s := readSaid(tt.status, http.Header{}, []byte(tt.body))
		e := refusal("the server", VendorUnknown, newRedactor(secret), s)
		if !strings.Contains(e.Message, tt.says) || e.Kind != tt.kind || e.Status != tt.status || e.Hint == "" {
			t.Errorf("%s: %q of kind %s, hint %q", tt.name, e.Message, e.Kind, e.Hint)
		}
	}
}

// The hint tells what to do on the server that was asked.
func TestHintsNameTheServersOwnSettings(t *testing.T) {
	for base, says := range map[string]string{
		"http://localhost:11434/v1":            "OLLAMA_CONTEXT_LENGTH",
		"http://127.0.0.1:8080/v1":             "-c 8192",
		"http://192.168.1.7:8000/v1":           "--max-model-len",
		"http://localhost:1234/v1":             "model's settings",
		"http://ollama/v1":                     "OLLAMA_CONTEXT_LENGTH",
		"https://api.groq.com/openai/v1":       "narrower request",
		"https://eu.example.com/v1":            "llama.cpp: -c 8192",
		"https://notopenai.com/v1":             "llama.cpp: -c 8192",
		"https://x.openai.azure.com/openai/v1": "deployment",
	} {
		m, err := NewOpenAI(Config{BaseURL: base, Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		if got := AdviceFor(m).SmallContext(); !strings.Contains(got, says) {
			t.Errorf("%s: %s", base, got)
		}
	}
	for p, by := range remedies {
		if by[VendorUnknown] == "" {
			t.Errorf("%s: no advice for a server that is not known", p)
		}
	}
}

// No error shows the key, in whatever way a server quotes it.
func TestTheKeyIsInNoError(t *testing.T) {
	basic := func(user string) string { return base64.StdEncoding.EncodeToString([]byte(user + secret)) }
	forms := map[string]string{
		"as it is":              secret,
		"in quotes":             `'` + secret + `'`,
		"in upper case":         strings.ToUpper(secret),
		"as a header":           "Authorization: Bearer " + secret,
		"percent-encoded":       url.QueryEscape(strings.ReplaceAll(secret, "-", "%2D")),
		"percent-encoded twice": url.QueryEscape(strings.ReplaceAll(secret, "k", "%6b")),
		"in base64":             basic(""),
		"after a user":          basic("u:"),
		"after another":         basic("me:"),
		"in base64, URL":        base64.URLEncoding.EncodeToString([]byte("x:" + secret)),
		"in hexadecimal":        hex.EncodeToString([]byte(secret)),
		"as HTML":               html.EscapeString(secret),
		"its beginning":         secret[:14] + "…",
		"its end":               "****" + secret[len(secret)-12:],
		"masked":                "sk-th***************see",
		"across spaces":         "key=" + secret + " other",
		"a token of another":    "Bearer eyJhbGciOiJFZERTQSJ9.e30.c2ln",
		"of another server":     "sk-proj-abcdefghijklmnop",
	}
	for name, form := range forms {
		for status, body := range map[int]string{
			401: `{"error":{"message":"Incorrect API key provided: ` + form + `. Find it elsewhere."}}`,
			500: form,
			400: "<title>" + form + "</title>",
		} {
			got := fmt.Sprintf("%s %+v %#v", refusal("the server", VendorUnknown, newRedactor(secret), readSaid(status, http.Header{}, []byte(body))),
				refusal("x", VendorUnknown, newRedactor(secret), readSaid(status, http.Header{}, []byte(body))),
				refusal("x", VendorUnknown, newRedactor(secret), readSaid(status, http.Header{}, []byte(body))))
			for i := 0; i+8 <= len(form); i++ {
				if part := form[i : i+8]; strings.Contains(got, part) && !strings.Contains("Authorization: Bearer … key= other ****", part) {
					t.Errorf("%s (%d): %q shows %q", name, status, got, part)
					break
				}
			}
		}
	}
	// A short placeholder, as local servers get, is not looked for in words.
	if got := newRedactor("none").clean("none of it, x"); !strings.Contains(got, "of it, x") {
		t.Errorf("%q", got)
	}
	if got := newRedactor("x").clean("the exact text"); got != "the exact text" {
		t.Errorf("%q", got)
	}
}

// Base URLs are understood as people write them.
func TestBaseURLs(t *testing.T) {
	for base, want := range map[string][]string{ // the paths that are tried
		"":                                 {"/v1/chat/completions", "/chat/completions"},
		"/":                                {"/v1/chat/completions", "/chat/completions"},
		"/v1":                              {"/v1/chat/completions"},
		"/v1/":                             {"/v1/chat/completions"},
		"/v1/chat/completions":             {"/v1/chat/completions"},
		"/v1/chat/completions/":            {"/v1/chat/completions"},
		"/v1/models":                       {"/v1/chat/completions"},
		"/v1/responses":                    {"/v1/responses"},
		"/openai":                          {"/openai/chat/completions", "/openai/v1/chat/completions"},
		"/openai/v1":                       {"/openai/v1/chat/completions"},
		"/v1beta/openai/":                  {"/v1beta/openai/chat/completions"},
		"/openai/deployments/d":            {"/openai/deployments/d/chat/completions"},
		"/v1?api-version=2025":             {"/v1/chat/completions?api-version=2025"},
		"/v1/chat/completions?key=a&b=%20": {"/v1/chat/completions?key=a&b=%20"},
		"?x=y":                             {"/v1/chat/completions?x=y", "/chat/completions?x=y"},
	} {
		var paths []string
		cfg := configOf(t, func(w http.ResponseWriter, r *http.Request) {
			paths = append(paths, r.URL.RequestURI())
			http.NotFound(w, r)
		})
		cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/v1") + base
		if _, err := ask(t, modelOf(t, cfg), hi); err == nil || !strings.Contains(err.Error(), "LLM_BASE_URL") {
			t.Errorf("%s: %v", base, err)
		}
		if strings.Join(paths, " ") != strings.Join(want, " ") {
			t.Errorf("%s: tried %q, want %q", base, paths, want)
		}
	}
	// A name and password in the URL go nowhere.
	withUser := configOf(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, sent := r.BasicAuth(); sent {
			t.Error("the URL's password was sent")
		}
		says(answered)(w, r)
	})
	withUser.BaseURL, withUser.APIKey = strings.Replace(withUser.BaseURL, "://", "://user:"+secret+"@", 1), ""
	if _, err := ask(t, modelOf(t, withUser), hi); err != nil {
		t.Error(err)
	}
	// A model that is not there is not a wrong path.
	n := 0
	cfg := configOf(t, func(w http.ResponseWriter, r *http.Request) { n++; refuse(404, "model 'm' not found")(w, r) })
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/v1")
	if _, err := ask(t, modelOf(t, cfg), hi); n != 1 || err == nil {
		t.Errorf("tried %d times, %v", n, err)
	}
}

// Azure wants the key in a header of its own; nobody else gets it there.
func TestAzuresHeader(t *testing.T) {
	for base, want := range map[string]string{"https://x.openai.azure.com/openai/deployments/d?api-version=1": secret, "https://api.openai.com/v1": ""} {
		var got http.Header
		m := modelOf(t, Config{BaseURL: base, Model: "m", APIKey: secret, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r.Header
			return answer(200, ""), nil
		})})
		if _, err := ask(t, m, hi); err != nil || got.Get("api-key") != want {
			t.Errorf("%s: api-key %q, %v", base, got.Get("api-key"), err)
		}
	}
}

// A server that writes all the time is not cut off, however long it takes.
func TestAReplyMayTakeLong(t *testing.T) {
	slow := func(every time.Duration, n int, what string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			says(hello)(w, r)
			for range n {
				time.Sleep(every)
				_, _ = w.Write([]byte(what))
			}
			_, _ = w.Write([]byte(stop))
		}
	}
	inBubble(t, func(t *testing.T) {
		m := newInProcess(slow(50*time.Second, 30, words("")), "slow", "the slow model")
		start := time.Now()
		if _, err := m.Complete(context.Background(), hi, func(string) {}); err != nil || time.Since(start) != 1500*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		m = newInProcess(slow(50*time.Second, 3, ": ping\n\n"), "silent", "the silent model")
		if _, err := m.Complete(context.Background(), hi, func(string) {}); err == nil || !strings.Contains(err.Error(), "said nothing for 1m0s") {
			t.Errorf("heartbeats alone: %v", err)
		}
	})
}
