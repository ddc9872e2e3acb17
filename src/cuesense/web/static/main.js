// The page: one connection, one view at a time, every message to the part that it is for.

import { allowed, createCapture, pageMs } from "./capture.js";
import { openLink } from "./link.js";
import { createModes } from "./modes.js";
import { createSession } from "./session.js";
import { createScale, createSetup } from "./setup.js";
import { createStage } from "./stage.js";
import { kept } from "./words.js";

const PING_MS = 2000, TOAST_MS = 6000;
const VIEWS = { starting: "baseline", paused: "session", ending: "closing", ended: "closing", failed: "closing" };
const byId = (id) => document.getElementById(id);
const send = (message) => link.send(message);

const stage = createStage(send);
const setup = createSetup(send, stage.across);
const after = createScale(document.querySelector("[data-scale=after]"));
const modes = createModes(() => {
  stage.refresh();
  session.redraw();
});
const session = createSession(() => modes.cue());
const capture = createCapture(byId("own"), (bytes, most) => link.sendBytes(bytes, most), captureSaid, (on) => {
  byId("own").hidden = !on;
  byId("stage").classList.toggle("is-own", on);
  if (on) byId("stage").classList.add("has-picture");
});
let hello = null, phase = "connecting", ring = 0, awake = null;

// ---- phases -------------------------------------------------------------------------------

function enter({ phase: next, left_s: left, sentence = "" }) {
  const view = VIEWS[next] || next, before = document.body.dataset.view;
  phase = next;
  document.body.dataset.view = view;
  document.body.classList.toggle("paused", next === "paused");
  byId("pause").firstElementChild.textContent = next === "paused" ? "Go on" : "Pause";
  if (view === "closing" || view === "setup") modes.leave();
  if (view === "closing") close(next, sentence);
  if (view === "baseline") baseline(next, left, sentence);
  else cancelAnimationFrame(ring);
  if (next === "paused") {
    byId("looks").textContent = "";
    byId("label").textContent = "paused";
    byId("why").textContent = "Nothing is sensed until you go on.";
  }
  if (view !== before) {
    document.querySelector(`.${view === "session" ? "compass" : view} h1`)?.focus({ preventScroll: true });
    scrollTo(0, 0);
    stage.refresh();
    session.redraw();
  }
  keepAwake(["baseline", "session", "paused"].includes(next));
}

function baseline(next, left, sentence) {
  const starting = next === "starting", total = hello.baseline_s;
  byId("baseline-title").textContent = starting ? "One moment" : "Talk about something ordinary";
  byId("baseline-text").textContent = sentence
    || (starting ? "cuesense is getting ready." : "Such as your way here, or what you had for lunch. Both of you, a little.");
  byId("baseline-why").hidden = starting;
  const until = performance.now() + 1000 * (left ?? total);
  cancelAnimationFrame(ring);
  const turn = () => {
    const rest = starting ? total : Math.max(0, (until - performance.now()) / 1000), done = Math.round(100 * (1 - rest / total));
    byId("ring").setAttribute("aria-valuenow", Math.max(0, done));
    byId("ring-done").style.strokeDasharray = `${100 * (1 - rest / total)} 100`;
    byId("ring-left").textContent = starting ? "" : rest > 0 ? Math.ceil(rest) : "…";
    byId("ring-unit").textContent = starting ? "" : rest > 0 ? "seconds" : "a little more";
    if (rest > 0 && !starting) ring = requestAnimationFrame(turn);
  };
  turn();
}

function close(next, sentence) {
  const texts = {
    ending: ["One moment", "Everything is written down, and the report is made."],
    ended: ["Thank you, both of you", "What was sensed is in the report."],
    failed: ["This did not work", ""],
  };
  const [title, text] = texts[next];
  byId("closing-title").textContent = title;
  byId("closing-text").textContent = sentence || text;
  byId("closing-more").textContent = next === "ended" ? "You can close this page." : "";
  byId("closing-report").hidden = true;
  if (next !== "ending") capture.stop();
}

function ended({ folder, report }) {
  enter({ phase: "ended" });
  byId("closing-more").textContent = `Kept on this machine, in ${folder}. You can close this page.`;
  byId("closing-report").hidden = false;
  byId("report-link").href = report;
}

/** Keep the screen from going to sleep while a session runs. */
async function keepAwake(on) {
  try {
    if (on && !document.hidden) awake ??= await navigator.wakeLock?.request("screen");
    if (!on) {
      await awake?.release();
      awake = null;
    }
  } catch {
    awake = null; // on battery saving: then the screen sleeps
  }
}
document.addEventListener("visibilitychange", () => {
  awake = null; // it was let go with the tab
  keepAwake(["baseline", "session", "paused"].includes(phase));
  session.redraw();
});

// ---- messages -----------------------------------------------------------------------------

