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

let told = null, place = 0;
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

const coded = () => told.bouts.filter((bout) => bout.answer).length;
const firstOpen = () => told.bouts.findIndex((bout) => !bout.answer);

function progress() {
  if (!told) return;
  const total = told.bouts.length, done = coded();
  $("place").textContent = `Bout ${place + 1} of ${total}`;
  $("coded").textContent = done === total ? "all coded" : `${done} coded`;
  $("bar").max = total;
  $("bar").value = done;
}

function open(at) {
  place = at;
  const bout = told.bouts[place];
  for (const radio of all("[name=answer]")) radio.checked = radio.value === bout.answer;
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
  $("next-text").textContent = told.bouts[place].answer ? "Next" : "Skip";
  $("next").classList.toggle("open", !told.bouts[place].answer);
}

function put() {
  const bout = told.bouts[place];
  const answer = document.querySelector("[name=answer]:checked")?.value;
  bout.words = $("words").value;
  bout.sure = Number(document.querySelector("[name=sure]:checked")?.value) || null;
  if (!answer) return; // how sure, and words, go with an answer
  bout.answer = answer;
  keep.put(place, { answer, sure: bout.sure, words: bout.words });
  steps();
}

function choose(number) {
  const radio = all("[name=answer]")[number - 1];
  radio.checked = true;
  put();
  $("spoken").textContent = `${radio.parentNode.querySelector("b").textContent}, chosen`;
}

function next() {
  if (place + 1 < told.bouts.length) return open(place + 1);
  end();
}

function end() {
  show.stop();
  const left = told.bouts.length - coded();
  $("done-title").textContent = left ? "That was the last bout" : "All bouts are coded. Thank you.";
  $("done-text").textContent = left
    ? `${left} ${left === 1 ? "is" : "are"} not coded yet.`
    : "Your answers are kept in the session's folder.";
  $("review").textContent = left ? "Go to the first of them" : "Look at them again";
  view("done", $("done-title"));
}

async function stop() {
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
$("video").addEventListener("click", () => show.again());

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
    event.preventDefault();
    show.again();
  } else if (!$("single-keys").checked) {
    return;
  } else if (/^[1-5]$/.test(key)) {
    event.preventDefault();
    choose(Number(key));
  } else if (KEYS[key.toLowerCase()] && key !== " ") {
    event.preventDefault();
    DO[KEYS[key.toLowerCase()]]();
  }
});
addEventListener("beforeunload", (event) => {
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
