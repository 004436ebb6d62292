package sse

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/devonartis/medassist-go/trace"
)

// Any sequence of blocks, shared and plain, is one gzip file: a client that joins late
// needs none of the earlier ones.
func TestBlocksAreOneGzipFile(t *testing.T) {
	large := strings.Repeat("a large message, longer than one stored block holds. ", 3000)
	texts := []string{"one", "two", "", "one", large, "the end"}
	for from := range texts {
		var file bytes.Buffer
		var sum checksum
		file.Write(gzipHeader)
		for i, text := range texts[from:] {
			b := NewBlock([]byte(text))
			if i%2 == 1 {
				b = Plain([]byte(text))
			}
			file.Write(b.deflated)
			sum.add(b.plain)
		}
		file.Write(sum.trailer())
		r, err := gzip.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		r.Multistream(false) // browsers read one member
		got, err := io.ReadAll(r)
		if err != nil || string(got) != strings.Join(texts[from:], "") {
			t.Errorf("from block %d: %d bytes, %v", from, len(got), err)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "gzip, deflate, br": true, "br;q=1.0, gzip;q=0.8": true, "gzip;q=1": true,
		"gzip;q=0": false, "gzip; q=0.0": false, "deflate": false, "xgzip": false, "identity, gzip;q=0.001": true,
	} {
		if got := acceptsGzip(header); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

// A page's stream says how it ends: because its source has ended, or because the
// server stops. What happens last is sent in both cases.
func TestPageStreamEnds(t *testing.T) {
	for name, stop := range map[string]func(*Streams){"over": func(*Streams) {}, "stopped": (*Streams).Stop} {
		for _, encoding := range []string{"", "gzip"} {
			streams, feed, w := New(), trace.NewFeed[Block](), httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Encoding", encoding)
			stop(streams)
			feed.Append(NewBlock(Append(nil, 1, []byte("last"))))
			feed.Close()
			_ = streams.ServePage(w, r, func(s *Stream) {
				if err := s.Send(feed.From(0).Next); !errors.Is(err, io.EOF) {
					t.Errorf("%s: %v", name, err)
				}
			})
			body := io.Reader(w.Body)
			if w.Header().Get("Content-Encoding") != encoding {
				t.Errorf("Content-Encoding %q", w.Header().Get("Content-Encoding"))
			}
			if encoding == "gzip" {
				var err error
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			text, err := io.ReadAll(body)
			if want := ": connected\n\nid: 1\ndata: last\n\nevent: end\ndata: " + name + "\n\n"; string(text) != want || err != nil {
				t.Errorf("%s: sent %q, %v", name, text, err)
			}
		}
	}
}

// A silent stream has a beat that a page can see.
func TestPageStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams, w := New(), httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = streams.ServePage(w, httptest.NewRequest("GET", "/", nil), func(s *Stream) { _ = s.Send(trace.NewFeed[Block]().From(0).Next) })
		}()
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if n := strings.Count(w.Body.String(), "event: beat\n"); n < 2 {
			t.Errorf("%d beats in 45 s: %s", n, w.Body)
		}
		streams.Close()
		<-done
	})
}

// pipeListener accepts connections without a buffer.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (l pipeListener) Close() error   { close(l.conns); return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// A client that does not read is dropped when a write has waited long enough, and
// others are not delayed.
func TestSlowReaderIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		streams, feed := New(), trace.NewFeed[Block]()
		ended := make(chan error, 2)
		listener := pipeListener{make(chan net.Conn)}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = streams.ServePage(w, r, func(s *Stream) { ended <- s.Send(feed.From(0).Next) })
		})}
		go func() { _ = srv.Serve(listener) }()
		connect := func() net.Conn {
			client, server := net.Pipe()
			listener.conns <- server
			if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			return client
		}
		lazy, keen := connect(), connect()
		read := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(keen)
			read <- all
		}()
		buf := make([]byte, 4096)
		if _, err := lazy.Read(buf); err != nil { // the headers, and then nothing more
			t.Fatal(err)
		}
		began := time.Now()
		feed.Append(NewBlock(Append(nil, 1, []byte("news"))))
		err := <-ended
		if waited := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || waited > WriteTimeout+time.Second {
			t.Errorf("the reader that does not read: %v after %v", err, waited)
		}
		feed.Close()
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("the other reader: %v", err)
		}
		_ = srv.Shutdown(context.Background())
		if got := <-read; !bytes.Contains(got, []byte("data: news")) {
			t.Errorf("the other reader got %q", got)
		}
		lazy.Close()
		keen.Close()
	})
}

// FuzzBlocks: what is compressed and stored is what comes out.
func FuzzBlocks(f *testing.F) {
	f.Add([]byte("id: 1\ndata: one\n\n"), []byte(""))
	f.Add([]byte{0, 255}, bytes.Repeat([]byte("x"), 70000))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var sum checksum
		a, b := NewBlock(one), Plain(two)
		sum.add(a.plain)
		sum.add(b.plain)
		r, err := gzip.NewReader(bytes.NewReader(slices.Concat(gzipHeader, a.deflated, b.deflated, sum.trailer())))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, slices.Concat(one, two)) {
			t.Errorf("%q, %v", got, err)
		}
	})
}
