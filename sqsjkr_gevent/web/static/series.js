/* Ended jobs by outcome: the plot of the last hour, its data as a table, and the totals. */

import { outcomeNode } from "./cells.js";
import { byId, element, say } from "./dom.js";
import { count, hourAndMinute } from "./format.js";
import { NAMES, OUTCOMES } from "./outcomes.js";
import { drawPlot } from "./plot.js";

const MINUTES = 60;
const MINUTES_OF_A_ROW = 10;

/** Write a State's totals. */
export function drawTotals(invocations) {
  NAMES.forEach((name, row) => say(byId("totals").rows[row].cells[2], count(invocations[name])));
}

/** Write Series into the plot and tables. now: epoch seconds. */
export function drawSeries(series, now) {
  const minutes = byMinute(series.buckets, now);
  const sums = sum(minutes);
  const counts = NAMES.filter((name) => sums[name]).map((name) => `${count(sums[name])} ${name}`);
  drawPlot(minutes, `Jobs that ended in the last hour, by minute: ${counts.join(", ") || "none"}`);
  NAMES.forEach((name, row) => say(byId("totals").rows[row].cells[1], count(sums[name])));
  drawTable(minutes);
}

function byMinute(buckets, now) {
  const first = Math.floor(now / 60) * 60 - 60 * (MINUTES - 1);
  const none = Object.fromEntries(NAMES.map((name) => [name, 0]));
  const minutes = Array.from({ length: MINUTES }, (_, number) => ({ at: first + 60 * number, ...none }));
  for (const bucket of buckets) {
    const minute = minutes[Math.floor((bucket.at - first) / 60)];
    if (minute) for (const name of NAMES) minute[name] += bucket[name];
  }
  return minutes;
}

function sum(minutes) {
  const ofOne = (name) => minutes.reduce((all, minute) => all + minute[name], 0);
  return Object.fromEntries(NAMES.map((name) => [name, ofOne(name)]));
}

function drawTable(minutes) {
  [...byId("series").rows].forEach((row, number) => {
    const part = minutes.slice(number * MINUTES_OF_A_ROW, (number + 1) * MINUTES_OF_A_ROW);
    const sums = sum(part);
    say(row.cells[0], hourAndMinute(part[0].at));
    NAMES.forEach((name, column) => say(row.cells[column + 1], count(sums[name])));
  });
}

function makeTables() {
  for (const name of NAMES) {
    const head = element("th", { scope: "row", title: OUTCOMES[name] }, outcomeNode(name));
    const number = () => element("td", { className: "number" }, "–");
    byId("totals").append(element("tr", {}, head, number(), number()));
    byId("series-head").append(element("th", { scope: "col" }, name));
  }
  for (let row = 0; row < MINUTES / MINUTES_OF_A_ROW; row++) {
    const cells = NAMES.map(() => element("td"));
    byId("series").append(element("tr", {}, element("th", { scope: "row" }), ...cells));
  }
}

makeTables();
