package llm

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// said is what a server tells about a failure, in whatever form.
type said struct {
	status  int
	message string // its own words, not redacted yet
	code    string // such as "insufficient_quota"
	param   string // the parameter that it refuses
	wait    time.Duration
}

var (
	htmlTitle  = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	htmlTag    = regexp.MustCompile(`(?s)<[^>]*>`)
	tryAgainIn = regexp.MustCompile(`(?i)(?:try again|retry|wait)[a-z ]*? (?:in|after|for) ((?:[0-9.]+ ?(?:ms|h|m|s))+|[0-9.]+ ?(?:milliseconds?|seconds?|minutes?))`)
)

// readSaid reads the body of an error. Servers have at least these forms:
//
//	{"error": {"message": …, "type": …, "code": …, "param": …}}     OpenAI
//	{"error": "…"}                                                  Ollama, TGI
//	[{"error": {"message": …, "status": …, "details": […]}}]         Gemini
//	{"object": "error", "message": …, "type": …, "code": …}         Mistral, vLLM
//	{"detail": "…"} or {"detail": [{"msg": …, "loc": […]}]}          FastAPI
//	{"title": …, "detail": …}                                       RFC 9457
//	{"error": {"message": …, "metadata": {"raw": "…"}}}              OpenRouter
//	HTML with a title, or plain text                                proxies
func readSaid(status int, header http.Header, body []byte) said {
	s := said{status: status, wait: retryAfter(header, time.Now())}
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var f fields
	switch {
	case json.Unmarshal(body, &f) == nil:
		s.read(f)
	case bytes.HasPrefix(body, []byte("<")):
		if m := htmlTitle.FindSubmatch(body); m != nil {
			s.message = html.UnescapeString(string(m[1]))
		} else {
			s.message = html.UnescapeString(htmlTag.ReplaceAllString(string(body), " "))
		}
	case stringOf(body) != "":
		s.message = stringOf(body)
	default:
		s.message = string(body)
	}
	if m := tryAgainIn.FindStringSubmatch(s.message); m != nil && s.wait == 0 {
		s.wait = spokenDuration(m[1])
	}
	return s
}

// read takes the parts of an error from a JSON object.
func (s *said) read(f fields) {
	inner := f
	switch {
	case f.object("error") != nil:
		inner = f.object("error")
	case f.text("error") != "":
		s.message = f.text("error")
		inner = nil
	case len(f.list("errors")) > 0:
		inner = f.list("errors")[0]
	}
	for _, from := range []fields{inner, f} {
		for _, name := range []string{"message", "detail", "msg", "error_description", "error_message", "title"} {
			if s.message == "" {
				s.message = from.text(name)
			}
		}
		for _, d := range from.list("detail") { // FastAPI
			if s.message == "" && d.text("msg") != "" {
				s.message = d.text("msg")
				var loc []any
				if json.Unmarshal(d["loc"], &loc) == nil {
					for _, part := range loc {
						if name, ok := part.(string); ok && name != "body" {
							s.param = name
							s.message += " (" + name + ")"
						}
					}
				}
			}
		}
		for _, name := range []string{"code", "type", "status"} {
			if word := from.text(name); word != "" && word != "error" && s.code == "" {
				s.code = word
			}
			if n, ok := from.number(name); ok && s.status < 400 && n >= 400 && n < 600 {
				s.status = n
			}
		}
		if s.param == "" {
			s.param = from.text("param")
		}
	}
	if s.code != "insufficient_quota" && (inner.text("type") == "insufficient_quota" || f.text("type") == "insufficient_quota") {
		s.code = "insufficient_quota"
	}
	s.readDetails(inner)
	// A message may be the JSON of another server's error.
	if strings.HasPrefix(strings.TrimSpace(s.message), "{") {
		var nested fields
		if json.Unmarshal([]byte(s.message), &nested) == nil {
			s.message = ""
			s.read(nested)
		}
	}
}

// readDetails reads what gateways add: the wait that Google suggests, the
// words of the provider behind OpenRouter.
func (s *said) readDetails(inner fields) {
	for _, d := range inner.list("details") {
		if delay := d.text("retryDelay"); delay != "" && s.wait == 0 {
			s.wait = spokenDuration(delay)
		}
		for _, v := range d.list("violations") {
			if strings.Contains(v.text("quotaId"), "PerDay") {
				s.code = "insufficient_quota"
			}
		}
	}
	if raw := inner.object("metadata").text("raw"); raw != "" {
		var nested fields
		if json.Unmarshal([]byte(raw), &nested) == nil && nested != nil {
			provider := said{status: s.status}
			provider.read(nested)
			raw = provider.message
		}
		if raw != "" && raw != s.message {
			s.message = strings.TrimSuffix(s.message, ".") + ": " + raw
		}
	}
}

// retryAfter reads how long a response asks to wait: Retry-After in seconds or
// as a date (RFC 9110, 10.2.3), retry-after-ms in milliseconds.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	value := header.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		return max(time.Duration(min(s, 1e6)*float64(time.Second)), 0)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return max(spokenDuration(value), 0)
}

// spokenDuration reads "7.66s", "1m2s", "250ms", "20 seconds".
func spokenDuration(s string) time.Duration {
	s = strings.ReplaceAll(s, " ", "")
	for _, unit := range []struct{ long, short string }{{"milliseconds", "ms"}, {"millisecond", "ms"}, {"seconds", "s"}, {"second", "s"}, {"minutes", "m"}, {"minute", "m"}} {
		if rest, ok := strings.CutSuffix(s, unit.long); ok {
			s = rest + unit.short
			break
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0
	}
	return d
}
