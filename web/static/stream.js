// The page's stream of server-sent events: at most one, described by the element
// with data-stream, its address. It ends when that element is removed.
//
// An unnamed message holds parts of the page: hx-partial elements, which htmx puts
// in their places, and before them an svg element with data-parts, whose children
// replace those of the page's pictures that have the same ID. Any other event is
// dispatched on the document as "stream:" and its name.
//
// The connection is closed while nobody sees the page, so that the pages of one
// browser do not use up its connections to this server; a page that is shown again
// continues where it was. The server gives a sign of life every 15 seconds: a
// connection without one for 40 is taken for broken.
(() => {
  const silent = 40000; // or what the element has as data-silent
  const positions = new WeakMap(); // the last event ID that an element has received
  let open = null; // { element, abort }

  const time = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

  // What is wrong with the connection is shown until it is resolved.
  let said = "";
  const report = (message) => {
    const place = document.getElementById("connection");
    if (!place || said === message) return;
    said = message;
    place.replaceChildren();
    if (!message) return;
    place.append(Object.assign(document.createElement("p"), { className: "notice", textContent: message }));
  };
  let lost = ""; // when the connection was lost, empty while there is one
  const unreachable = () => {
    lost ||= time();
    report(navigator.onLine === false ? `This device has been offline since ${lost}.` : `Server unreachable since ${lost}. Reconnecting …`);
  };

  // A page shows one of two layouts of its picture, and is sent changes of that one.
  const layoutOf = (element) => element.dataset.layoutOf && (document.querySelector(`${element.dataset.layoutOf} .hero-phone`)?.checkVisibility() ? "phone" : "desk");

  const address = (element) => {
    const url = new URL(element.dataset.stream, location.href);
    if (layoutOf(element)) url.searchParams.set("layout", layoutOf(element));
    return url;
  };

  // messages parses a stream of events (WHATWG HTML, section 9.2.6).
  async function* messages(body, alive) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "", message = { event: "", data: [] };
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      const lines = (text + value).split("\n");
      text = lines.pop();
      for (const line of lines) {
        const [, name, content] = /^([^:]*):? ?(.*)$/.exec(line);
        if (line === "") {
          if (message.data.length) yield { ...message, data: message.data.join("\n") };
          message = { event: "", data: [] };
        } else if (name === "data") message.data.push(content);
        else if (name === "event" || name === "id") message[name] = content;
      }
    }
  }

  const apply = async (html, element) => {
    if (html.startsWith("<svg data-parts>")) {
      const end = html.indexOf("</svg>") + 6;
      const frame = document.createElement("template");
      frame.innerHTML = html.slice(0, end);
      for (const part of [...frame.content.firstChild.children]) document.getElementById(part.id)?.replaceWith(part);
      html = html.slice(end);
    }
    if (html) await htmx.swap({ text: html, swap: "none", sourceElement: element });
  };

  // read reads one connection to its end. It returns how long to wait until the
  // next, or nothing if there is none.
  const read = async (connection) => {
    const { element } = connection;
    const abort = (connection.abort = new AbortController());
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), Number(element.dataset.silent) || silent);
    };
    alive();
    try {
      const position = positions.get(element);
      const response = await fetch(address(element), { signal: abort.signal, cache: "no-store", headers: { Accept: "text/event-stream", ...(position && { "Last-Event-ID": position }) } });
      if (response.status === 404 || response.status === 410) {
        report("This run no longer exists on the server.");
        return;
      }
      if (!response.ok) {
        const retry = Number(response.headers.get("Retry-After"));
        const problem = await response.json().catch(() => ({}));
        if (problem.detail) report(problem.detail);
        else unreachable();
        return { failed: true, wait: retry * 1000 };
      }
      lost = "";
      report("");
      for await (const message of messages(response.body, alive)) {
        if (connection !== open || !element.isConnected) return;
        if (message.id) positions.set(element, message.id);
        if (message.event === "") await apply(message.data, element);
        else if (message.event === "end" && message.data === "over") return;
        else if (message.event === "end") {
          report(`The demo stopped at ${time()}. This page continues when it is started again.`);
          return { wait: 5000 };
        }
        document.dispatchEvent(new CustomEvent(`stream:${message.event || "message"}`, { detail: message.data }));
      }
      return { wait: 300 }; // cut: the next attempt tells whether the server is there
    } catch (e) {
      if (connection !== open) return;
      if (!said.startsWith("The demo stopped")) unreachable();
      return { failed: true };
    } finally {
      clearTimeout(watchdog);
    }
  };

  const run = async (connection) => {
    for (let failed = 0; connection === open && connection.element.isConnected; ) {
      const next = await read(connection);
      if (!next) return;
      failed = next.failed ? failed + 1 : 0;
      // A server that is full asks for a pause; each refusal makes it longer, up to a minute.
      const pause = (next.wait || 0) * Math.min(failed || 1, 6);
      await sleep(Math.max(pause, Math.min(250 * 2 ** failed, 5000)) * (0.7 + 0.6 * Math.random()));
    }
  };

  const stop = () => {
    open?.abort?.abort();
    open = null;
  };
  const start = () => {
    const element = document.hidden ? null : document.querySelector("[data-stream]");
    if (element === (open && open.element)) return;
    stop();
    if (!element) return;
    open = { element, layout: layoutOf(element) };
    run(open);
  };

  new MutationObserver(start).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", start);
  addEventListener("pagehide", stop);
  addEventListener("pageshow", start);
  addEventListener("online", () => { if (lost) { stop(); start(); } });
  addEventListener("resize", () => {
    if (open && open.layout !== layoutOf(open.element)) { stop(); start(); }
  });
  start();
})();
