/* Requests to the kicker, relative to the path where the app is mounted. */

const base = document.body.dataset.base;

/** The URL path of a path of the app. */
export const address = (path) => base + path;

/** An error response of the kicker; `status` is the HTTP status. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** The JSON of a path. Throws Refused, or what fetch throws. Goes to /login if there is no session. */
export async function ask(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value != null && value !== "");
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  const response = await fetch(address(path) + query, { signal });
  if (response.status === 401) {
    location.assign(address("/login"));
    return new Promise(() => {}); // Never resolves, because the browser leaves the page.
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.error ?? `HTTP ${response.status}`);
  return body;
}
