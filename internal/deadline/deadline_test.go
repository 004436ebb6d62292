package deadline

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

const short = 100 * time.Millisecond

// A client that does not read is dropped; one that reads gets the whole answer,
// also if it took long to compute, or comes over a connection whose deadline has
// passed.
func TestHandler(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for range 64 {
			if _, err = w.Write(make([]byte, 1<<20)); err != nil {
				break
			}
		}
		ended <- err
	})
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * short)
		io.WriteString(w, "late")
	})
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, _ *http.Request) {
		control := http.NewResponseController(w)
		for range 4 {
			if err := control.SetWriteDeadline(time.Now().Add(short)); err != nil {
				t.Error(err)
			}
			io.WriteString(w, "x")
			_ = control.Flush()
			time.Sleep(short / 2)
		}
	})
	server := httptest.NewServer(Handler(mux, short))
	defer server.Close()

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("all of it was written to a client that does not read")
		}
	case <-time.After(20 * short):
		t.Error("a client that does not read is not dropped")
	}
	// All over one connection.
	for _, tc := range []struct{ path, body string }{{"/late", "late"}, {"/stream", "xxxx"}, {"/nothing", ""}, {"/late", "late"}, {"/nothing", ""}} {
		resp, err := http.Get(server.URL + tc.path)
		if err != nil {
			t.Fatalf("%s: %v", tc.path, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != tc.body || err != nil {
			t.Errorf("%s: %q, %v", tc.path, body, err)
		}
		time.Sleep(2 * short)
	}
}
