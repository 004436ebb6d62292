package records

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/devonartis/medassist-go/agentwrit/wire"
	"github.com/devonartis/medassist-go/internal/strictjson"
)

// Limits of what a request may write, in characters and items. Control
// characters are refused, so that JSON escaping at most doubles a text.
const (
	maxNote  = 4000
	maxText  = 200
	maxItems = 10
)

func invalid(format string, args ...any) error {
	return &requestError{wire.CodeInvalidRequest, fmt.Sprintf(format, args...)}
}

// decode decodes a body strictly: unknown, repeated and miscased keys are errors.
func decode(r *http.Request, in any) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return invalid("the body can't be read")
	}
	unknown, err := strictjson.Decode(body, in)
	switch {
	case err != nil:
		return invalid("%v", err)
	case len(unknown) > 0:
		return invalid("the body has a key that this route does not know")
	}
	return nil
}

// trimmed trims a text and checks it against a limit in characters.
func trimmed(name string, s *string, limit int) error {
	*s = strings.TrimSpace(*s)
	if !utf8.ValidString(*s) {
		return invalid("%s is not valid UTF-8", name)
	}
	if n := utf8.RuneCountInString(*s); n > limit {
		return invalid("%s has %d characters; at most %d are allowed", name, n, limit)
	}
	if strings.ContainsFunc(*s, func(c rune) bool {
		return unicode.IsControl(c) && c != '\n' && c != '\t' && c != '\r' || c == '\u2028' || c == '\u2029'
	}) {
		return invalid("%s contains a control character", name)
	}
	return nil
}

// required is trimmed for a text that must not be empty.
func required(name string, s *string, limit int) error {
	if err := trimmed(name, s, limit); err != nil {
		return err
	}
	if *s == "" {
		return invalid("%s is required", name)
	}
	return nil
}

// items checks a list of texts and removes the empty ones.
func items(name string, list *[]string) error {
	if len(*list) > maxItems {
		return invalid("%s has %d items; at most %d are allowed", name, len(*list), maxItems)
	}
	kept := []string{}
	for _, s := range *list {
		if err := trimmed(name, &s, maxText); err != nil {
			return err
		}
		if s != "" {
			kept = append(kept, s)
		}
	}
	*list = kept
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func parseChart(r *http.Request) (operation, error) {
	pg, err := pageOf(r, "after")
	return func(ctx context.Context, t txn, p Patient) (any, error) { return t.chart(ctx, p, pg) }, err
}

func parseLabs(r *http.Request) (operation, error) {
	pg, err := pageOf(r, "after")
	return func(ctx context.Context, t txn, p Patient) (any, error) { return t.labs(ctx, p.ID, pg) }, err
}

func parseBilling(r *http.Request) (operation, error) {
	charges, err1 := pageOf(r, "after")
	claims, err2 := pageOf(r, "claims_after")
	return func(ctx context.Context, t txn, p Patient) (any, error) { return t.billing(ctx, p.ID, charges, claims) },
		firstError(err1, err2)
}

func parseInsurance(*http.Request) (operation, error) {
	return func(ctx context.Context, t txn, p Patient) (any, error) { return t.insurance(ctx, p.ID) }, nil
}

func parseInteractions(r *http.Request) (operation, error) {
	q := r.URL.Query()
	drug := q.Get("proposed_drug")
	if drug == "" {
		drug = q.Get("drug")
	}
	pg, err := pageOf(r, "after")
	return func(ctx context.Context, t txn, p Patient) (any, error) {
			return t.checkInteractions(ctx, p.ID, drug, pg)
		},
		firstError(err, required("proposed_drug", &drug, maxText))
}

func parseNote(r *http.Request) (operation, error) {
	var in struct {
		Notes     string   `json:"notes"`
		Note      string   `json:"note"` // the older name
		Diagnoses []string `json:"diagnoses"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Notes == "" {
		in.Notes = in.Note
	}
	return func(ctx context.Context, t txn, p Patient) (any, error) {
		return t.addNote(ctx, p.ID, in.Notes, in.Diagnoses)
	}, firstError(required("notes", &in.Notes, maxNote), items("diagnoses", &in.Diagnoses))
}

func parsePrescription(r *http.Request) (operation, error) {
	var in struct {
		Drug       string `json:"drug"`
		Dose       string `json:"dose"`
		Frequency  string `json:"frequency"`
		Indication string `json:"indication"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return func(ctx context.Context, t txn, p Patient) (any, error) {
			return t.prescribe(ctx, p.ID, medication{Drug: in.Drug, Dose: in.Dose, Frequency: in.Frequency, Indication: in.Indication})
		}, firstError(required("drug", &in.Drug, maxText), required("dose", &in.Dose, maxText),
			required("frequency", &in.Frequency, maxText), trimmed("indication", &in.Indication, maxText))
}

func parseCodes(r *http.Request) (operation, error) {
	var in struct {
		Procedures []string `json:"procedures"`
		Service    string   `json:"service"` // the older form
		Diagnoses  []string `json:"diagnoses"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Service != "" {
		in.Procedures = append(in.Procedures, in.Service)
	}
	return func(ctx context.Context, t txn, p Patient) (any, error) {
		return t.code(ctx, p.ID, in.Procedures, in.Diagnoses)
	}, firstError(items("procedures", &in.Procedures), items("diagnoses", &in.Diagnoses))
}

func parseClaim(r *http.Request) (operation, error) {
	var in struct {
		BillingCodes []string `json:"billing_codes"`
		Codes        []string `json:"codes"` // the older name
		TotalCharges *float64 `json:"total_charges"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	in.BillingCodes = append(in.BillingCodes, in.Codes...)
	return func(ctx context.Context, t txn, p Patient) (any, error) {
		return t.fileClaim(ctx, p.ID, in.BillingCodes, in.TotalCharges)
	}, items("billing_codes", &in.BillingCodes)
}
