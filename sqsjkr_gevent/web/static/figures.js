/* What is above the tables: figures, health, the window's title and icon. */

import { byId, element, mark, say, show } from "./dom.js";
import { age, count, duration } from "./format.js";

/** Write a State into the figures and the health. */
export function drawFigures(state) {
  say(byId("queue"), state.queue);
  say(byId("where"), `${state.host} · process ${state.main_pid} · sqsjkr-gevent ${state.version}`);
  say(byId("slots"), `${count(state.busy)} / ${count(state.slots)}`);
  drawMeter(state);
  say(byId("rate"), duration(state.rate).replace("s", ""));
  say(byId("per-minute"), `${count(Math.round(state.rate * 60))} per minute`);
  say(byId("p50"), duration(state.waited.p50));
  say(byId("p95"), state.waited.p95 == null ? "no job has started yet" : `95 % within ${duration(state.waited.p95)}`);
  say(byId("waiting"), count(state.waiting));
  say(byId("held"), count(state.held));
  drawDepth(state.queue_depth, state.now);
  drawHealth(state.health);
}

/** The window's title; without a connection it says so. */
export function drawTitle(state, live) {
  const failing = state.health.status !== "ok";
  const text = live ? `${state.busy}/${state.slots} · ${state.queue}` : `lost · ${state.queue}`;
  document.title = live && failing ? `! ${text}` : text;
  const icon = byId("icon");
  mark(icon, "href", failing || !live ? icon.dataset.failing : icon.dataset.ok);
}

function drawMeter({ busy, slots }) {
  const meter = byId("meter");
  mark(meter, "aria-valuemax", slots);
  mark(meter, "aria-valuenow", busy);
  mark(meter, "aria-valuetext", `${busy} of ${slots}`);
  meter.firstElementChild.style.width = `${slots ? Math.min(100, (100 * busy) / slots) : 0}%`;
  meter.classList.toggle("full", slots > 0 && busy >= slots);
}

function drawDepth(depth, now) {
  say(byId("visible"), count(depth?.visible));
  say(byId("dead"), count(depth?.dead_letters));
  byId("dead").classList.toggle("attention", depth?.dead_letters > 0);
  if (depth == null) {
    say(byId("depth"), "not looked at yet");
    say(byId("looked"), "");
    return;
  }
  const known = depth.visible != null;
  say(byId("depth"), known ? `${count(depth.in_flight)} in flight, ${count(depth.delayed)} delayed` : (depth.error ?? ""));
  const looked = `looked ${age(now - depth.looked_at)} ago`;
  const missing = known && depth.dead_letters == null ? "there is no such queue" : looked;
  say(byId("looked"), depth.error && known ? `${looked}; then: ${depth.error}` : missing);
}

function drawHealth(health) {
  const failing = health.status !== "ok";
  const problems = [
    ...health.problems,
    ...Object.entries(health.errors)
      .filter(([name]) => !health.problems.some((problem) => problem.includes(name)))
      .map(([name, text]) => `${name}: ${text}`),
  ];
  const badge = byId("health");
  say(badge, failing ? "failing" : "healthy");
  badge.classList.toggle("bad", failing);
  badge.classList.toggle("good", !failing);
  show(byId("trouble"), problems.length > 0);
  say(byId("trouble-title"), failing ? "This kicker is not well" : "A call has failed");
  byId("trouble").classList.toggle("bad", failing);
  byId("trouble").classList.toggle("warn", !failing);
  const received = health.last_successful_receive;
  drawList(byId("problems"), [
    ...problems,
    `Last successful receive: ${received == null ? "none yet" : `${age(received)} ago`}; the heartbeat lags ${duration(health.heartbeat_lag)}.`,
  ]);
}

function drawList(list, texts) {
  while (list.children.length > texts.length) list.lastElementChild.remove();
  while (list.children.length < texts.length) list.append(element("li"));
  texts.forEach((text, number) => say(list.children[number], text));
}
