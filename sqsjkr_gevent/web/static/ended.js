/* The ended jobs: the newest, updated live, or those found by a search. */

import { ask } from "./api.js";
import { cell, fillJob, fillTime, jobCell, outcomeNode } from "./cells.js";
import { byId, element, mark, say, show } from "./dom.js";
import { count, duration } from "./format.js";
import { NAMES, OUTCOMES } from "./outcomes.js";
import { Rows } from "./rows.js";

/** Ends on a page. */
const PAGE = 50;

/** Fields of the search, also in the URL. */
const FIELDS = ["event_id", "job_id", "outcome"];

/** Draws after a change that reload the list: an end may be stored shortly after it is counted. */
const RELOADS = 3;

const rows = new Rows(byId("ended"), {
  // A restarted kicker counts from 1 again, so seq alone is not unique.
  key: (end) => `${end.seq} ${end.job_id} ${end.ended_at}`,
  make() {
    const time = element("time");
    const [outcome, job] = [cell("outcome"), jobCell()];
    const [waited, ran] = [cell("time wide"), cell("time wide")];
    const row = element("tr", {}, element("td", { className: "clock" }, time), outcome, job.node, waited, ran);
    return { row, time, outcome, job, waited, ran };
  },
  fill({ row, time, outcome, job, waited, ran }, end) {
    fillTime(time, end.ended_at);
    if (row.dataset.outcome === end.outcome) return; // Ends never change.
    row.dataset.outcome = end.outcome;
    outcome.append(outcomeNode(end.outcome));
    if (end.outcome !== "succeeded") {
      outcome.append(element("div", { className: "reason", title: end.reason }, end.reason));
    }
    fillJob(job, end);
    say(waited, duration(end.waited));
    say(ran, duration(end.ran));
  },
});

const form = byId("search");
let wanted = {};
let before = null; // The page shown: ends before this seq; null: the newest.
let next = null;
let paused = false;
let hovered = false;
let total = 0; // Ends counted at the last draw,
let shownTotal = 0; // and when the list was requested.
let again = 0;
let request = null;

/** Follow a State: show the newest ends, unless the list is paused. */
export function drawEnded(state) {
  const sum = NAMES.reduce((all, name) => all + state.invocations[name], 0);
  if (sum !== total) again = RELOADS;
  total = sum;
  drawNow(state);
  const held = paused || hovered || before != null;
  drawHeld(held);
  if (held || again === 0 || request) return;
  again -= 1;
  load();
}

async function load() {
  request?.abort();
  const mine = (request = new AbortController());
  const asked = total;
  try {
    const page = await ask("/api/history", { ...wanted, before, limit: PAGE }, mine.signal);
    if (request !== mine) return;
    shownTotal = asked;
    drawPage(page);
  } catch (error) {
    if (request === mine) say(byId("found"), `Cannot read the history: ${error.message}`);
  } finally {
    if (request === mine) request = null;
  }
}

function drawPage({ ends, next: older }) {
  next = older;
  rows.show(ends);
  show(byId("ended-table"), rows.body.childElementCount > 0);
  show(byId("ended-empty"), rows.body.childElementCount === 0);
  const isAll = Object.keys(wanted).length === 0 && before == null;
  say(byId("ended-empty"), isAll ? "No job has ended yet." : "No matching job found.");
  show(byId("older"), next != null);
  show(byId("newest"), before != null);
  say(byId("found"), heading());
}

function heading() {
  const parts = Object.entries(wanted).map(([name, value]) => `${name} “${value}”`);
  const what = parts.length ? `Jobs that ended with ${parts.join(", ")}` : "";
  if (before != null) return `${what || "Jobs that ended"}, before number ${before}.`;
  return what && `${what}, newest first.`;
}

/** For a search: matching jobs that have not ended yet. */
function drawNow({ running, waiting_jobs: waiting }) {
  const { event_id: event, job_id: job } = wanted;
  const isWanted = (one) => (!event || one.event_id === event) && (!job || one.job_id === job);
  const [runs, waits] = [running.filter(isWanted).length, waiting.filter(isWanted).length];
  const some = `${count(runs)} running and ${count(waits)} waiting now, see above.`;
  const now = runs || waits ? some : "None is running or waiting now.";
  say(byId("found-now"), event || job ? now : "");
}

function drawHeld(held) {
  const newer = total - shownTotal;
  const news = newer > 0 ? `${count(newer)} ended since` : "";
  const why = paused ? "paused" : "paused under the pointer";
  say(byId("held-still"), held && before == null ? [why, news].filter(Boolean).join(", ") : "");
}

function go(page) {
  before = page;
  load();
}

function search() {
  const fields = FIELDS.map((name) => [name, form.elements[name].value.trim()]);
  wanted = Object.fromEntries(fields.filter(([, value]) => value));
  const query = new URLSearchParams(wanted);
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  go(null);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
form.addEventListener("reset", () => setTimeout(search)); // After the fields are empty.
byId("older").addEventListener("click", () => {
  go(next);
  byId("ended-title").scrollIntoView({ block: "start" });
});
byId("newest").addEventListener("click", () => go(null));
byId("pause").addEventListener("click", () => {
  paused = !paused;
  mark(byId("pause"), "aria-pressed", paused);
  again = RELOADS;
});
const table = byId("ended-table");
table.addEventListener("pointerenter", (event) => (hovered = event.pointerType === "mouse"));
table.addEventListener("pointerleave", () => {
  hovered = false;
  again = RELOADS;
});

for (const name of NAMES) {
  const option = element("option", { value: name, title: OUTCOMES[name] }, name);
  byId("search-outcome").append(option);
}
const given = new URLSearchParams(location.search);
for (const name of FIELDS) form.elements[name].value = given.get(name) ?? "";
search();
