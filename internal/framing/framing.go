// Package framing keeps a request from being hidden in another one's body
// (request smuggling).
//
// A request whose Content-Length contradicts its Transfer-Encoding, or that has a
// Transfer-Encoding in HTTP/1.0, ends at different places for different programs: a
// proxy may pass on as one request what net/http reads as two. RFC 9112, section 6.1,
// has a server close the connection after such a request. By the time that a handler
// sees it, net/http has removed the header that it did not use.
package framing

import "net/http"

// Handler returns a handler that closes the connection after each request with a
// transfer encoding, and after each of HTTP/1.0. What follows is never read as
// a request.
func Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}
