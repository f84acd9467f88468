/* The stream of server-sent events, and whether it is live. */

import { address, ask } from "./api.js";

/** Milliseconds without an event until the connection counts as lost. An event comes every second. */
const SILENCE = 5000;

/** Milliseconds without an event until a new connection is made. */
const DEAD = 6000;

/** Milliseconds until a refused connection is retried. */
const AGAIN = 3000;

/** Follow the events, and reconnect as needed. on: state(State), series(Series), live(), lost(). */
export function follow(on) {
  let source = null;
  let heardAt = performance.now();
  let live = null;

  function setLive(now) {
    if (live === now) return;
    live = now;
    (live ? on.live : on.lost)();
  }

  function open() {
    source?.close();
    source = new EventSource(address("/api/events"));
    for (const name of ["state", "series"]) {
      source.addEventListener(name, (event) => {
        heardAt = performance.now();
        setLive(true);
        on[name](JSON.parse(event.data));
      });
    }
    source.addEventListener("error", () => {
      setLive(false);
      // EventSource reconnects by itself after a network error, but not after an HTTP error.
      if (source.readyState === EventSource.CLOSED) setTimeout(reopen, AGAIN);
    });
  }

  function reopen() {
    // EventSource does not expose the HTTP error; ask() sees it, and goes to /login if needed.
    const response = ask("/api/state", {}, AbortSignal.timeout(DEAD));
    response.then(open, () => setTimeout(reopen, AGAIN));
  }

  setInterval(() => {
    const silent = performance.now() - heardAt;
    if (silent > SILENCE) setLive(false);
    if (silent > DEAD && source.readyState !== EventSource.CLOSED) {
      heardAt = performance.now();
      open();
    }
  }, 1000);
  open();
}
