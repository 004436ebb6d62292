package preflight

import (
	"context"
	"io"
	"net/http"
	"time"
)

// streamsWithin is when the first word of a stream must be there.
const streamsWithin = 2 * time.Second

// pageStreams opens a stream of the page, as a browser does.
func (x *examination) pageStreams(ctx context.Context) (State, string, string) {
	ctx, cancel := context.WithTimeout(ctx, streamsWithin)
	defer cancel()
	const do = "Something between gathers the stream: see proxies in docs/operations.md."
	late := "no word within " + streamsWithin.String()
	resp, err := x.get(ctx, "/stage/frames")
	switch {
	case ctx.Err() != nil:
		return Failed, late, do
	case err != nil:
		return Failed, "the page can't be reached: " + err.Error(), "Does something else answer at " + x.PageURL + "?"
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		return Failed, late, do
	}
	return OK, "the first word comes at once", ""
}

// recordsClosed asks for a patient's records without a token.
func (x *examination) recordsClosed(ctx context.Context) (State, string, string) {
	resp, err := x.get(ctx, "/records/P-1042/chart")
	if err != nil {
		return Failed, "the records API can't be reached: " + err.Error(), "Does something else answer at " + x.PageURL + "?"
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		return Failed, "it answers " + resp.Status, "Stop: whatever answers at " + x.PageURL + " lets anybody in."
	}
	return OK, "401 for who has none", ""
}

func (x *examination) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.PageURL+path, nil)
	if err != nil {
		return nil, err
	}
	return x.http.Do(req)
}
