/* The plot of the last hour, its totals, and the same as a table for those who do not see it. */
/* global Chart */

import { outcomeNode } from "./cells.js";
import { byId, element, mark, say } from "./dom.js";
import { count, hourAndMinute } from "./format.js";
import { NAMES, OUTCOMES } from "./outcomes.js";

const MINUTES = 60;
const MINUTES_OF_A_ROW = 10;

const dark = matchMedia("(prefers-color-scheme: dark)");
let chart = null;

/** Write the totals of a State. */
export function drawTotals(invocations) {
  NAMES.forEach((name, row) => say(byId("totals").rows[row].cells[2], count(invocations[name])));
}

/** Write Series into plot and tables. now: epoch seconds. */
export function drawSeries(series, now) {
  const minutes = byMinute(series.buckets, now);
  chart ??= makeChart();
  chart.data.labels = minutes.map(({ at }) => at);
  NAMES.forEach((name, number) => {
    chart.data.datasets[number].data = minutes.map((minute) => minute[name]);
  });
  chart.update("none");
  const sums = sum(minutes);
  NAMES.forEach((name, row) => say(byId("totals").rows[row].cells[1], count(sums[name])));
  const told = NAMES.filter((name) => sums[name]).map((name) => `${count(sums[name])} ${name}`);
  mark(chart.canvas, "aria-label", `Jobs that ended in the last hour, by minute: ${told.join(", ") || "none"}`);
  drawTable(minutes);
}

function byMinute(buckets, now) {
  const last = Math.floor(now / 60) * 60;
  const none = Object.fromEntries(NAMES.map((name) => [name, 0]));
  const minutes = Array.from({ length: MINUTES }, (_, back) => ({ at: last - 60 * (MINUTES - 1 - back), ...none }));
  for (const bucket of buckets) {
    const minute = minutes[Math.floor((bucket.at - minutes[0].at) / 60)];
    if (minute) for (const name of NAMES) minute[name] += bucket[name];
  }
  return minutes;
}

function sum(minutes) {
  return Object.fromEntries(NAMES.map((name) => [name, minutes.reduce((all, minute) => all + minute[name], 0)]));
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

function makeChart() {
  const axis = { stacked: true, border: { display: false } };
  const made = new Chart(byId("plot"), {
    type: "bar",
    data: {
      labels: [],
      datasets: NAMES.map((name) => ({ label: name, data: [], categoryPercentage: 1, barPercentage: 0.8 })),
    },
    options: {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      scales: {
        x: { ...axis, grid: { display: false }, ticks: { callback: (_, at) => tick(made, at), maxRotation: 0, autoSkip: false } },
        y: { ...axis, beginAtZero: true, grid: {}, ticks: { precision: 0, maxTicksLimit: 5 } },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          filter: (item) => item.raw > 0,
          callbacks: { title: (items) => (items.length ? hourAndMinute(items[0].chart.data.labels[items[0].dataIndex]) : "") },
        },
      },
    },
  });
  paint(made);
  dark.addEventListener("change", () => paint(made));
  return made;
}

/** A label each ten minutes, by the clock. */
function tick({ data }, index) {
  const at = data.labels[index];
  return at % 600 === 0 ? hourAndMinute(at) : null;
}

function paint(made) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  NAMES.forEach((name, number) => {
    made.data.datasets[number].backgroundColor = colour(name);
  });
  const { x, y } = made.options.scales;
  x.ticks.color = y.ticks.color = colour("muted");
  y.grid.color = colour("line");
  x.ticks.font = y.ticks.font = { family: style.fontFamily, size: 11 };
  made.update("none");
}

makeTables();
