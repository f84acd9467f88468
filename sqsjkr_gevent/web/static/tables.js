/* The tables of running jobs, waiting jobs and processes. */

import { cell, fillJob, jobCell } from "./cells.js";
import { byId, element, mark, say, show } from "./dom.js";
import { age, count, utc } from "./format.js";
import { Rows } from "./rows.js";

const jobId = ({ one }) => one.job_id;
const makeRow = (...cells) => element("tr", {}, ...cells);

const running = new Rows(byId("running"), {
  key: jobId,
  make() {
    const [time, job, pid] = [cell("time"), jobCell(), cell("pid")];
    return { row: makeRow(time, job.node, pid), time, job, pid };
  },
  fill({ time, job, pid }, { one, now }) {
    fillAge(time, now, one.started_at);
    fillJob(job, one);
    say(pid, String(one.pid ?? "–"));
  },
});

const waiting = new Rows(byId("waiting-rows"), {
  key: jobId,
  make() {
    const [time, job] = [cell("time"), jobCell()];
    const [what, holder] = [element("div"), element("div", { className: "holder" })];
    const waits = element("td", { className: "waits" }, what, holder);
    return { row: makeRow(time, job.node, waits), time, job, what, holder };
  },
  fill({ time, job, what, holder }, { one, now, holders }) {
    fillAge(time, now, one.since);
    fillJob(job, one, false);
    say(what, waitsFor(one));
    say(holder, heldBy(one, holders));
  },
});

const processes = new Rows(byId("processes"), {
  key: ({ one }) => one.pid,
  make() {
    const [pid, state, busy, time] = [cell("pid"), cell(), cell("number"), cell("time")];
    return { row: makeRow(pid, state, busy, time), pid, state, busy, time };
  },
  fill({ row, pid, state, busy, time }, { one, now }) {
    const silent = one.state === "silent";
    say(pid, String(one.pid));
    say(state, silent ? "does not answer" : one.state);
    row.classList.toggle("warn", one.state !== "running");
    say(busy, silent ? "–" : `${count(one.busy)} / ${count(one.slots)}`);
    if (silent) say(time, "–");
    else fillAge(time, now, one.started_at);
  },
});

/** What a job waits for, in words. */
export function waitsFor(job) {
  if (job.for === "lock") return `lock ${job.lock_id}`;
  if (job.for === "host") return "another host, which runs it";
  return "an earlier job of its group";
}

/** Who holds what it waits for, in words. holders: the jobs running here. */
export function heldBy(job, holders) {
  const here = job.for === "lock" && holders.find((one) => one.lock_id === job.lock_id);
  const who = [here && here.event_id, job.holder].filter(Boolean);
  return who.length ? `held by ${who.join("\n")}` : "";
}

/** Write a State into the tables. */
export function drawTables(state) {
  drawJobs("running", running, state.running, state.busy, state);
  drawJobs("waiting", waiting, state.waiting_jobs, state.waiting, state);
  const odd = state.processes.some((process) => process.state !== "running");
  show(byId("processes-panel"), state.processes.length > 1 || odd);
  say(byId("processes-count"), count(state.processes.length));
  processes.show(state.processes.map((one) => ({ one, now: state.now })));
}

function drawJobs(name, rows, jobs, all, { now, running: holders }) {
  const cut = jobs.length < all && jobs.length >= 200;
  const shown = count(jobs.length);
  say(byId(`${name}-count`), cut ? `${count(all)}, oldest ${shown} shown` : shown);
  rows.show(jobs.map((one) => ({ one, now, holders })));
  const isEmpty = rows.body.childElementCount === 0;
  show(byId(`${name}-table`), !isEmpty);
  show(byId(`${name}-empty`), isEmpty);
}

function fillAge(node, now, since) {
  say(node, age(now - since));
  mark(node, "title", `since ${utc(since)}`);
}
