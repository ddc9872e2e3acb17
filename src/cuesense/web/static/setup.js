// Set-up in one view: who listens, can both be seen and heard, what is kept, do both agree.

const byId = (id) => document.getElementById(id);
const SIGNS = {
  ok: ["M4 10.5l4 4 8-9", "fine"],
  warn: ["M10 4v7M10 15.2v.1", "look here"],
  bad: ["M5 5l10 10M15 5L5 15", "not working"],
};

/** A row of eleven choices, 0 to 10; `value()` is null as long as none is taken. */
export function createScale(element) {
  const name = `calm-${element.dataset.scale}`;
  for (let i = 0; i <= 10; i++) {
    const label = document.createElement("label"), input = document.createElement("input"), text = document.createElement("span");
    Object.assign(input, { type: "radio", name, value: i });
    text.textContent = i;
    // A second click takes the answer back: it may be left out.
    input.addEventListener("click", () => {
      if (input.dataset.taken) input.checked = false;
      for (const other of element.querySelectorAll("input")) delete other.dataset.taken;
      if (input.checked) input.dataset.taken = "1";
    });
    label.append(input, text);
    element.append(label);
  }
  return { value: () => { const taken = element.querySelector("input:checked"); return taken ? Number(taken.value) : null; } };
}

/**
 * Runs the set-up form. `send` takes messages; `across(x)` says where x of the picture is on the
 * screen: "left" is said to the user as they see it, and to cuesense as the picture has it.
 */
export function createSetup(send, across) {
  const before = createScale(document.querySelector("[data-scale=before]"));
  let options = [], buttons = [];

  function configure(hello) {
    byId("keep").hidden = !hello.can_keep;
    byId("folder").textContent = hello.folder;
    const left = across(0) === 0 ? "left" : "right", right = left === "left" ? "right" : "left";
    options = hello.views > 1
      ? [["A", "First camera"], ["B", "Second camera"], ["auto", "Not sure yet"]]
      : [[left, "Left person"], [right, "Right person"], ["auto", "Not sure yet"]];
    const seat = { A: "left", B: "right" }[hello.listener]; // one picture: A is on its left
    const taken = chosen() || (hello.views === 1 && seat) || hello.listener || "auto";
    byId("listeners").replaceChildren(...options.map(([value, text]) => {
      const label = document.createElement("label"), input = document.createElement("input"), span = document.createElement("span");
      Object.assign(input, { type: "radio", name: "listener", value, checked: value === taken });
      input.addEventListener("change", mark);
      span.textContent = text;
      label.className = "pill";
      label.append(input, span);
      return label;
    }));
    mark();
  }

  const chosen = () => document.querySelector("[name=listener]:checked")?.value;

  function mark() {
    byId("who-hint").textContent = chosen() === "auto"
      ? "Click your face, or choose here. Not sure yet: it will be whoever speaks less at first."
      : "Click your face, or choose here.";
    for (const button of buttons) {
      const on = button.dataset.value === chosen();
      button.classList.toggle("chosen", on);
      button.firstChild.textContent = on ? "✓ I listen" : "I listen";
    }
  }

  /** Lay a button over each face: "that is me". The radio buttons do the same by keyboard. */
  function faces(message, views) {
    const seen = message.faces;
    const middle = (face) => face.box[0] + face.box[2] / 2;
    const own = buttons.filter((b) => Number(b.dataset.view) === message.view);
    if (own.length !== seen.length) {
      for (const b of own) b.remove();
      buttons = buttons.filter((b) => !own.includes(b));
      seen.forEach(() => buttons.push(faceButton(message.view)));
    }
    const sorted = [...seen].sort((a, b) => middle(a) - middle(b));
    buttons.filter((b) => Number(b.dataset.view) === message.view).forEach((button, i) => {
      const face = sorted[i], [x, y, w, h] = face.box;
      const [from, width] = views > 1 ? [message.view / views, 1 / views] : [0, 1];
      const left = Math.min(across(x), across(x + w));
      button.style.left = `${100 * (from + width * left)}%`;
      button.style.top = `${100 * y}%`;
      button.style.width = `${100 * width * w}%`;
      button.style.height = `${100 * h}%`;
      const alone = sorted.length === 1 && middle(face) > 0.5;
      button.dataset.value = views > 1 ? "AB"[message.view] : i === 0 && !alone ? "left" : "right";
    });
    mark();
  }

  function faceButton(view) {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    button.dataset.view = view;
    button.append(document.createElement("span"));
    button.addEventListener("click", () => {
      const radio = document.querySelector(`[name=listener][value=${button.dataset.value}]`);
      radio.checked = true;
      mark();
    });
    byId("faces").append(button);
    return button;
  }

  function checks(items) {
    const list = byId("checks-list");
    const text = JSON.stringify(items);
    if (list.dataset.items === text) return; // nothing new: nothing for a screen reader to repeat
    list.dataset.items = text;
    byId("checks").hidden = !items.length;
    list.replaceChildren(...items.map(({ what, state, sentence }) => {
      const item = document.createElement("li"), words = document.createElement("span");
      words.textContent = sentence || `${what} is fine`;
      item.append(sign(state), words);
      return item;
    }));
  }

  function sign(state) {
    const [d, title] = SIGNS[state] || SIGNS.warn;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 20 20");
    svg.setAttribute("class", state);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", title);
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", d);
    svg.append(path);
    return svg;
  }

  /** The loudest channel, from quiet (-60 dB) to loud (-10 dB). */
  function sound({ channels }) {
    const loudest = Math.max(-Infinity, ...channels.map((c) => c.loudness_db ?? -Infinity));
    byId("level").setAttribute("width", Math.min(100, Math.max(0, 2 * (loudest + 60))).toFixed(0));
  }

  for (const id of ["keep-picture", "keep-sound"]) {
    byId(id).addEventListener("change", () => {
      byId("passphrase-row").hidden = !byId("keep-picture").checked && !byId("keep-sound").checked;
    });
  }
  byId("consent").addEventListener("change", () => { byId("consent-missing").textContent = ""; });
  byId("setup").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("consent").checked) {
      byId("consent-missing").textContent = "Please ask each other first, then tick this.";
      byId("consent").focus();
      return;
    }
    const calm = before.value();
    if (calm !== null) send({ type: "checkin", when: "before", calm, note: "" });
    const keep = { keep_picture: byId("keep-picture").checked, keep_sound: byId("keep-sound").checked };
    const passphrase = (keep.keep_picture || keep.keep_sound) && byId("passphrase").value;
    send({ type: "begin", listener: chosen(), ...keep, passphrase: passphrase || null, consent: true });
    byId("passphrase").value = "";
  });

  return { configure, faces, checks, sound };
}
