package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// exchange sends bytes on a connection of its own and returns the response.
func (a *app) exchange(request string) (*http.Response, string) {
	a.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.Page, "http://"))
	if err != nil {
		a.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		a.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil && len(request) < 60<<10 {
		a.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		a.Fatalf("%.60q: %v", request, err)
	}
	body, _ := io.ReadAll(resp.Body) // a refused connection may be reset
	return resp, string(body)
}

// Requests that no browser sends. None changes anything, leads elsewhere, or gets
// past the checks of the pages.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	host := "Host: localhost\r\n"
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n" }
	for _, tc := range []struct {
		name, request string
		status        int
	}{
		{"two lengths", "POST /api/reset HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400},
		{"a length with a sign", "POST /api/reset HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nabcde", 400},
		{"an unknown transfer encoding", "POST /api/reset HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		{"two transfer encodings", "POST /api/reset HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 501},
		{"a space before the colon", "GET / HTTP/1.1\r\n" + host + "X-Presenter-Key : x\r\n\r\n", 400},
		{"two hosts", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"no host, HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 421},
		{"a host with markup", "GET /present/link HTTP/1.1\r\nHost: localhost\"><script>\r\n\r\n", 400},
		{"another host in the target", "GET http://evil.example/ HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", 421},
		{"a malformed host", "GET / HTTP/1.1\r\nHost: [localhost]\r\nConnection: close\r\n\r\n", 421},
		{"another host and a path that is cleaned", "GET //runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421},
		{"a tunnel", "CONNECT evil.example:80 HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n", 421},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 421},
		{"a long header", "GET / HTTP/1.1\r\n" + host + "X-A: " + strings.Repeat("a", 80<<10) + "\r\n\r\n", 431},
		{"a long address", get("/" + strings.Repeat("a", 80<<10)), 431},
		{"two slashes", get("//evil.example/"), 404},
		{"a path upwards", get("/static/../runs"), 404},
		{"an encoded path upwards", get("/static/%2e%2e%2fruns"), 404},
		{"a path parameter", get("/runs/..;/operator"), 404},
		{"a line break", get("/runs/%0d%0aSet-Cookie:%20x=y"), 404},
		{"a zero byte", get("/api/runs/%00"), 404},
		{"another page after a slash", get("/runs//"), 404},
		{"records, upwards", get("/records/../api/patients"), 404},
		{"a method in a header", "GET /api/reset HTTP/1.1\r\n" + host + "X-HTTP-Method-Override: POST\r\nConnection: close\r\n\r\n", 405},
		{"a compressed body", "POST /api/runs HTTP/1.1\r\n" + host + "Content-Encoding: gzip\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x00", 400},
	} {
		resp, body := a.exchange(tc.request)
		if resp.StatusCode != tc.status {
			t.Errorf("%s: %s, want %d", tc.name, resp.Status, tc.status)
		}
		if resp.Header.Get("Location") != "" || resp.Header.Get("Set-Cookie") != "" || strings.Contains(body, "<script>") {
			t.Errorf("%s: %v %s", tc.name, resp.Header, body)
		}
		// net/http answers malformed requests itself, in plain text.
		if tc.status != 400 && tc.status != 431 && tc.status != 501 && !strings.HasPrefix(tc.name, "records") && resp.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: without the pages' headers: %v", tc.name, resp.Header)
		}
	}
}

// A request in the body of another one is not answered, by the pages and by the
// broker: proxies may disagree with net/http about where such a body ends.
func TestNoRequestIsSmuggled(t *testing.T) {
	t.Parallel()
	a := startApp(t)
	for _, server := range []string{a.Page, a.Broker} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(server, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		const inner = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
		_, err = fmt.Fprintf(conn, "POST /v1/challenge HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n%s", 5+len(inner), inner)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(conn) // the connection may be reset
		if n := strings.Count(string(answer), "HTTP/1.1 "); n != 1 {
			t.Errorf("%s: %d responses: %s", server, n, answer)
		}
	}
}
