/* The six ways in which a job ends, in the order in which they are drawn. */

export const OUTCOMES = {
  succeeded: "exit status 0",
  errored: "it ran, and failed",
  failed: "it was never started",
  returned: "back to the queue: it runs later, or elsewhere",
  duplicate: "it was done before",
  invalid: "the body does not fit; to the dead-letter queue",
};

export const NAMES = Object.keys(OUTCOMES);