const receive = {
  hello(message) {
    hello = message;
    ping(); // until the first one nobody knows what this page's times mean
    stage.configure({ views: message.views, mirrored: message.capture !== "play" });
    setup.configure(message);
    setup.checks(message.checks);
    const later = message.capture === "play" && message.phase === "setup";
    byId("waiting").textContent = later ? "The recording plays once you begin." : "Waiting for the picture …";
    session.configure(message);
    const keeps = message.keep.picture || message.keep.sound;
    byId("kept").textContent = kept(message.keep);
    byId("kept").classList.toggle("recording", keeps);
    health(message.health);
    if (message.report) ended(message);
    else enter(message);
    own(message.capture === "browser" && !["ended", "failed"].includes(message.phase));
  },
  phase: enter,
  faces(message) {
    stage.name(session.names());
    stage.outlines(message);
    if (phase === "setup") setup.faces(message, hello.views);
  },
  sound: (message) => phase === "setup" && setup.sound(message),
  checks: ({ items }) => setup.checks(items),
  state: (message) => phase === "session" && session.state(message),
  advice: session.advice,
  health: ({ items }) => health(items),
  mark: () => toast("Marked. You will find this moment in the report."),
  error: ({ sentence }) => toast(sentence),
  ended,
};

const link = openLink({
  message: (message) => receive[message.type]?.(message),
  picture: stage.picture,
  link(state) {
    notice("link", { lost: "The page has lost cuesense and is trying to reach it again. Sensing goes on without the page." }[state] || "");
    if (state === "refused") {
      over("This address is not complete", "Open the address that cuesense printed in the terminal: it holds the key to this session.");
    } else if (state === "finished") {
      byId("closing-report").hidden = true;
      if (phase === "ended") notice("link", "cuesense has finished. The report stays in the folder named here.");
      else over("cuesense has finished", "What was sensed until then is kept.");
    }
  },
});

function over(title, text) {
  capture.stop();
  enter({ phase: "failed", sentence: text });
  byId("closing-title").textContent = title;
}

function notice(id, text) {
  const known = [...byId("notices").children].find((node) => node.dataset.notice === id);
  if (!text) return known?.remove();
  const node = known || document.createElement("p");
  node.dataset.notice = id;
  if (node.textContent !== text) node.textContent = text;
  if (!known) byId("notices").append(node);
}

let toasts = 0;
function toast(text) {
  notice("toast", text);
  document.querySelector("[data-notice=toast]").classList.add("quiet");
  clearTimeout(toasts);
  toasts = setTimeout(() => notice("toast", ""), TOAST_MS);
}

function health(items) {
  const open = items.map((item) => item.sentence).filter(Boolean);
  for (const node of document.querySelectorAll("[data-notice^='health ']")) {
    if (!open.some((sentence) => `health ${sentence}` === node.dataset.notice)) node.remove();
  }
  for (const sentence of open) notice(`health ${sentence}`, sentence);
}

// ---- this page as the camera --------------------------------------------------------------

async function own(wanted) {
  byId("ask").hidden = true;
  if (!wanted) return capture.stop();
  if (capture.on) return;
  if (await allowed()) return turnOn();
  byId("ask").hidden = false;
}
function turnOn() {
  byId("ask").hidden = true;
  return capture.start().catch(() => {
    byId("ask").hidden = false;
    byId("ask-button").textContent = "Try again";
  });
}
function captureSaid(sentence) {
  if (sentence) byId("ask-text").textContent = sentence;
  notice("capture", phase === "setup" ? "" : sentence);
}
byId("ask-button").addEventListener("click", turnOn);

// ---- keys and buttons ---------------------------------------------------------------------

const running = () => ["baseline", "session", "paused"].includes(phase);
const actions = {
  pause: () => running() && send({ type: phase === "paused" ? "resume" : "pause" }),
  mark: () => phase === "session" && send({ type: "mark", text: "" }),
  cover() {
    const button = document.querySelector("[data-do=cover]"), on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    stage.cover(on);
  },
  details() {
    const open = byId("details").hidden;
    document.querySelector("[data-do=details]").setAttribute("aria-expanded", open);
    session.details(open);
  },
  focus: () => modes.toggle("focus"),
  dark: () => modes.toggle("dark"),
  help: () => byId("help").showModal(),
  end: () => running() && byId("end").showModal(),
};
const KEYS = { " ": "pause", m: "mark", h: "cover", d: "details", f: "focus", n: "dark", "?": "help", e: "end" };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) actions[button.dataset.do]();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (!running() && phase !== "setup") return;
  if (event.key === "Escape" && modes.now !== "page") return modes.leave();
  const name = KEYS[event.key.toLowerCase()];
  // Space belongs to what has the focus; letters belong to a text.
  const typing = event.target.closest("input:not([type=radio], [type=checkbox]), textarea");
  if (!name || typing || (event.key === " " && event.target.closest("button, input, a, summary"))) return;
  if (!byId("single-keys").checked || (phase === "setup" && !["cover", "help"].includes(name))) return;
  event.preventDefault();
  actions[name]();
});
byId("end").addEventListener("change", () => { byId("note-row").hidden = after.value() === null; });
byId("end-now").addEventListener("click", () => {
  const calm = after.value();
  if (calm !== null) send({ type: "checkin", when: "after", calm, note: byId("note").value });
  send({ type: "end" });
  byId("end").close();
});

const ping = () => send({ type: "ping", at: pageMs() });
setInterval(ping, PING_MS);
