/* Table cells: a job, a time, an outcome. */

import { element, mark, say, show } from "./dom.js";
import { time, utc } from "./format.js";

/** Characters of a command in a table; the dialog shows all of it. */
const COMMAND_SHOWN = 300;

/** A cell for text. */
export const cell = (className = "") => element("td", { className });

/** A job's cell: a button with its event_id that opens the dialog, its lock, its command. */
export function jobCell() {
  const button = element("button", { type: "button", className: "open" });
  button.setAttribute("aria-haspopup", "dialog");
  const lock = element("span", { className: "tag" });
  const command = element("code", { className: "command" });
  const line = element("div", { className: "line" }, button, lock);
  const node = element("td", { className: "job" }, line, command);
  return { node, button, lock, command };
}

/** Write a job into its cell. showsLock: whether to show its lock. */
export function fillJob({ button, lock, command }, job, showsLock = true) {
  say(button, job.event_id);
  if (button.dataset.job !== job.job_id) button.dataset.job = job.job_id;
  show(lock, showsLock && job.lock_id != null);
  say(lock, job.lock_id == null ? "" : `lock ${job.lock_id}`);
  say(command, job.command.slice(0, COMMAND_SHOWN) || "no command: the body is invalid");
  command.classList.toggle("none", !job.command);
}

/** A <time> for epoch seconds: local time, with exact UTC as its title. */
export const timeNode = (epoch) => fillTime(element("time"), epoch);

/** Write epoch seconds into a <time>. */
export function fillTime(node, epoch) {
  say(node, time(epoch));
  mark(node, "datetime", new Date(epoch * 1000).toISOString());
  mark(node, "title", utc(epoch));
  return node;
}

/** An outcome's name with its color. */
export const outcomeNode = (outcome) => {
  const swatch = element("span", { className: "swatch" });
  swatch.dataset.outcome = outcome;
  return element("span", { className: "outcome-name" }, swatch, outcome);
};
