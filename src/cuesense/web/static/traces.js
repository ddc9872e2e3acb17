// Two calm lines over the last two minutes, in SD of each person's own usual.

const SPAN_S = 120, CALM_S = 0.8, BREAK_S = 1.0, LEFT = 72, RIGHT = 10, TOP = 8, BOTTOM = 20;
const SVG = "http://www.w3.org/2000/svg";
const ENDS = { arousal: ["activated", "calm"], valence: ["pleasant", "unpleasant"] };

/** Keeps the last two minutes and draws them into the SVG elements given by column. */
export function createTraces(elements) {
  let rows = [];
  const redraw = () => Object.entries(elements).forEach(([column, svg]) => draw(svg, column, rows));
  new ResizeObserver(redraw).observe(elements.arousal);
  return {
    /** Start from what the server remembers: [{t, A: {arousal, valence}, B: …}]. */
    reset(history) {
      rows = [...history];
      redraw();
    },
    push(state) {
      rows.push({ t: state.t, A: state.people.A, B: state.people.B });
      while (rows[0].t < state.t - SPAN_S) rows.shift();
      if (!document.hidden) redraw();
    },
    redraw,
  };
}

function draw(svg, column, rows) {
  const width = svg.clientWidth, height = svg.clientHeight;
  if (!width) return; // not shown
  const now = rows.length ? rows.at(-1).t : 0;
  const values = rows.flatMap((r) => [r.A[column], r.B[column]]).filter((v) => v !== null);
  const reach = Math.max(2, Math.min(6, Math.ceil(Math.max(0, ...values.map(Math.abs)))));
  const x = (t) => width - RIGHT - ((now - t) / SPAN_S) * (width - LEFT - RIGHT);
  const y = (v) => TOP + ((reach - Math.min(reach, Math.max(-reach, v))) / (2 * reach)) * (height - TOP - BOTTOM);

  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  add(svg, "rect", { class: "usual", x: LEFT, y: y(1), width: width - LEFT - RIGHT, height: y(-1) - y(1) });
  add(svg, "line", { class: "zero", x1: LEFT, x2: width - RIGHT, y1: y(0), y2: y(0) });
  const [high, low] = ENDS[column];
  for (const [text, at] of [[high, y(reach) + 8], ["usual", y(0) + 3.5], [low, y(-reach)]]) {
    add(svg, "text", { x: LEFT - 6, y: at, "text-anchor": "end" }, text);
  }
  for (let ago = 0; ago <= SPAN_S; ago += 30) {
    const text = ago ? `−${ago} s` : "now";
    const anchor = ago ? "middle" : "end";
    add(svg, "line", { class: "tick", x1: x(now - ago), x2: x(now - ago), y1: height - BOTTOM + 1, y2: height - BOTTOM + 5 });
    add(svg, "text", { x: x(now - ago), y: height - 4, "text-anchor": anchor }, text);
  }
  for (const who of ["A", "B"]) {
    add(svg, "path", { class: `line ${who}`, d: line(rows, who, column, x, y) });
    const last = rows.length ? calmed(rows, rows.length - 1, who, column) : null;
    if (last !== null) add(svg, "circle", { class: `dot ${who}`, cx: x(now), cy: y(last), r: 3.4 });
  }
}

/** The mean of what is known within CALM_S of row `i`; null where nothing is known at it. */
function calmed(rows, i, who, column) {
  if (rows[i][who][column] === null) return null;
  let sum = 0, n = 0;
  for (const step of [-1, 1]) {
    for (let j = step > 0 ? i : i - 1; rows[j] && Math.abs(rows[j].t - rows[i].t) <= CALM_S; j += step) {
      const value = rows[j][who][column];
      if (value === null) break; // never across a gap
      sum += value;
      n += 1;
    }
  }
  return sum / n;
}

/** One piece per unbroken run: what is missing stays a gap. */
function line(rows, who, column, x, y) {
  let d = "", pen = "M", last = -Infinity;
  for (const [i, row] of rows.entries()) {
    const value = calmed(rows, i, who, column);
    if (value === null) {
      pen = "M";
      continue;
    }
    if (row.t - last > BREAK_S) pen = "M";
    d += `${pen}${x(row.t).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
    last = row.t;
  }
  return d;
}

function add(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, typeof value === "number" ? value.toFixed(1) : value);
  }
  if (text !== undefined) node.textContent = text;
  parent.append(node);
}
