// Everything else, one key away: what is heard and seen of each person, and how well it runs.

import { signed } from "./words.js";

const EVERY_MS = 1000; // numbers that change more often cannot be read

const digits = (n, unit) => (v) => `${v.toFixed(n).replace("-", "−")} ${unit}`;
/** Rows of the table: what, column, how it is written, and the reason column if it is missing. */
const ROWS = [
  ["activation", "arousal", (v) => signed(v), "state_reason"],
  ["pleasantness", "valence", (v) => signed(v), "state_reason"],
  ["pitch", "f0_hz", digits(0, "Hz"), "voice_reason"],
  ["pace", "syllable_rate", digits(1, "syll/s"), "voice_reason"],
  ["volume", "loudness_db", digits(0, "dB"), "voice_reason"],
  ["speaking", "speaking", (v) => (v >= 0.5 ? "yes" : "no"), "voice_reason"],
  ["looks at the other", "gaze_on_partner", (v) => (v >= 0.5 ? "yes" : "no"), "face_reason"],
  ["body motion", "motion_energy", (v) => `${(100 * v).toFixed(1)} %`, "face_reason"],
  ["face quality", "quality", (v) => `${Math.round(100 * v)} %`, "face_reason"],
];

/** Writes states into the table and the list below it, at most once a second. */
export function createDetails(elements) {
  let last = -Infinity, reasons = {};
  const cells = ROWS.map(([name]) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const pair = [document.createElement("td"), document.createElement("td")];
    row.append(head, ...pair);
    elements.rows.append(row);
    return pair;
  });

  function show(state, order) {
    const now = performance.now();
    if (elements.panel.hidden || now - last < EVERY_MS) return;
    last = now;
    ROWS.forEach(([, column, write, reason], i) => {
      order.forEach((who, j) => {
        const person = state.people[who], value = person[column], cell = cells[i][j];
        const missing = value === null || value === undefined;
        cell.textContent = missing ? reasons[person[reason]] || "–" : write(value);
        cell.className = missing ? "none" : "";
      });
    });
    const { latency_ms: ms } = state;
    const time = (v) => (v === null || v === undefined ? "–" : `${Math.round(v)} ms`);
    const percent = (p) => `${Math.round(100 * p)} %`;
    const chance = state.by_chance === null ? "" : ` (a wrong partner: ${percent(state.by_chance)})`;
    facts([
      ["you answer this partner", state.contingency === null ? "–" : `${percent(state.contingency)} likely${chance}`],
      ["that rests on", state.rests_on.join("; ") || "–"],
      ["it could also be", state.rival || "–"],
      ["your share of the talk", state.turn_share === null ? "–" : percent(state.turn_share)],
      ["your nods", state.nods],
      ["your “mm-hm”s", state.backchannels],
      ["pictures per second", state.fps === null ? "–" : state.fps.toFixed(0)],
      ["pictures dropped", state.dropped],
      ["picture is behind by", time(ms.picture)],
      ["cues are behind by", time(ms.cues)],
      ["needle is behind by", time(ms.label)],
    ]);
  }

  function facts(pairs) {
    const nodes = pairs.flatMap(([term, text]) => {
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = text;
      return [dt, dd];
    });
    elements.facts.replaceChildren(...nodes);
  }

  return {
    show,
    /** Show the next state at once; `words` are the reasons' words, by code. */
    configure(words) {
      reasons = words;
    },
    soon: () => { last = -Infinity; },
  };
}
