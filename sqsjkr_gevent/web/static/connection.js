/* The stream of events, and whether it flows. */

import { address, ask } from "./api.js";

/** Milliseconds without an event after which the connection counts as lost: one comes each second. */
const SILENCE = 5000;

/** Milliseconds without an event after which a new connection is made. */
const DEAD = 8000;

/** Milliseconds until a refused connection is tried again. */
const AGAIN = 3000;

/** Follow the events for ever. on: state(State), series(Series), live(), lost(). */
export function follow(on) {
  let source = null;
  let heardAt = performance.now();
  let live = null;

  function turn(flows) {
    if (live === flows) return;
    live = flows;
    (flows ? on.live : on.lost)();
  }

  function open() {
    source?.close();
    source = new EventSource(address("/api/events"));
    for (const name of ["state", "series"]) {
      source.addEventListener(name, (event) => {
        heardAt = performance.now();
        turn(true);
        on[name](JSON.parse(event.data));
      });
    }
    source.addEventListener("error", () => {
      turn(false);
      // After a network error it tries again by itself, after an HTTP error it does not.
      if (source.readyState === EventSource.CLOSED) setTimeout(reopen, AGAIN);
    });
  }

  function reopen() {
    // The events do not tell which HTTP error it was; ask() does, and knows the way to /login.
    const answered = ask("/api/state", {}, AbortSignal.timeout(DEAD));
    answered.then(open, () => setTimeout(reopen, AGAIN));
  }

  setInterval(() => {
    const silent = performance.now() - heardAt;
    if (silent > SILENCE) turn(false);
    if (silent > DEAD && source.readyState !== EventSource.CLOSED) {
      heardAt = performance.now();
      open();
    }
  }, 1000);
  open();
}
