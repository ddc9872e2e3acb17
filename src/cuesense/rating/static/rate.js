// A rater's page: one bout after the other, one question each.

import { finish, keeper, sheet } from "/desk.js";
import { player } from "/player.js";

const $ = (id) => document.getElementById(id);
const all = (selector) => [...document.querySelectorAll(selector)];
const PHASES = {
  preparing: "Preparing the bout …",
  before: "Just watch: this comes before",
  code: "Code this",
  over: "Your answer, please",
  broken: "This bout cannot be played",
};
const SOUND_PHASES = { before: "Just listen: this comes before" };

const TYPING_MS = 700;

let told = null, place = 0, typing = 0;
const keep = keeper((state, error) => {
  $("saved").textContent = { saving: "", saved: "Kept.", waiting: "" }[state];
  notice("link", state === "waiting" ? `Not kept yet: ${error.message} It is tried again.` : "");
  progress();
});
const show = player($("video"), $("rail"), {
  phase(name) {
    document.body.dataset.phase = name;
    $("phase").textContent = (told?.picture ? "" : SOUND_PHASES[name]) || PHASES[name];
    $("waiting").hidden = name !== "preparing";
    if (name !== "broken") notice("bout", "");
  },
  trouble: (sentence) => notice("bout", sentence),
});

function view(name, focus) {
  document.body.dataset.view = name;
  if (focus) focus.focus({ preventScroll: name === "rate" });
  scrollTo(0, 0);
}

function notice(key, sentence) {
  let line = document.querySelector(`[data-notice="${key}"]`);
  if (!sentence) return line?.remove();
  if (!line) {
    line = document.createElement("p");
    line.dataset.notice = key;
    $("notices").append(line);
  }
  if (line.textContent !== sentence) line.textContent = sentence;
}

const answered = (bout) => told.questions.filter((name) => bout[name]).length;
const complete = (bout) => answered(bout) === told.questions.length;
const coded = () => told.bouts.filter(complete).length;
const firstOpen = () => told.bouts.findIndex((bout) => !complete(bout));

function progress() {
  if (!told) return;
  const total = told.bouts.length, done = coded();
  $("place").textContent = `Bout ${place + 1} of ${total}`;
  $("coded").textContent = done === total ? "all coded" : `${done} coded`;
  $("bar").max = total;
  $("bar").value = done;
}

function open(at) {
  settle();
  place = at;
  const bout = told.bouts[place];
  for (const radio of all("[data-key]")) radio.checked = radio.value === bout[radio.name];
  for (const radio of all("[name=sure]")) radio.checked = Number(radio.value) === bout.sure;
  $("words").value = bout.words;
  $("saved").textContent = "";
  $("back").disabled = place === 0;
  steps();
  progress();
  view("rate", $("place"));
  show.load(place, told.bouts);
}

function steps() {
  const bout = told.bouts[place], done = complete(bout);
  $("next-text").textContent = done ? "Next" : answered(bout) ? "Skip the rest" : "Skip";
  $("next").classList.toggle("open", !done);
}

const chosen = (name) => document.querySelector(`[name="${name}"]:checked`)?.value || "";

function put() {
  clearTimeout(typing);
  typing = 0;
  const bout = told.bouts[place];
  for (const name of told.questions) bout[name] = chosen(name);
  bout.sure = Number(chosen("sure")) || null;
  bout.words = $("words").value;
  const said = Object.fromEntries(told.questions.map((name) => [name, bout[name]]));
  keep.put(place, { ...said, sure: bout.sure, words: bout.words });
  steps();
}

/** Keep words that have been typed and not yet put. */
function settle() {
  if (typing) put();
}

function choose(radio) {
  radio.checked = true;
  put();
  $("spoken").textContent = `${radio.parentNode.querySelector("b").textContent}, chosen`;
}

function next() {
  if (place + 1 < told.bouts.length) return open(place + 1);
  end();
}

function end() {
  settle();
  show.stop();
  const left = told.bouts.length - coded();
  $("done-title").textContent = left ? "That was the last bout" : "All bouts are coded. Thank you.";
  $("done-text").textContent = left
    ? `${left} ${left === 1 ? "is" : "are"} not coded yet.`
    : "Your answers are kept in the session's folder.";
  $("review").textContent = !left ? "Look at them again" : left > 1 ? "Go to the first of them" : "Go to it";
  $("finish").textContent = left ? "Stop for now" : "Finish";
  $("review").classList.toggle("primary", left > 0);
  $("finish").classList.toggle("primary", !left);
  $("done-row").prepend(left ? $("review") : $("finish"));
  view("done", $("done-title"));
}

async function stop() {
  settle();
  show.stop();
  await keep.settled();
  try {
    await finish();
  } catch (error) {
    if (error.status) return notice("link", error.message);
  }
  notice("link", "");
  view("stopped", document.querySelector("#stopped h1"));
}

const DO = {
  again: () => show.again(),
  part: () => show.part(),
  back: () => place && open(place - 1),
  codebook: () => $("codebook").showModal(),
  finish: stop,
  review: () => open(Math.max(0, firstOpen())),
};

function begin() {
  const at = firstOpen();
  if (at < 0) return end();
  open(at);
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-do]");
  if (button) DO[button.dataset.do]();
});
$("begin").addEventListener("click", begin);
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  next();
});
for (const radio of all("#form input")) radio.addEventListener("change", put);
$("words").addEventListener("change", put);
$("words").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(put, TYPING_MS);
  $("saved").textContent = "";
});
$("video").addEventListener("click", () => show.again());

const keyed = (key) => all("[data-key]").find((radio) => radio.dataset.key === key.toLowerCase());
const KEYS = { " ": "again", p: "part", b: "back", c: "codebook" };
document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (target.matches("textarea") || document.querySelector("dialog[open]")) return;
  const onButton = target.matches("button, summary, a");
  if (document.body.dataset.view === "intro") {
    if (key.toLowerCase() === "c" && $("single-keys").checked) DO.codebook();
    return;
  }
  if (document.body.dataset.view !== "rate") return;
  if (key === "Enter" && !onButton) {
    event.preventDefault();
    next();
  } else if (key === " " && !onButton) {
    if (target.matches("input:not(:checked)")) return; // there it chooses
    event.preventDefault();
    show.again();
  } else if (!$("single-keys").checked) {
    return;
  } else if (keyed(key)) {
    event.preventDefault();
    choose(keyed(key));
  } else if (KEYS[key.toLowerCase()] && key !== " ") {
    event.preventDefault();
    DO[KEYS[key.toLowerCase()]]();
  }
});
addEventListener("beforeunload", (event) => {
  settle();
  if (keep.busy) event.preventDefault();
});

async function start() {
  try {
    told = await sheet();
  } catch (error) {
    $("connecting-title").textContent = "This page cannot be opened";
    $("connecting-text").textContent = `${error.message[0].toUpperCase()}${error.message.slice(1)}.`.replace("?.", "?");
    return;
  }
  const heard = told.stereo ? `the voice on the ${told.side}` : `person ${told.listener}`;
  const side = told.picture ? `the person on the ${told.side}` : heard;
  for (const name of all(".who")) name.textContent = side;
  for (const total of all(".total")) total.textContent = told.bouts.length;
  $("who").textContent = told.name;
  $("sound-only").hidden = told.picture;
  const done = coded();
  if (done) {
    $("begin").textContent = done === told.bouts.length ? "Look at the end" : "Go on";
    $("intro-title").textContent = `${done} of ${told.bouts.length} are coded`;
  }
  progress();
  view("intro", $("begin"));
}

start();
