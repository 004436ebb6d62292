package framing_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/devonartis/medassist-go/internal/framing"
)

// Only where the length of a request is beyond doubt is a second one read from
// its connection.
func TestHandler(t *testing.T) {
	var seen []string
	srv := httptest.NewServer(framing.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.URL.Path)
		_, _ = io.Copy(io.Discard, r.Body)
	})))
	defer srv.Close()
	const chunked = "Transfer-Encoding: chunked\r\n"
	for _, tc := range []struct {
		name, first string
		second      bool
	}{
		{"no body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", true},
		{"chunks", "POST / HTTP/1.1\r\nHost: a\r\n" + chunked + "\r\n0\r\n\r\n", false},
		{"a length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n" + chunked + "\r\n0\r\n\r\n", false},
		{"chunks and a length", "POST / HTTP/1.1\r\nHost: a\r\n" + chunked + "Content-Length: 60\r\n\r\n0\r\n\r\n", false},
		{"HTTP/1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}", false},
		{"chunks in HTTP/1.0", "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 5\r\n" + chunked + "\r\n0\r\n\r\n", false},
	} {
		seen = nil
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = io.WriteString(conn, tc.first+"GET /second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		answer, _ := io.ReadAll(bufio.NewReader(conn)) // the connection may be reset
		conn.Close()
		if got := slices.Contains(seen, "/second"); got != tc.second || strings.Count(string(answer), "HTTP/1.") > len(seen) {
			t.Errorf("%s: requests %q, answered with %q", tc.name, seen, answer)
		}
	}
}
