// The picture: drawn as it comes, mirrored as in a mirror, with quiet outlines of the faces.

const HEAD = 10; // bytes before the JPEG: kind, view, time
const SVG = "http://www.w3.org/2000/svg";
const SEATS = ["A", "B"];

/**
 * Draws pictures and outlines into `#stage`. `send` takes the message that a picture was seen.
 *
 * Pictures are decoded off the main thread and drawn in the next frame, the newest only. A picture
 * that is not drawn (tab in the back, picture hidden) is not reported as seen, and so the server
 * stops sending them by itself.
 */
export function createStage(send) {
  const root = document.getElementById("stage"), box = document.getElementById("views");
  let views = [], mirrored = true, skipped = false, names = ["", ""];
  const frames = frameCounter();

  function view() {
    const element = document.createElement("div");
    element.className = "view";
    const canvas = document.createElement("canvas");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("class", "outlines");
    svg.setAttribute("viewBox", "0 0 1 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    element.append(canvas, svg);
    const paint = canvas.getContext("2d");
    return { element, canvas, paint, svg, next: null, marks: new Map() };
  }

  function configure(options) {
    mirrored = options.mirrored;
    skipped = false;
    if (views.length !== options.views) views = Array.from({ length: options.views }, view);
    for (const v of views) v.canvas.classList.toggle("mirrored", mirrored);
    box.replaceChildren(...views.map((v) => v.element));
  }

  const visible = () => !document.hidden && root.offsetParent !== null && !root.classList.contains("is-covered");

  async function picture(buffer) {
    const head = new DataView(buffer), index = head.getUint8(1), t = head.getFloat64(2, true);
    const v = views[index];
    if (!v) return;
    skipped ||= !visible();
    if (skipped) return;
    try {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(buffer, HEAD)], { type: "image/jpeg" }));
      if (v.next && v.next.t > t) return bitmap.close();
      if (v.next) v.next.bitmap.close();
      v.next = { bitmap, t };
    } catch {
      send({ type: "ready" }); // a damaged picture must not stop those after it
    }
  }

  function draw() {
    requestAnimationFrame(draw);
    frames.tick();
    views.forEach((v, index) => {
      if (!v.next) return;
      const { bitmap, t } = v.next;
      v.next = null;
      if (v.canvas.width !== bitmap.width || v.canvas.height !== bitmap.height) {
        v.canvas.width = bitmap.width;
        v.canvas.height = bitmap.height;
      }
      v.paint.drawImage(bitmap, 0, 0);
      root.classList.add("has-picture");
      bitmap.close();
      send({ type: "seen", view: index, t, late: frames.late() });
    });
  }
  requestAnimationFrame(draw);

  /** Ask for pictures again if some were not drawn for a while. */
  function refresh() {
    if (!skipped || !visible()) return;
    skipped = false;
    send({ type: "ready" });
  }
  document.addEventListener("visibilitychange", refresh);

  /** Where x of the picture is on the screen. */
  const across = (x) => (mirrored ? 1 - x : x);

  function outlines(message) {
    const v = views[message.view];
    if (!v || !visible()) return;
    const there = new Set();
    for (const face of message.faces) {
      const who = SEATS[views.length > 1 ? message.view : face.seat];
      there.add(who);
      let mark = v.marks.get(who);
      if (!mark) {
        mark = { tag: document.createElement("span"), paths: ["under", "over"].map((kind) => path(v.svg, `${kind} ${who}`)) };
        mark.tag.className = "tag";
        v.element.append(mark.tag);
        v.marks.set(who, mark);
      }
      const d = curve(face.outline.map(([x, y]) => [across(x), y]));
      for (const p of mark.paths) p.setAttribute("d", d);
      const [x, y, w, h] = face.box;
      mark.tag.textContent = names[SEATS.indexOf(who)];
      mark.tag.hidden = !mark.tag.textContent;
      mark.tag.style.left = `${100 * across(x + w / 2)}%`;
      mark.tag.style.top = `${100 * Math.min(0.94, y + h)}%`;
    }
    for (const [who, mark] of v.marks) {
      if (!there.has(who)) {
        for (const p of mark.paths) p.remove();
        mark.tag.remove();
        v.marks.delete(who);
      }
    }
  }

  return {
    configure,
    picture,
    outlines,
    refresh,
    across,
    /** Name the people of seats 0 and 1 below their outlines. */
    name: (given) => { names = given; },
    cover(on) {
      root.classList.toggle("is-covered", on);
      refresh();
    },
  };
}

function path(svg, cls) {
  const node = document.createElementNS(SVG, "path");
  node.setAttribute("class", cls);
  svg.append(node);
  return node;
}

/** A closed curve that bends smoothly past all points. */
function curve(points) {
  const middle = ([x1, y1], [x2, y2]) => `${((x1 + x2) / 2).toFixed(4)} ${((y1 + y2) / 2).toFixed(4)}`;
  const parts = points.map((p, i) => {
    const next = points[(i + 1) % points.length];
    return `Q${p[0].toFixed(4)} ${p[1].toFixed(4)} ${middle(p, next)}`;
  });
  return `M${middle(points.at(-1), points[0])}${parts.join("")}Z`;
}

/** Counts how many of the screen's frames were missed over the last two seconds or so. */
function frameCounter() {
  const SPAN = 120, gaps = [];
  let last = 0;
  return {
    tick(now = performance.now()) {
      if (last && now - last < 500) gaps.push(now - last); // longer: the tab was in the back
      if (gaps.length > SPAN) gaps.shift();
      last = now;
    },
    late() {
      if (gaps.length < 10) return 0;
      const period = [...gaps].sort((a, b) => a - b)[gaps.length >> 2];
      const missed = gaps.reduce((sum, gap) => sum + Math.max(0, Math.round(gap / period) - 1), 0);
      return missed / (gaps.length + missed);
    },
  };
}
