// Ways of looking at a session: the page, the needle only, or nothing but (perhaps) a soft sound.

const byId = (id) => document.getElementById(id);
const REST_MS = 6000;

/** A soft sound of two tones, ready once the user has asked for it by key or click. */
function createChime() {
  let audio = null;
  return {
    prepare() {
      audio ??= new AudioContext();
      audio.resume();
    },
    play() {
      if (!audio) return;
      const start = audio.currentTime + 0.02;
      for (const [hertz, after] of [[392, 0], [523.25, 0.28]]) {
        const tone = audio.createOscillator(), volume = audio.createGain();
        tone.frequency.value = hertz;
        volume.gain.setValueAtTime(0, start + after);
        volume.gain.linearRampToValueAtTime(0.07, start + after + 0.09);
        volume.gain.exponentialRampToValueAtTime(0.0005, start + after + 1.7);
        tone.connect(volume).connect(audio.destination);
        tone.start(start + after);
        tone.stop(start + after + 1.8);
      }
    },
  };
}

/** Switches between "page", "focus" and "dark"; `changed` is called after each switch. */
export function createModes(changed) {
  const chime = createChime();
  let rest = 0;
  const wantsSound = () => document.querySelector("[name=cue]:checked").value === "sound";

  function set(mode) {
    document.body.dataset.mode = mode;
    if (mode === "dark") {
      if (wantsSound()) chime.prepare();
      byId("dark").querySelector("h2").focus({ preventScroll: true });
      wake();
    }
    changed(mode);
  }

  function wake() {
    byId("dark").classList.remove("resting");
    clearTimeout(rest);
    rest = setTimeout(() => byId("dark").classList.add("resting"), REST_MS);
  }
  for (const kind of ["pointermove", "pointerdown", "keydown"]) {
    addEventListener(kind, () => document.body.dataset.mode === "dark" && wake());
  }
  for (const radio of document.querySelectorAll("[name=cue]")) {
    radio.addEventListener("change", () => {
      if (!wantsSound()) return;
      chime.prepare();
      chime.play(); // so that one knows what to listen for
    });
  }

  return {
    toggle: (mode) => set(document.body.dataset.mode === mode ? "page" : mode),
    leave: () => set("page"),
    get now() { return document.body.dataset.mode; },
    /** Tell that there is a hint, in the way that was chosen. */
    cue() {
      if (document.body.dataset.mode === "dark" && wantsSound()) chime.play();
    },
  };
}
