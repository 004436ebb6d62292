package respond

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/devonartis/medassist-go/internal/text"
)

// MaxBody is the most bytes that a request body may have.
const MaxBody = 64 << 10

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// Decode reads the body of a program's request: one JSON object of at most
// [MaxBody] bytes with the fields of T and no others. It accepts the content
// type that curl -d sends by default; the guard, not the content type, keeps
// other sites' forms out.
func Decode[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var none T
	switch contentType(r) {
	case "", typeJSON, typeForm:
		return decode[T](http.MaxBytesReader(w, r.Body, MaxBody))
	}
	return none, &Error{Status: http.StatusUnsupportedMediaType, Detail: "The body must be " + typeJSON + "."}
}

// DecodeForm reads the body of a page's form, by the same rules as [Decode]:
// its fields are those of T by their JSON names, which must be strings. Of a
// field that is sent several times it takes the first.
func DecodeForm[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var none T
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	if err := r.ParseForm(); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return none, badBody(err)
		}
		return none, BadInput("", "The form can't be read.")
	}
	fields := make(map[string]string)
	for name := range r.PostForm {
		fields[name] = r.PostForm.Get(name)
	}
	object, err := json.Marshal(fields)
	if err != nil {
		return none, err
	}
	return decode[T](bytes.NewReader(object))
}

func decode[T any](body io.Reader) (T, error) {
	var none T
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	var in *T // null leaves it nil
	switch err := dec.Decode(&in); {
	case err != nil:
		return none, badBody(err)
	case in == nil:
		return none, badBody(nil)
	case !errors.Is(dec.Decode(new(any)), io.EOF):
		return none, BadInput("", "The body must be one JSON object with nothing after it.")
	}
	return *in, nil
}

// badBody returns what is wrong with a body, in words for its author.
func badBody(err error) *Error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", MaxBody)}
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return BadInput(wrongType.Field, fmt.Sprintf("%s must be a %s.", wrongType.Field, wrongType.Type))
	case err != nil && strings.HasPrefix(err.Error(), unknownField):
		name := strings.Trim(strings.TrimPrefix(err.Error(), unknownField), `"`)
		return BadInput("", fmt.Sprintf("Unknown field %q.", text.Clip(name, 60)))
	}
	return BadInput("", "The body must be one JSON object.")
}

// unknownField begins encoding/json's error for an unknown field, which has no
// type of its own.
const unknownField = "json: unknown field "

// contentType returns a request's media type without parameters. It returns
// what was sent if that is malformed, which is no media type.
func contentType(r *http.Request) string {
	sent := r.Header.Get("Content-Type")
	if sent == "" {
		return ""
	}
	mediaType, _, err := mime.ParseMediaType(sent)
	if err != nil {
		return sent
	}
	return mediaType
}
