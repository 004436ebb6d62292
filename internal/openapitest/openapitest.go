// Package openapitest holds what really goes over the wire against an OpenAPI
// document, in tests: each answer, and each request that was accepted. It also
// says which operations of the document were never seen.
package openapitest

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
)

// Document is an OpenAPI 3.1 document, and what of it was seen.
type Document struct {
	t         testing.TB
	model     *v3.Document
	validator validator.Validator

	mu   sync.Mutex
	seen map[string]map[int]bool // statuses by operation
}

// Open reads a document, which must itself be a valid one.
func Open(t testing.TB, file string) *Document {
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
		t.Fatalf("%s is no OpenAPI document: %v", file, errs)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return &Document{t: t, model: &model.Model, validator: v, seen: make(map[string]map[int]bool)}
}

// Operations are all that the document describes: "POST /api/runs", sorted.
func (d *Document) Operations() []string {
	var all []string
	for path, item := range d.model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			all = append(all, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

// Unseen are the operations of which no successful answer was seen.
func (d *Document) Unseen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(d.Operations(), func(op string) bool {
		for status := range d.seen[op] {
			if status < 400 {
				return true
			}
		}
		return false
	})
}

// Transport is next, with every exchange held against the document.
func (d *Document) Transport(next http.RoundTripper) http.RoundTripper {
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

// streams are media types whose answers have no end to wait for, or are no JSON:
// of them the status and the media type are checked.
var streams = []string{"text/event-stream", "application/x-ndjson", "text/plain"}

// describes reports whether an answer may have a media type.
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

func (d *Document) check(r *http.Request, resp *http.Response) {
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
				d.t.Errorf("%s answers %d with %s, which the document does not say", op, resp.StatusCode, kind)
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
		return // what is refused need not be as described
	}
	if ok, errs := d.validator.ValidateHttpRequest(r); !ok {
		for _, e := range errs {
			d.t.Errorf("%s was accepted, and is not as the document says: %s: %s %v", op, e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}
