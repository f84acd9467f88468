/* The six outcomes of a job, in the order in which they are drawn. */

export const OUTCOMES = {
  succeeded: "exit status 0",
  errored: "it ran and failed",
  failed: "it was never started",
  returned: "back to the queue: it runs later or elsewhere",
  duplicate: "it was already done",
  invalid: "invalid body; it goes to the dead-letter queue",
};

export const NAMES = Object.keys(OUTCOMES);
