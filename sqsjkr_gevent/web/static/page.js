/* The page: draws what the kicker tells, at most once a frame, and only while it is seen. */

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
  const shown = state ? `What you see is of ${time(state.now)}.` : "Nothing was received yet.";
  say(byId("lost-text"), `${shown} Lost ${since}; trying again.`);
}

follow({
  state(told) {
    state = told;
    drawTitle(state, true);
    askToDraw();
  },
  series(told) {
    series = told;
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
  // A click that ends a selection of text is none.
  if (button && state && getSelection().isCollapsed) openJob(button, state);
});
