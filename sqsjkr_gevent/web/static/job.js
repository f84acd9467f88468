/* The dialog of one job: its current state, its ends and its output. */

import { Refused, ask } from "./api.js";
import { outcomeNode, timeNode } from "./cells.js";
import { byId, element, say } from "./dom.js";
import { duration } from "./format.js";
import { heldBy, waitsFor } from "./tables.js";

const GONE = "Its history is no longer kept here.";

const dialog = byId("job");
let opener = null;
let jobId = null;
let expected = false; // Whether its end is still to come.
let asking = false;

/** Open the dialog of a button's job. When it closes, the button gets the focus back. */
export function openJob(button, state) {
  opener = button;
  jobId = button.dataset.job;
  expected = false;
  say(byId("job-title"), button.textContent);
  byId("job-body").replaceChildren(element("p", { className: "muted" }, "Loading …"));
  opener.setAttribute("aria-expanded", "true");
  dialog.showModal();
  byId("job-title").focus();
  fill(state);
}

/** Follow a job that was alive when its dialog was opened, until its end is known. */
export function drawJob(state) {
  if (dialog.open && expected && !asking && !aliveIn(state)) fill(state);
}

dialog.addEventListener("close", () => {
  opener.removeAttribute("aria-expanded");
  opener.focus({ preventScroll: true });
  byId("job-body").replaceChildren();
  jobId = null;
});

/** The running or waiting job and its fields; undefined if it neither runs nor waits. */
function aliveIn({ running, waiting_jobs: waiting }) {
  const isIt = (job) => job.job_id === jobId;
  const runs = running.find(isIt);
  if (runs) return [runs, fieldsOfRunning(runs)];
  const waits = waiting.find(isIt);
  return waits && [waits, fieldsOfWaiting(waits, running)];
}

const fieldsOfRunning = (job) => [
  ["State", "running"],
  ["Started", timeNode(job.started_at)],
  ["Process", String(job.pid ?? "–")],
  ["Kicker process", String(job.process)],
];

const fieldsOfWaiting = (job, running) => [
  ["State", "waiting"],
  ["Waits for", waitsFor(job)],
  ["Holder", heldBy(job, running) || "unknown"],
  ["Since", timeNode(job.since)],
];

async function fill(state) {
  const asked = jobId;
  const alive = aliveIn(state);
  asking = true;
  const { ends, problem } = await endsOf(asked);
  asking = false;
  if (jobId !== asked) return;
  expected = Boolean(alive) || (expected && ends.length === 0);
  const parts = alive ? [article(...alive)] : [];
  parts.push(...ends.map(ofEnd));
  if (problem) parts.push(element("p", {}, `Cannot read its history: ${problem}`));
  if (!parts.length) parts.push(element("p", {}, expected ? "It has just ended." : GONE));
  byId("job-body").replaceChildren(...parts);
}

async function endsOf(id) {
  try {
    return await ask(`/api/jobs/${encodeURIComponent(id)}`);
  } catch (error) {
    const isUnknown = error instanceof Refused && error.status === 404;
    return { ends: [], problem: isUnknown ? "" : error.message };
  }
}

function ofEnd(end) {
  return article(end, [
    ["Outcome", outcomeNode(end.outcome)],
    ["Reason", end.reason || "–"],
    ["Cause", end.cause],
    ["Exit status", end.exit_status == null ? "it did not run" : String(end.exit_status)],
    ["Ended", timeNode(end.ended_at)],
    ["Ran", duration(end.ran)],
    ["Waited", duration(end.waited)],
    ["Sent", timeNode(end.sent_at)],
    ["Attempt", String(end.attempt)],
    ["Host", `${end.host}, process ${end.pid}`],
    ["Number", String(end.seq)],
  ], [element("h3", {}, "Output"), output(end)]);
}

function article(job, fields, rest = []) {
  const ids = [["event_id", job.event_id], ["job_id", job.job_id], ["lock_id", job.lock_id ?? "none"]];
  const list = element("dl", { className: "fields" }, ...[...fields, ...ids].map(field));
  const command = pre(job.command || "No command: the body is invalid.", "Command");
  return element("article", {}, list, element("h3", {}, "Command"), command, ...rest);
}

const field = ([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value));

function output(end) {
  if (end.output) return pre(end.output, "Output");
  return element("p", { className: "muted" }, end.ran == null ? "It did not run." : "It printed nothing.");
}

/** Preformatted text that can be scrolled with the keyboard. */
function pre(text, label) {
  const node = element("pre", { tabIndex: 0 }, text);
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", label);
  return node;
}
