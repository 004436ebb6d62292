//go:build !race

package conformance

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/paths"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"

	"github.com/devonartis/medassist-go/internal/openapidoc"
)

// document is an OpenAPI 3.1 document. It checks traffic against it, and records
// the operations used.
type document struct {
	t          testing.TB
	operations []string // such as "POST /api/runs"
	model      *v3.Document
	validator  validator.Validator

	mu   sync.Mutex
	seen map[string]map[int]bool // statuses by operation
}

// open reads and validates a document.
func open(t testing.TB, file string) *document {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	v, errs := validator.NewValidator(doc, config.WithoutSecurityValidation())
	if len(errs) > 0 {
		t.Fatalf("%s: %v", file, errs)
	}
	if ok, errs := v.ValidateDocument(); !ok {
		t.Fatalf("%s is not an OpenAPI document: %v", file, errs)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &document{t: t, operations: openapidoc.Operations(t, file), model: &model.Model, validator: v, seen: make(map[string]map[int]bool)}
}

// unseen returns the operations of which no successful response was seen.
func (d *document) unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(d.operations), func(op string) bool {
		for status := range d.seen[op] {
			if status < 400 {
				return true
			}
		}
		return false
	})
}

// transport returns next, with every exchange checked against the document: each
// response, and each request that was accepted.
func (d *document) transport(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		var sent []byte
		if r.Body != nil {
			var err error
			if sent, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			r.Body.Close()
			r.Body = io.NopCloser(bytes.NewReader(sent))
		}
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		asked := r.Clone(r.Context())
		asked.Body = io.NopCloser(bytes.NewReader(sent))
		d.check(asked, resp)
		return resp, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// streams are media types whose bodies do not end or are not JSON. Only status
// and media type of such a response are checked.
var streams = []string{"text/event-stream", "application/x-ndjson", "text/plain"}

// describes reports whether the document allows a media type for a response.
func describes(answer *v3.Response, kind string) bool {
	if answer == nil || answer.Content == nil {
		return false
	}
	for said := range answer.Content.KeysFromOldest() {
		if said, _, err := mime.ParseMediaType(said); err == nil && said == kind {
			return true
		}
	}
	return false
}

func (d *document) check(r *http.Request, resp *http.Response) {
	d.t.Helper()
	item, errs, path := paths.FindPath(r, d.model, nil)
	if item == nil || len(errs) > 0 {
		d.t.Errorf("%s %s is not in the document", r.Method, r.URL.Path)
		return
	}
	d.mu.Lock()
	op := r.Method + " " + path
	if d.seen[op] == nil {
		d.seen[op] = make(map[int]bool)
	}
	d.seen[op][resp.StatusCode] = true
	d.mu.Unlock()

	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if slices.Contains(streams, kind) {
		if operation := item.GetOperations().GetOrZero(strings.ToLower(r.Method)); operation != nil {
			if !describes(operation.Responses.FindResponseByCode(resp.StatusCode), kind) {
				d.t.Errorf("%s answers %d with %s, which the document does not describe", op, resp.StatusCode, kind)
			}
		}
		return
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Errorf("%s: %v", op, err)
		return
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	answer := *resp
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if ok, errs := d.validator.ValidateHttpResponse(r, &answer); !ok {
		for _, e := range errs {
			d.t.Errorf("%s answers %d: %s: %s %v", op, resp.StatusCode, e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
	if resp.StatusCode >= 400 {
		return // a refused request need not conform
	}
	if ok, errs := d.validator.ValidateHttpRequest(r); !ok {
		for _, e := range errs {
			d.t.Errorf("%s was accepted but does not conform: %s: %s %v", op, e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}
