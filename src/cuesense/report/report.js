"use strict";
// Draws the timeline as SVG and moves its cursor and window. No dependency, no request.
(() => {
  const byId = (id) => document.getElementById(id);
  if (!byId("timeline")) return; // nobody was found: there is nothing to draw
  const data = JSON.parse(byId("data").textContent);
  const PAD = 42, RIGHT = 8; // px left of the plots for axis labels, and right of them
  const MIN_WINDOW_S = Math.min(5, data.duration);
  const STEPS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
  const view = { from: 0, to: data.duration, cursor: 0, glow: null, width: 0 };

  // ---- series ---------------------------------------------------------------------------

  const decode = ({ step, v }) => Float64Array.from(v, (k) => (k === null ? NaN : k * step));
  const people = data.people.map((p) => ({
    ...p,
    series: Object.fromEntries(Object.entries(p.series).map(([k, s]) => [k, decode(s)])),
  }));
  const posterior = Object.fromEntries(
    Object.entries(data.posterior).map(([k, s]) => [k, decode(s)]));
  const contingency = decode(data.contingency);

  /** Means of `values` over at most `columns` columns of the window: [{t, y}], y NaN in gaps. */
  function resample(values, columns) {
    const first = Math.max(0, Math.floor(view.from / data.width) - 1);
    const last = Math.min(values.length, Math.ceil(view.to / data.width) + 1);
    const size = Math.max(1, Math.ceil((last - first) / columns));
    const points = [];
    for (let i = first - (first % size); i < last; i += size) {
      let sum = 0, n = 0;
      for (let j = i; j < Math.min(i + size, values.length); j++) {
        if (!Number.isNaN(values[j])) { sum += values[j]; n++; }
      }
      points.push({ t: (i + size / 2) * data.width, y: n ? sum / n : NaN });
    }
    return points;
  }

  function range(keys) {
    let low = Infinity, high = -Infinity;
    for (const person of people) {
      for (const key of keys) {
        for (const y of person.series[key]) {
          if (y < low) low = y;
          if (y > high) high = y;
        }
      }
    }
    return low <= high ? [low, high] : null;
  }

  const at = (runs, t) => runs.find(([start, end]) => start <= t && t < end);
  const value = (series, t) => series[Math.min(series.length - 1, Math.floor(t / data.width))];

  // ---- words ----------------------------------------------------------------------------

  const signed = (x, digits = 1) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(digits);
  const two = (n) => String(n).padStart(2, "0");
  function clock(t, tenths = false) {
    const s = tenths ? Math.floor(t * 10) / 10 : Math.floor(t);
    const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60, rest = s - 60 * Math.floor(s / 60);
    const seconds = tenths ? rest.toFixed(1).padStart(4, "0") : two(rest);
    return h ? `${h}:${two(m)}:${seconds}` : `${m}:${seconds}`;
  }

  // ---- SVG ------------------------------------------------------------------------------

  function el(parent, name, attributes = {}, text) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [k, v] of Object.entries(attributes)) {
      node.setAttribute(k, typeof v === "number" ? Math.round(v * 100) / 100 : v);
    }
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }
  const plotWidth = () => view.width - PAD - RIGHT;
  const x = (t) => PAD + (plotWidth() * (t - view.from)) / (view.to - view.from);
  const timeAt = (px) => view.from + ((px - PAD) / plotWidth()) * (view.to - view.from);
  const columns = () => Math.max(50, Math.floor(plotWidth() / 1.5));

  function clear(svg, height) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${view.width} ${height}`);
    svg.setAttribute("height", height);
  }

  /** Add a rectangle from `start` to `end` s, cut to the window; null if it lies outside. */
  function block(svg, start, end, y, height, cls, least = 0) {
    if (end <= view.from || start >= view.to) return null;
    const left = x(Math.max(start, view.from)), right = x(Math.min(end, view.to));
    const width = Math.max(least, right - left);
    return el(svg, "rect", { x: left, y, width, height, class: cls });
  }

  function gridlines(svg, height) {
    for (const t of times()) el(svg, "line", { class: "grid", x1: x(t), x2: x(t), y1: 0, y2: height });
  }
  function times() {
    const span = view.to - view.from;
    const step = STEPS_S.find((s) => (plotWidth() * s) / span >= 62) || 7200;
    const list = [];
    for (let t = Math.ceil(view.from / step - 1e-9) * step; t <= view.to + 1e-9; t += step) list.push(t);
    return list;
  }

  /** Add one line per unbroken piece of `points`; with `sd`, a band of ± sd under it. */
  function trace(svg, who, points, y, sd) {
    const line = [], band = [];
    let upper = [], lower = [], pen = "M";
    const close = () => {
      if (upper.length) band.push(`M${upper.join("L")}L${lower.reverse().join("L")}Z`);
      upper = []; lower = []; pen = "M";
    };
    points.forEach((p, i) => {
      if (Number.isNaN(p.y) || p.t < view.from - data.width || p.t > view.to + data.width) return close();
      const px = Math.min(Math.max(x(p.t), PAD), view.width - RIGHT).toFixed(1);
      line.push(`${pen}${px} ${y(p.y).toFixed(1)}`);
      if (pen === "M") line.push(`h.8`); // a lone value still shows
      pen = "L";
      if (sd && !Number.isNaN(sd[i].y)) {
        upper.push(`${px} ${y(p.y + sd[i].y).toFixed(1)}`);
        lower.push(`${px} ${y(p.y - sd[i].y).toFixed(1)}`);
      }
    });
    close();
    if (band.length) el(svg, "path", { class: `band ${who}`, d: band.join("") });
    el(svg, "path", { class: `line ${who}`, d: line.join("") });
  }

  // ---- tracks ---------------------------------------------------------------------------

  const short = (label) => label.split(";")[0];
  const slug = (label) => short(label).replace(" ", "-");
  const draw = {
    mode(svg) {
      clear(svg, 26);
      for (const [start, end, label] of data.labels) {
        const box = block(svg, start, end, 1, 24, `mode ${slug(label)}`);
        if (!box) continue;
        const reason = at(data.reasons, (start + end) / 2);
        const words = label === "insufficient" && reason ? [reason[2], "insufficient"] : [label, short(label)];
        const width = Number(box.getAttribute("width"));
        const fits = words.find((w) => width > 6.1 * w.length + 8);
        if (fits) {
          const cls = label === "insufficient" ? "halo" : "name mode-name halo";
          el(svg, "text", { class: cls, x: Number(box.getAttribute("x")) + 5, y: 17 }, fits);
        }
      }
      for (const [start, end] of data.variants) block(svg, start, end, 24, 2, "zero-fill");
    },
    contingency(svg) {
      const height = 44, y = (p) => height - 4 - (height - 8) * p;
      clear(svg, height);
      el(svg, "rect", { class: "rail", x: PAD, y: 0, width: plotWidth(), height });
      for (const p of [0.8, 0.5]) {
        el(svg, "line", { class: p === 0.8 ? "zero" : "grid", x1: PAD, x2: view.width - RIGHT, y1: y(p), y2: y(p) });
        el(svg, "text", { class: "axis", x: PAD - 5, y: y(p) + 3.5, "text-anchor": "end" }, `${100 * p} %`);
      }
      trace(svg, "both", resample(contingency, columns()), y);
    },
    arousal: (svg) => states(svg, "arousal"),
    valence: (svg) => states(svg, "valence"),
    floor(svg) {
      clear(svg, 14 * people.length);
      people.forEach((p, i) => {
        lane(svg, p.id, 14 * i, 13);
        for (const [start, end, detail] of p.turns) {
          block(svg, start, end, 14 * i + 2, 9, `fill ${p.id}${detail === "within" ? " faint" : ""}`, 1);
          if (detail === "interruption" && start > view.from && start < view.to) {
            el(svg, "path", { class: "name", d: `M${x(start)} ${14 * i + 1}h5l-5 7z` });
          }
        }
      });
    },
    responses(svg) {
      clear(svg, 16 * people.length);
      people.forEach((p, i) => {
        const y = 16 * i;
        lane(svg, p.id, y, 15);
        const inside = (t) => t >= view.from && t <= view.to;
        for (const t of p.nods.filter(inside)) {
          el(svg, "path", { class: `stroke ${p.id}`, d: `M${x(t)} ${y + 2}v11` });
        }
        for (const t of p.shakes.filter(inside)) {
          el(svg, "path", { class: `stroke ${p.id}`, d: `M${x(t) - 3} ${y + 7.5}h6` });
        }
        for (const t of p.backchannels.filter(inside)) {
          el(svg, "circle", { class: `fill ${p.id}`, cx: x(t), cy: y + 7.5, r: 2.8 });
        }
      });
    },
    gaze(svg) {
      clear(svg, 16 * people.length);
      people.forEach((p, i) => {
        const low = 16 * i + 14;
        lane(svg, p.id, 16 * i, 15);
        shareArea(svg, p, "gaze_on_partner", low, 13);
      });
    },
    voice_A: (svg) => voice(svg, "A"),
    voice_B: (svg) => voice(svg, "B"),
    coverage(svg) {
      const rows = people.flatMap((p) => data.families.map((family) => [p, family]));
      clear(svg, 11 * rows.length);
      rows.forEach(([p, family], i) => {
        lane(svg, `${p.id} ${family}`, 11 * i, 9);
        block(svg, 0, data.duration, 11 * i + 2, 5, `fill faint ${p.id}`);
        for (const [start, end] of p.gaps[family]) {
          block(svg, start, end, 11 * i, 9, "clean", 1);
          block(svg, start, end, 11 * i, 9, "gap", 1);
        }
      });
    },
  };

  function lane(svg, name, y, height) {
    el(svg, "rect", { class: "rail", x: PAD, y, width: plotWidth(), height });
    el(svg, "text", { x: PAD - 5, y: y + height / 2 + 3.5, "text-anchor": "end" }, name);
  }

  /** Add a bar as high as the share in each column, hatched where there is no value. */
  function shareArea(svg, p, key, low, height) {
    const points = resample(p.series[key], columns());
    let d = "", gaps = "";
    points.forEach((point, i) => {
      const next = points[i + 1] || { t: point.t + data.width };
      const half = (next.t - point.t) / 2;
      const a = Math.max(PAD, x(point.t - half)), b = Math.min(view.width - RIGHT, x(point.t + half));
      if (b <= a) return;
      const missing = Number.isNaN(point.y), top = low - height * (missing ? 1 : point.y);
      const bar = `M${a.toFixed(1)} ${low}V${top.toFixed(1)}H${b.toFixed(1)}V${low}Z`;
      if (missing) gaps += bar;
      else d += bar;
    });
    el(svg, "path", { class: `fill ${p.id}`, d });
    el(svg, "path", { class: "gap", d: gaps });
  }

  function states(svg, key) {
    const height = 120, top = 5, bottom = height - 22;
    clear(svg, height);
    const [low, high] = range([key]) || [-2, 2];
    const most = Math.max(2, Math.ceil(high)), least = Math.min(-2, Math.floor(low));
    const y = (v) => bottom - ((bottom - top) * (Math.min(most, Math.max(least, v)) - least)) / (most - least);
    el(svg, "rect", { class: "usual", x: PAD, y: y(1), width: plotWidth(), height: y(-1) - y(1) });
    gridlines(svg, bottom);
    const step = most - least > 8 ? 4 : 2;
    for (let v = step * Math.ceil(least / step); v <= most; v += step) {
      el(svg, "line", { class: v ? "grid" : "zero", x1: PAD, x2: view.width - RIGHT, y1: y(v), y2: y(v) });
      const name = v ? signed(v, 0) : "usual";
      el(svg, "text", { class: "axis", x: PAD - 5, y: y(v) + 3.5, "text-anchor": "end" }, name);
    }
    for (const p of people) {
      trace(svg, p.id, resample(p.series[key], columns()), y, resample(p.series[`${key}_sd`], columns()));
    }
    for (const [start, end] of data.learned) block(svg, start, end, 0, 3, "learned");
    people.forEach((p, i) => {
      for (const [start, end] of p.gaps.state) block(svg, start, end, bottom + 6 + 8 * i, 6, "gap");
      el(svg, "text", { class: "tiny", x: PAD - 5, y: bottom + 12 + 8 * i, "text-anchor": "end" }, p.id);
    });
  }

  function voice(svg, who) {
    const rows = [["f0_hz", "pitch"], ["loudness_db", "level"], ["syllable_rate", "pace"]];
    const height = 27, person = people.find((p) => p.id === who);
    clear(svg, height * rows.length);
    rows.forEach(([key, name], i) => {
      const top = height * i + 3, bottom = height * (i + 1) - 4;
      const [low, high] = data.ranges[who][key];
      const y = (v) => bottom - ((bottom - top) * (Math.min(high, Math.max(low, v)) - low)) / (high - low || 1);
      el(svg, "rect", { class: "rail", x: PAD, y: top - 3, width: plotWidth(), height: height - 2 });
      el(svg, "text", { class: "axis", x: PAD - 5, y: (top + bottom) / 2 + 3.5, "text-anchor": "end" }, name);
      trace(svg, who, resample(person.series[key], columns()), y);
      const scale = `${Math.round(low)} to ${Math.round(high)} ${data.units[key]}`.replaceAll("-", "−");
      el(svg, "text", { class: "halo scale", x: view.width - RIGHT - 3, y: top + 7, "text-anchor": "end" }, scale);
    });
    for (const [start, end] of person.gaps.voice) block(svg, start, end, 0, height * rows.length - 2, "gap");
  }

  /** The whole recording's modes, the window on it, and the window's time axis below. */
  function overview() {
    const svg = byId("overview");
    clear(svg, 38);
    const whole = (t) => PAD + (plotWidth() * t) / data.duration;
    el(svg, "rect", { class: "rail", x: PAD, y: 2, width: plotWidth(), height: 12 });
    for (const [start, end, label] of data.labels) {
      const width = whole(end) - whole(start);
      el(svg, "rect", { class: `mode ${slug(label)}`, x: whole(start), y: 2, width, height: 12 });
    }
    for (const [start, end] of data.learned) {
      const width = whole(Math.min(end, data.duration)) - whole(start);
      el(svg, "rect", { class: "learned", x: whole(start), y: 0, width, height: 2 });
    }
    const left = whole(view.from), right = whole(view.to), end = view.width - RIGHT;
    if (right - left < plotWidth() - 1) {
      el(svg, "rect", { class: "shade", x: PAD, y: 1, width: left - PAD, height: 14 });
      el(svg, "rect", { class: "shade", x: right, y: 1, width: end - right, height: 14 });
      el(svg, "path", { class: "rail", d: `M${left} 15H${right}L${end} 24H${PAD}Z` });
      el(svg, "rect", { class: "window", x: left, y: 1, width: Math.max(2, right - left), height: 14 });
    }
    el(svg, "line", { class: "stroke hair-here", x1: whole(view.cursor), x2: whole(view.cursor), y1: 0, y2: 16 });
    for (const t of times()) {
      const tenths = times()[1] - times()[0] < 1;
      const anchor = x(t) > end - 14 ? "end" : "middle";
      el(svg, "text", { class: "axis", x: Math.min(x(t), end), y: 35, "text-anchor": anchor }, clock(t, tenths));
    }
  }

  // ---- cursor and window ----------------------------------------------------------------

  const tracks = [...document.querySelectorAll("[data-track] > svg")];
  const slider = byId("cursor"), spoken = byId("spoken");

  function redraw(width) {
    view.width = width || Math.max(240, slider.clientWidth);
    for (const svg of tracks) draw[svg.parentNode.dataset.track](svg);
    overview();
    place();
  }

  /** What is known of one person at the cursor, in words. */
  function describe(p, t) {
    const get = (key) => value(p.series[key], t), parts = [];
    for (const [key, name] of [["arousal", "activation"], ["valence", "pleasantness"]]) {
      if (!Number.isNaN(get(key))) {
        parts.push(`${name} ${signed(get(key))} ± ${get(`${key}_sd`).toFixed(1)}`);
      }
    }
    const gap = at(p.gaps.state, t);
    if (!parts.length && gap) parts.push(gap[2]);
    if (at(p.turns, t)) parts.push("has the floor");
    for (const key of ["f0_hz", "loudness_db", "syllable_rate"]) {
      if (Number.isNaN(get(key))) continue;
      const digits = key === "syllable_rate" ? 1 : 0;
      parts.push(`${get(key).toFixed(digits).replace("-", "−")} ${data.units[key]}`);
    }
    const gaze = get("gaze_on_partner");
    if (!Number.isNaN(gaze)) parts.push(gaze >= 0.5 ? "eyes on the other" : "looks away");
    return parts.join(" · ") || "no data";
  }

  function mode(t) {
    const run = at(data.labels, t);
    if (!run) return "";
    const percent = (p) => `${Math.round(100 * p)} % likely`;
    const variant = at(data.variants, t), stance = data.stances[run[2]], answers = value(contingency, t);
    const about = Number.isNaN(answers) ? "" : `, answers this partner: ${percent(answers)}`;
    const which = variant ? ` (${variant[2]})` : "";
    if (stance) {
      const p = value(posterior[stance], t);
      return `looks like ${run[2]}${which}${Number.isNaN(p) ? "" : `, ${stance} ${percent(p)} under the model`}${about}`;
    }
    const reason = at(data.reasons, t);
    return run[2] + which + (reason ? `: ${reason[2]}` : "") + about;
  }

  function place() {
    const t = view.cursor, words = mode(t), offset = slider.offsetLeft;
    byId("hair").style.transform = `translateX(${offset + x(t)}px)`;
    byId("hair").hidden = t < view.from || t > view.to;
    const glow = byId("glow");
    glow.hidden = !view.glow;
    if (view.glow) {
      const left = Math.max(x(view.glow[0]), PAD), right = Math.min(x(view.glow[1]), view.width - RIGHT);
      glow.hidden = right <= PAD || left >= view.width - RIGHT;
      glow.style.transform = `translateX(${offset + left}px)`;
      glow.style.width = `${Math.max(3, right - left)}px`;
    }
    const readout = byId("readout");
    readout.replaceChildren();
    const add = (cls, bold, rest) => {
      const line = document.createElement("div"), b = document.createElement("b");
      b.className = cls;
      b.textContent = bold;
      line.append(b, rest ? ` ${rest}` : "");
      readout.append(line);
    };
    add("", clock(t, true), words);
    for (const p of people) add(p.id, p.label, describe(p, t));
    slider.setAttribute("aria-valuenow", t.toFixed(1));
    const all = people.map((p) => `${p.label}: ${describe(p, t)}`);
    slider.setAttribute("aria-valuetext", [clock(t), words, ...all].filter(Boolean).join(". "));
  }

  function show(from, to) {
    const span = Math.min(data.duration, Math.max(MIN_WINDOW_S, to - from));
    view.from = Math.min(Math.max(0, (from + to - span) / 2), data.duration - span);
    view.to = view.from + span;
    redraw();
  }
  function zoom(factor) {
    const span = (view.to - view.from) * factor;
    show(view.cursor - span / 2, view.cursor + span / 2);
  }
  function move(t, follow = true) {
    view.cursor = Math.min(Math.max(0, t), data.duration);
    const span = view.to - view.from;
    if (follow && (view.cursor < view.from || view.cursor > view.to)) {
      show(view.cursor - span / 2, view.cursor + span / 2);
    } else {
      overview();
      place();
    }
  }

  /** Follow a link such as #t=83 or #t=83-95. */
  function jump() {
    const match = /^#t=([\d.]+)(?:-([\d.]+))?$/.exec(location.hash);
    if (!match) {
      const target = location.hash.length > 1 && byId(location.hash.slice(1));
      if (target && target.tagName === "DETAILS") target.open = true;
      return;
    }
    const start = Number(match[1]), end = Number(match[2] || start);
    const margin = Math.max(15, 0.75 * (end - start));
    view.glow = [start, end];
    view.cursor = Math.min(start, data.duration);
    show(start - margin, end + margin);
    const panel = byId("timeline");
    if (getComputedStyle(panel).position !== "sticky") {
      byId("back").hidden = false;
      panel.scrollIntoView();
      slider.focus({ preventScroll: true });
    }
    spoken.textContent = `Timeline at ${slider.getAttribute("aria-valuetext")}`;
  }

  const keys = {
    ArrowLeft: (e) => move(view.cursor - (e.shiftKey ? 10 : 1)),
    ArrowRight: (e) => move(view.cursor + (e.shiftKey ? 10 : 1)),
    PageUp: () => move(view.cursor - 30),
    PageDown: () => move(view.cursor + 30),
    Home: () => move(0),
    End: () => move(data.duration),
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    0: () => show(0, data.duration),
  };
  slider.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event);
  });
  const pixels = (event) => event.clientX - slider.getBoundingClientRect().left;
  slider.addEventListener("pointerdown", (event) => slider.setPointerCapture(event.pointerId));
  for (const kind of ["pointerdown", "pointermove"]) {
    slider.addEventListener(kind, (event) => {
      if (event.buttons) move(((pixels(event) - PAD) / plotWidth()) * data.duration);
    });
  }
  byId("tracks").addEventListener("pointermove", (event) => {
    if (slider.contains(event.target)) return;
    const px = pixels(event);
    if (px >= PAD && px <= view.width - RIGHT) move(timeAt(px), false);
  });
  byId("tracks").addEventListener("dblclick", () => zoom(0.5));
  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("whole").addEventListener("click", () => { view.glow = null; show(0, data.duration); });
  byId("back").addEventListener("click", () => { byId("back").hidden = true; history.back(); });
  // Following the same link twice changes no hash: the click still has to move the timeline.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.at");
    if (link && link.hash === location.hash) jump();
  });
  addEventListener("hashchange", jump);
  addEventListener("resize", () => redraw());
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll(".how, #provenance > details")) details.open = true;
    show(0, data.duration);
    redraw(640);
  });
  addEventListener("afterprint", () => redraw());
  redraw();
  jump();
})();
