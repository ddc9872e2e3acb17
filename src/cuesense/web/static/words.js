// How things are said on the page: states, numbers, reasons. Plain, kind, about what was seen.

/** The part of a label that tells it from the others: "calm" of "calm; not shown to be …". */
export const short = (label) => label.split(";")[0];
/** Labels that name what the listener does. */
export const LOOKS = ["mirroring", "regulating", "disengaged", "calm", "moved"];

const STATES = {
  mirroring: { label: "mirroring", why: "you move along with your partner" },
  regulating: { label: "regulating", why: "you stay steadier than your partner" },
  disengaged: { label: "disengaged", why: "little of an answer can be seen or heard" },
  responding: { label: "responding", why: "you answer your partner, in no one manner" },
  calm: { label: "calm", why: "not shown to be responding yet" },
  moved: { label: "moved", why: "not shown to be responding yet" },
  "no demand": { label: "calm between you", why: "your partner is near their usual" },
  insufficient: { label: "not enough to say", why: "" },
};
const VARIANTS = {
  "mirroring sharing": "you share in something good",
  "mirroring escalating": "both of you are getting more worked up",
  "regulating sharing": "you are steady, and glad with your partner",
};
const SOON = ["under", "uncalibrated"]; // what time alone will mend

/** What a state says: the label, and the line below it. `reasons` come from the server. */
export function stateWords(state, reasons) {
  const words = STATES[short(state.label)] || STATES.insufficient;
  if (words.why && state.label !== "no demand") {
    if (words.why.startsWith("not shown")) return words; // a variant would hide the second claim
    return { label: words.label, why: VARIANTS[`${state.label} ${state.variant}`] || words.why };
  }
  const known = reasons.find(([start]) => state.reason.startsWith(start));
  const yet = SOON.some((start) => state.reason.startsWith(start)) ? " yet" : "";
  if (words.why) return words;
  return { label: words.label + yet, why: known ? known[1] : state.reason };
}

export const signed = (x, digits = 1) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(digits);

/** Seconds as m:ss or h:mm:ss. */
export function clock(t) {
  const s = Math.max(0, Math.floor(t)), two = (n) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** What is kept of this session, as the header says it. */
export function kept({ picture, sound }) {
  const what = [picture && "picture", sound && "sound"].filter(Boolean);
  return what.length ? `recording ${what.join(" and ")}` : "numbers only, no recording";
}

const CAPTURE = {
  NotAllowedError: "Camera or microphone are not allowed for this page: allow both in the browser's address bar, then try again.",
  NotFoundError: "No camera or no microphone was found: plug one in, then try again.",
  NotReadableError: "Camera or microphone are in use by another program: close it there, then try again.",
  OverconstrainedError: "The camera cannot give a usable picture: choose another one, then try again.",
};
/** One sentence for what getUserMedia said. */
export const captureWords = (name) =>
  CAPTURE[name] || "Camera and microphone could not be turned on: check that they are plugged in, then try again.";
