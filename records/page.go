package records

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/devonartis/medassist-go/patient"
)

// Limits of a page.
const (
	defaultPage  = 20
	maxPage      = 100
	maxPageBytes = 32 << 10 // of its rows as JSON
)

// A page selects a part of a list: up to limit rows that follow the row with
// the key (date, id) in the list's order.
type page struct {
	limit int
	date  string
	id    int64
}

// firstPage has a key before that of any row: lists by date are newest first,
// lists by ID are oldest first.
func firstPage() page { return page{limit: defaultPage, date: "9999-12-31"} }

// cursors are a row's date and ID, as in "2026-05-12_17".
var cursors = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})_(\d{1,18})$`)

// pageOf reads "limit" and the cursor of that name from a request's query.
func pageOf(r *http.Request, cursor string) (page, error) {
	pg, q := firstPage(), r.URL.Query()
	if s := strings.TrimSpace(q.Get("limit")); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxPage {
			return pg, invalid("limit must be a number from 1 to %d", maxPage)
		}
		pg.limit = n
	}
	if s := strings.TrimSpace(q.Get(cursor)); s != "" {
		m := cursors.FindStringSubmatch(s)
		if m == nil {
			return pg, invalid("%s must be the cursor that a previous answer returned", cursor)
		}
		pg.date = m[1]
		pg.id, _ = strconv.ParseInt(m[2], 10, 64) // of at most 18 digits
	}
	return pg, nil
}

// collectPage reads a page. The query selects a row's date and ID, then the
// columns of fields, for the patient $1, after the key ($2, $3). next is the
// cursor of the following page, empty after the last one.
func collectPage[T any](ctx context.Context, t txn, id patient.ID, pg page, fields func(*T) []any, query string) (out []T, next string, err error) {
	rows, err := t.QueryContext(ctx, query+" LIMIT $4", id.String(), pg.date, pg.id, pg.limit+1)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	out = []T{}
	size := 0
	for rows.Next() {
		var row T
		var key page
		if err := rows.Scan(append([]any{&key.date, &key.id}, fields(&row)...)...); err != nil {
			return nil, "", err
		}
		encoded, err := json.Marshal(row)
		if err != nil {
			return nil, "", err
		}
		size += len(encoded)
		if len(out) == pg.limit || len(out) > 0 && size > maxPageBytes {
			return out, fmt.Sprintf("%s_%d", pg.date, pg.id), nil
		}
		out = append(out, row)
		pg.date, pg.id = key.date, key.id
	}
	return out, "", rows.Err()
}
