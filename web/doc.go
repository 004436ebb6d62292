// Package web serves everything that a browser or curl sees except the records API:
// the pages, their streams and the JSON API. [New] wires it; [Server.Handler] serves it.
//
// # The flow of a request
//
// A request passes the guard, reaches a page, and the page's result becomes an
// answer:
//
//	guard      host check, cross-origin check, presenter's key
//	page       run, stage, audit, operator, twin, attacks, api: decode, act, choose a view
//	respond    a page, parts of a page, JSON; for an error a status and a problem
//
// The guard (internal/guard) decides who may do what, before any page runs. Its
// Router is the only way to register a route: Get for a route that only reads
// (GetCostly and GetByPresenter for one that is expensive), Stream for one whose
// answer stays open, Post for one that changes anything, which is thereby the
// presenter's alone. A page can't register a route that
// changes something and is open to everyone. docs/routes.md lists all routes with
// who may call them and their limits; a test compares it with the Router.
//
// A page is a package of its own, with its handlers, its views, its styles and
// scripts. It takes narrow interfaces in a Config, and never imports another
// page: where two need each other, Server passes a function. A handler has the
// form func(w, r) error. It reads a body only by respond.Decode or
// respond.DecodeForm, which ignore or refuse what is not declared, and
// hands every error to respond, whose one table turns it into a status. An
// error outside the table is logged and reported as "Server error": internals
// never reach a browser.
//
// respond then answers in the form that the client can use: a person gets a
// page; a script of the page (htmx) gets the parts that change, each with the
// element that it belongs to; a program gets JSON, and for an error a problem
// document.
//
// A big answer, such as a run's page or its export, comes from internal/shared: it
// is encoded once for all who read it, so that slow readers cost little memory.
//
// # How a run is rendered
//
// A run is a log of typed trace events. A page is a projection of that log: the
// events are applied one by one to a view model (run.Run), and nothing else goes
// into it. The same events therefore give the same page, whether the run is
// live, reloaded, replayed or exported, and the page can't show what did not
// happen.
//
// While a run is live, it is rendered once for everyone. The first watcher starts
// a goroutine that follows the log and turns what happens within a few
// milliseconds into one message for each layout: the new lines of the trace, and
// those other parts that have changed. A message is compressed once, in a form that
// any stream can contain (internal/sse), and a watcher is a position in the list of
// messages. One that stalls delays nobody; one that joins late, or connects again,
// is sent what it misses as one message. What is on a tab that few have open is
// announced, and fetched while it is shown. Since everyone receives the same bytes,
// a message can't depend on who watches: controls for the presenter are in it, and
// the body's class hides them from the audience. Hiding is all that it does; the
// guard refuses the request.
//
// A page has one stream (static/stream.js), which is closed while nobody sees the
// page. It has a sign of life every 15 seconds, each write has its own deadline,
// and its last message tells whether its run has ended or the server stops. The
// stage (stage) works in the same way, with a scene in place of a run.
//
// # What web never does
//
//   - It decides nothing about credentials: the broker, the gate and the records
//     API do. A page shows their answers.
//   - It calls no token revoked, and no run successful, that the broker or the
//     scenario's verdict does not.
//   - It puts no whole token into a page, a stream, an export or a log. The one
//     answer that contains one is a command for the presenter's terminal, sent
//     on request (POST /runs/{id}/stolen).
//   - It loads nothing from elsewhere and runs no inline script: the content
//     security policy allows this server's own files only.
//   - It renders text from models, records and people as text. The model's
//     Markdown is reduced to plain structure first.
//
// # Adding a page
//
// Make a folder with a type that has a method Mount(*guard.Router), and add it
// to server.go: to mount, to the navigation, and its Assets to the files. Two tests
// ask for its routes (routes_test.go) and its imports (cmd/medassist/arch_test.go).
package web
