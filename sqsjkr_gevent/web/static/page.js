/* The page: draws the kicker's data, at most once per frame, and only while it is visible. */

import { follow } from "./connection.js";
import { byId, say, show } from "./dom.js";
import { drawEnded } from "./ended.js";
import { drawFigures, drawTitle } from "./figures.js";
import { age, time } from "./format.js";
import { drawJob, openJob } from "./job.js";
import { drawSeries, drawTotals } from "./series.js";
import { drawTables } from "./tables.js";

let state = null;
let series = null;
let asked = false;
let lostAt = null;

function draw() {
  asked = false;
  if (state) {
    drawFigures(state);
    drawTotals(state.invocations);
    drawTables(state);
    drawEnded(state);
    drawJob(state);
  }
  if (state && series) {
    drawSeries(series, state.now);
    series = null;
  }
}

function askToDraw() {
  if (!asked) requestAnimationFrame(draw);
  asked = true;
}

function drawConnection() {
  const live = lostAt == null;
  document.body.dataset.connection = live ? "live" : "lost";
  say(byId("connection"), live ? "live" : "connection lost");
  byId("connection").classList.toggle("bad", !live);
  byId("connection").classList.toggle("good", live);
  show(byId("lost"), !live);
  if (state) drawTitle(state, live);
  if (live) return;
  const since = `${age((Date.now() - lostAt) / 1000)} ago`;
  const shown = state ? `Showing data from ${time(state.now)}.` : "No data yet.";
  say(byId("lost-text"), `${shown} Lost ${since}; reconnecting.`);
}

follow({
  state(newest) {
    state = newest;
    drawTitle(state, true);
    askToDraw();
  },
  series(newest) {
    series = newest;
    askToDraw();
  },
  live() {
    lostAt = null;
    drawConnection();
  },
  lost() {
    lostAt = Date.now();
    drawConnection();
  },
});

setInterval(() => {
  if (lostAt != null) drawConnection();
}, 1000);

document.querySelector("main").addEventListener("click", (event) => {
  const row = event.target.closest("table.jobs tbody tr");
  const button = event.target.closest("button.open") ?? row?.querySelector("button.open");
  // Ignore a click that ends a text selection.
  if (button && state && getSelection().isCollapsed) openJob(button, state);
});
