/* The plot of ended jobs over time, stacked by outcome. */
/* global Chart */

import { byId, mark } from "./dom.js";
import { hourAndMinute } from "./format.js";
import { NAMES } from "./outcomes.js";

let chart = null;
let shown = [];

/** Draw minutes, oldest first: each has `at`, in epoch seconds, and a number for each outcome. */
export function drawPlot(minutes, inWords) {
  shown = minutes;
  chart ??= makeChart();
  fill();
  mark(chart.canvas, "aria-label", inWords);
}

function fill() {
  chart.data.labels = shown.map(({ at }) => at);
  NAMES.forEach((name, number) => {
    chart.data.datasets[number].data = shown.map((minute) => minute[name]);
  });
  chart.update("none");
}

function makeChart() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const ticks = { color: colour("muted"), font: { family: style.fontFamily, size: 11 } };
  const axis = { stacked: true, border: { display: false } };
  return new Chart(byId("plot"), {
    type: "bar",
    data: {
      labels: [],
      datasets: NAMES.map((name) => ({ label: name, data: [], backgroundColor: colour(name) })),
    },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      datasets: { bar: { categoryPercentage: 1, barPercentage: 0.8 } },
      scales: {
        x: {
          ...axis,
          grid: { display: false },
          ticks: { ...ticks, callback: tick, maxRotation: 0, autoSkip: false },
        },
        y: {
          ...axis,
          grid: { color: colour("line") },
          ticks: { ...ticks, precision: 0, maxTicksLimit: 5 },
        },
      },
      plugins: {
        colors: { enabled: false },
        legend: { display: false },
        tooltip: {
          boxPadding: 4,
          multiKeyBackground: "transparent",
          filter: (item) => item.raw > 0,
          callbacks: { title: ([item]) => (item ? hourAndMinute(Number(item.label)) : "") },
        },
      },
    },
  });
}

/** A label at every full ten minutes; Chart.js calls it with the axis as `this`. */
function tick(_, index) {
  const at = this.chart.data.labels[index];
  return at % 600 === 0 ? hourAndMinute(at) : null;
}

// A chart keeps the colors that it was made with.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  if (!chart) return;
  chart.destroy();
  chart = makeChart();
  fill();
});
