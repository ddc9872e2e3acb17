// What the page asks of cuesense, and how it keeps answers until they are on the disk.

import { token } from "/link.js";

const RETRY_MS = 2000;

/** An error with a sentence for the rater; `status` 0: nobody answers. */
export class Refusal extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { authorization: `Bearer ${token()}` } });
  } catch {
    throw new Refusal("cuesense does not answer: is it still running in the terminal?", 0);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Refusal(told.error || `cuesense says ${answer.status}`, answer.status);
}

export const sheet = async () => (await ask("/sheet")).json();
export const clip = async (place) => (await ask(`/clip/${place}`)).blob();
export const finish = () => ask("/finish", { method: "POST" });

/**
 * Keeps answers: one request at a time, the latest answer of each bout, until each is written.
 *
 * `on(state, error)`: "saving", "saved" or "waiting" (it will try again by itself).
 */
export function keeper(on) {
  const waiting = new Map();
  let running = null;

  async function run() {
    while (waiting.size) {
      const [place, answer] = waiting.entries().next().value;
      waiting.delete(place);
      try {
        await ask("/answer", { method: "POST", body: JSON.stringify({ place, ...answer }) });
      } catch (error) {
        if (!waiting.has(place)) waiting.set(place, answer);
        on("waiting", error);
        await new Promise((go) => setTimeout(go, RETRY_MS));
      }
    }
    running = null;
    on("saved");
  }

  return {
    put(place, answer) {
      waiting.set(place, answer);
      on("saving");
      running ||= run();
    },
    /** Resolves when all is written. */
    settled: () => running || Promise.resolve(),
    get busy() { return Boolean(running); },
  };
}
