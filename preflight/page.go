package preflight

import (
	"context"
	"io"
	"net/http"
	"time"
)

// streamsWithin is the time by which the first byte of a stream must arrive.
const streamsWithin = 2 * time.Second

// pageStreams opens a stream of the page, as a browser does.
func (x *examination) pageStreams(ctx context.Context) Result {
	ctx, cancel := context.WithTimeout(ctx, streamsWithin)
	defer cancel()
	late := failed("nothing arrived within "+streamsWithin.String(), "A proxy in between buffers the stream: see docs/operations.md on proxies.")
	resp, err := x.get(ctx, "/stage/frames")
	switch {
	case ctx.Err() != nil:
		return late
	case err != nil:
		return x.unreachable("the page", err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
		return late
	}
	return passed("the first event arrives at once")
}

// recordsClosed asks for a patient's records without a token.
func (x *examination) recordsClosed(ctx context.Context) Result {
	resp, err := x.get(ctx, "/records/P-1042/chart")
	if err != nil {
		return x.unreachable("the records API", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		return failed("a request without a token is answered "+resp.Status, "Do not present: "+x.PageURL+" serves records without authentication.")
	}
	return passed("a request without a token is answered 401")
}

func (x *examination) unreachable(what string, err error) Result {
	return failed(what+" can't be reached: "+err.Error(), "Check whether another program listens at "+x.PageURL+".")
}

func (x *examination) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.PageURL+path, nil)
	if err != nil {
		return nil, err
	}
	return x.http.Do(req)
}
