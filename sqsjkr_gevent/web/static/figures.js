/* The part above the tables: figures and health; and the window's title and icon. */

import { byId, element, mark, say, show } from "./dom.js";
import { age, count, duration, rate } from "./format.js";

/** Write a State into the figures and the health. */
export function drawFigures(state) {
  say(byId("queue"), state.queue);
  say(byId("where"), `${state.host} · process ${state.main_pid} · sqsjkr-gevent ${state.version}`);
  say(byId("slots"), `${count(state.busy)} / ${count(state.slots)}`);
  drawMeter(state);
  say(byId("rate"), rate(state.rate));
  say(byId("per-minute"), `${count(Math.round(state.rate * 60))} per minute`);
  const { p50, p95 } = state.waited;
  say(byId("p50"), duration(p50));
  say(byId("p95"), p95 == null ? "no job has started yet" : `95 % within ${duration(p95)}`);
  say(byId("waiting"), count(state.waiting));
  say(byId("prefetched"), count(state.prefetched));
  drawDepth(state.queue_depth, state.now);
  drawHealth(state.health);
}

/** Set the window's title and icon. live: whether the connection is live. */
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
  say(byId("depth"), depth ? depthText(depth) : "not queried yet");
  say(byId("looked"), depth ? `as of ${age(now - depth.looked_at)} ago${noDeadLetters(depth)}` : "");
}

function depthText({ visible, in_flight: inFlight, delayed, error }) {
  const numbers = visible == null ? "" : `${count(inFlight)} in flight, ${count(delayed)} delayed`;
  return [numbers, error].filter(Boolean).join("; ");
}

function noDeadLetters({ visible, dead_letters: dead }) {
  return visible != null && dead == null ? ", no dead-letter queue" : "";
}

function drawHealth(health) {
  const failing = health.status !== "ok";
  const problems = [...health.problems, ...errorsBeside(health)];
  const badge = byId("health");
  say(badge, failing ? "failing" : "healthy");
  const trouble = byId("trouble");
  for (const [node, other] of [[badge, "good"], [trouble, "warn"]]) {
    node.classList.toggle("bad", failing);
    node.classList.toggle(other, !failing);
  }
  show(trouble, problems.length > 0);
  say(byId("trouble-title"), failing ? "This kicker is unhealthy" : "A call has failed");
  drawList(byId("problems"), [...problems, lastReceive(health)]);
}

/** The errors that no problem mentions. */
function errorsBeside({ problems, errors }) {
  const isKnown = (name) => problems.some((problem) => problem.includes(name));
  const others = Object.entries(errors).filter(([name]) => !isKnown(name));
  return others.map(([name, text]) => `${name}: ${text}`);
}

function lastReceive({ last_successful_receive: received, heartbeat_lag: lag }) {
  const when = received == null ? "none yet" : `${age(received)} ago`;
  return `Last successful receive: ${when}; the heartbeat lags ${duration(lag)}.`;
}

function drawList(list, texts) {
  while (list.children.length > texts.length) list.lastElementChild.remove();
  while (list.children.length < texts.length) list.append(element("li"));
  texts.forEach((text, number) => say(list.children[number], text));
}
