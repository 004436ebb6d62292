package respond

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/devonartis/medassist-go/internal/strictjson"
	"github.com/devonartis/medassist-go/internal/text"
)

// MaxBody is the most bytes that a request body may have.
const MaxBody = 64 << 10

const (
	typeJSON = "application/json"
	typeForm = "application/x-www-form-urlencoded"
)

// Decode reads the body of a program's request: one JSON object of at most
// [MaxBody] bytes. Fields that T does not have are ignored, as in the Python
// demo. Each key must be spelled exactly and occur at most once, because a proxy
// or a log may read an ambiguous body differently. Decode accepts the content
// type that curl -d sends by default; the guard, not the content type, keeps
// other sites' forms out.
func Decode[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var none T
	switch contentType(r) {
	case "", typeJSON, typeForm:
	default:
		return none, &Error{Status: http.StatusUnsupportedMediaType, Detail: "The body must be " + typeJSON + "."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		return none, unreadable(err)
	}
	in, _, err := decode[T](body)
	return in, err
}

// DecodeForm reads the body of a page's form, by the same rules as [Decode]:
// its fields are those of T by their JSON names, which must be strings, and no
// others. Of a field that is sent several times it takes the first.
func DecodeForm[T any](w http.ResponseWriter, r *http.Request) (T, error) {
	var none T
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	if err := r.ParseForm(); err != nil {
		return none, unreadable(err)
	}
	fields := make(map[string]string)
	for name := range r.PostForm {
		fields[name] = r.PostForm.Get(name)
	}
	object, err := json.Marshal(fields)
	if err != nil {
		return none, err
	}
	in, unknown, err := decode[T](object)
	if err == nil && len(unknown) > 0 {
		return none, BadInput("", fmt.Sprintf("Unknown field %q.", text.Clip(unknown[0], 60)))
	}
	return in, err
}

// decode decodes an object. It also returns the keys that T has no field for.
func decode[T any](object []byte) (in T, unknown []string, err error) {
	var none T
	unknown, err = strictjson.Decode(object, &in)
	var field *strictjson.FieldError
	switch {
	case errors.As(err, &field):
		return none, nil, BadInput(field.Field, sentence(err))
	case err != nil:
		return none, nil, BadInput("", sentence(err))
	}
	return in, unknown, nil
}

// unreadable returns why a body could not be read, in words for its author.
func unreadable(err error) *Error {
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return &Error{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than %d bytes.", MaxBody)}
	}
	return BadInput("", "The body can't be read.")
}

func sentence(err error) string { return text.Capitalize(err.Error()) + "." }

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
