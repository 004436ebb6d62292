package llm

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// API is the part of the OpenAI protocol that a model is reached by.
type API string

// The values of LLM_API.
const (
	APIAuto      API = "auto"      // chat completions, unless the model needs the Responses API
	APIChat      API = "chat"      // chat completions
	APIResponses API = "responses" // the Responses API
)

// endpoint is where a server may answer.
type endpoint struct {
	host  string   // for errors
	bases []string // base URLs to try in turn, without a slash at the end
	query string   // of every request, such as api-version=…
	api   API      // if the URL names one
	azure bool
}

var hasVersion = regexp.MustCompile(`/v[0-9]+[a-z0-9]*(/|$)`)

// parseEndpoint reads LLM_BASE_URL in the forms in which people write it: with
// and without /v1, with a slash at the end, as the full URL of a request, with
// a query. Where the version may be missing, the second base is tried when the
// first answers 404.
func parseEndpoint(baseURL string) (endpoint, Vendor, error) {
	u, err := url.Parse(strings.TrimSpace(baseURL))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return endpoint{}, VendorUnknown, errors.New("LLM_BASE_URL must look like https://api.openai.com/v1")
	}
	e := endpoint{host: u.Host, query: u.RawQuery}
	path := strings.TrimRight(u.Path, "/")
	for suffix, api := range map[string]API{"/chat/completions": APIChat, "/completions": APIChat, "/responses": APIResponses, "/models": ""} {
		if rest, ok := strings.CutSuffix(path, suffix); ok {
			path, e.api = rest, api
			if suffix != "/completions" || !strings.HasSuffix(rest, "/chat") {
				break
			}
			path = strings.TrimSuffix(rest, "/chat")
			break
		}
	}
	u.Path, u.RawPath, u.RawQuery, u.Fragment, u.User = path, "", "", "", nil
	base := u.String()
	switch {
	case e.api != "" || hasVersion.MatchString(path) || strings.Contains(path, "/deployments/"):
		e.bases = []string{base}
	case path == "":
		e.bases = []string{base + "/v1", base}
	default:
		e.bases = []string{base, base + "/v1"}
	}
	vendor := vendorAt(u)
	e.azure = vendor == VendorAzure
	return e, vendor, nil
}
