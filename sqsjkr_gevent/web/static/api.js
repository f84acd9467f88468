/* Requests to the kicker, below wherever the app is mounted. */

const base = document.body.dataset.base;

/** The address of a path of the app. */
export const address = (path) => base + path;

/** What the kicker answered instead; `status` is HTTP's. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** The JSON of a path. Throws Refused, or what fetch throws; without a session it goes to /login. */
export async function ask(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value != null && value !== "");
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  const answer = await fetch(address(path) + query, { signal });
  if (answer.status === 401) {
    location.assign(address("/login"));
    return new Promise(() => {}); // The page is left: nobody goes on with an answer.
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, body.error ?? `HTTP ${answer.status}`);
  return body;
}
