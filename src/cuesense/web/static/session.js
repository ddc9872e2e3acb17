// The session: the needle and its words, at most one hint, the two lines, and the details.

import { createDetails } from "./details.js";
import { drawArcs, point } from "./needle.js";
import { createTraces } from "./traces.js";
import { LOOKS, clock, short, stateWords } from "./words.js";

const byId = (id) => document.getElementById(id);
const SHOWN_AFTER_S = 0.6; // a label has to hold this long before the page shows it …
const SPOKEN_AFTER_S = 2.5; // … and this long before a screen reader says it

/** Shows states and hints as they come. `cue` is called when a new hint appears. */
export function createSession(cue) {
  const traces = createTraces({ arousal: byId("trace-arousal"), valence: byId("trace-valence") });
  const details = createDetails({ panel: byId("details"), rows: byId("people-rows"), facts: byId("facts") });
  let reasons = [], order = ["A", "B"], shown = null, spoken = null, expiry = 0, now = 0;
  let held = { label: null, since: 0 };
  drawArcs(byId("needle"));

  function configure(hello) {
    reasons = hello.words.dyad_reasons;
    details.configure(hello.words.reasons);
    traces.reset(hello.history || []);
    held = { label: null, since: 0 };
    shown = null;
    now = hello.t ?? 0;
    if (hello.state) state(hello.state);
    else waiting();
    advice(hello.advice);
  }

  function waiting() {
    point(byId("needle"), byId("hand"), "insufficient", null);
    write("looks", "");
    write("label", "listening");
    write("why", "");
  }

  function state(message) {
    now = message.t;
    if (message.label !== held.label) held = { label: message.label, since: message.t };
    const age = message.t - held.since;
    if (shown === null || age >= SHOWN_AFTER_S || message.label === shown) show(message);
    if (age >= SPOKEN_AFTER_S) say(message);
    roles(message.people);
    write("clock", clock(message.t));
    traces.push(message);
    details.show(message, order);
  }

  function show(message) {
    const words = stateWords(message, reasons);
    shown = message.label;
    point(byId("needle"), byId("hand"), message.label, message.needle);
    write("looks", LOOKS.includes(short(message.label)) ? "looks like" : "");
    write("label", words.label);
    write("why", words.why);
  }

  function say(message) {
    if (message.label === spoken) return;
    spoken = message.label;
    const { label, why } = stateWords(message, reasons);
    write("spoken", [label, why].filter(Boolean).join(": "));
  }

  /** Who is "you": the listener. As long as nobody knows, both are called by their letters. */
  function roles(people) {
    const listener = ["A", "B"].find((who) => people[who].role === "listener");
    const next = listener === "A" ? ["A", "B"] : ["B", "A"];
    const names = listener ? ["you", "partner"] : ["B", "A"];
    if (next[0] === order[0] && byId("legend").dataset.names === names.join()) return;
    order = next;
    byId("legend").dataset.names = names.join();
    byId("head-you").textContent = names[0];
    byId("head-partner").textContent = names[1];
    byId("legend").replaceChildren(...order.map((who, i) => legend(who, names[i])));
  }

  function legend(who, name) {
    const item = document.createElement("li"), svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 28 8");
    svg.setAttribute("width", "28");
    svg.setAttribute("height", "8");
    svg.setAttribute("aria-hidden", "true");
    line.setAttribute("class", `line ${who}`);
    line.setAttribute("d", "M0 4H28");
    svg.append(line);
    item.append(svg, name);
    return item;
  }

  function advice(message) {
    clearTimeout(expiry);
    if (message) {
      if (message.text !== byId("say").textContent) cue();
      write("say", message.text);
      write("because", message.because.length ? `because ${message.because.join(", ")}` : "");
      expiry = setTimeout(() => advice(null), 1000 * Math.max(1, message.until - Math.max(now, message.t)));
    } else {
      write("say", "");
      write("because", "");
    }
  }

  return {
    configure,
    state,
    advice,
    /** What seats 0 and 1 are called below their outlines. */
    names: () => (byId("legend").dataset.names?.startsWith("you") ? (order[0] === "A" ? ["you", "partner"] : ["partner", "you"]) : ["", ""]),
    redraw: traces.redraw,
    details(open) {
      byId("details").hidden = !open;
      details.soon();
      traces.redraw();
    },
  };
}

function write(id, text) {
  const node = byId(id);
  if (node.textContent !== text) node.textContent = text;
}
