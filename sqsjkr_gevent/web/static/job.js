/* The dialog of one job: what it does now, how it ended, and what it printed. */

import { Refused, ask } from "./api.js";
import { outcomeNode, timeNode } from "./cells.js";
import { byId, element, say } from "./dom.js";
import { age, duration } from "./format.js";
import { heldBy, waitsFor } from "./tables.js";

const dialog = byId("job");
let opener = null;
let jobId = null;
let wasAlive = false;

/** Open the dialog of the job of a button; the focus comes back to that. */
export async function openJob(button, state) {
  opener = button;
  jobId = button.dataset.job;
  say(byId("job-title"), button.textContent);
  byId("job-body").replaceChildren(element("p", { className: "muted" }, "Asking …"));
  opener.setAttribute("aria-expanded", "true");
  dialog.showModal();
  byId("job-title").focus();
  await fill(state);
}

/** Follow a job that was alive when its dialog was opened, until it has ended. */
export function drawJob(state) {
  if (dialog.open && wasAlive && !aliveIn(state)) fill(state);
}

dialog.addEventListener("close", () => {
  opener.removeAttribute("aria-expanded");
  opener.focus({ preventScroll: true });
  byId("job-body").replaceChildren();
  jobId = null;
});

function aliveIn(state) {
  const isIt = (job) => job.job_id === jobId;
  const runs = state.running.find(isIt);
  return runs ? nowRunning(runs, state.now) : nowWaiting(state.waiting_jobs.find(isIt), state.now);
}

const nowRunning = (job, now) => [
  job,
  [["State", "running"], ["Started", timeNode(job.started_at)], ["Age", age(now - job.started_at)], ["Process", String(job.pid ?? "–")], ["Kicker process", String(job.process)]],
];

const nowWaiting = (job, now) =>
  job && [
    job,
    [["State", "waiting"], ["Waits for", waitsFor(job)], ["Held by", job.holder == null ? "not known" : heldBy(job)], ["Since", timeNode(job.since)], ["For", age(now - job.since)]],
  ];

async function fill(state) {
  const asked = jobId;
  const alive = aliveIn(state);
  wasAlive = Boolean(alive);
  const parts = alive ? [article(alive[0], alive[1])] : [];
  try {
    const { ends } = await ask(`/api/jobs/${encodeURIComponent(asked)}`);
    parts.push(...ends.map(ofEnd));
  } catch (error) {
    if (!(error instanceof Refused && error.status === 404 && alive)) {
      parts.push(element("p", {}, error.status === 404 ? "Its end is no longer kept here." : `Its ends cannot be read: ${error.message}`));
    }
  }
  if (jobId === asked) byId("job-body").replaceChildren(...parts);
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
  const all = [...fields, ["event_id", job.event_id], ["job_id", job.job_id], ["lock_id", job.lock_id ?? "none"]];
  const list = element("dl", { className: "fields" }, ...all.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const command = pre(job.command || "No command: the body is invalid.", "Command");
  return element("article", {}, list, element("h3", {}, "Command"), command, ...rest);
}

function output(end) {
  if (end.output) return pre(end.output, "Output");
  return element("p", { className: "muted" }, end.ran == null ? "It did not run." : "It printed nothing.");
}

/** Text as it is; it can be scrolled by the keyboard. */
function pre(text, label) {
  const node = element("pre", { tabIndex: 0 }, text);
  node.setAttribute("role", "region");
  node.setAttribute("aria-label", label);
  return node;
}
