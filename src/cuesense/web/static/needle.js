// The one needle: mirroring to the left, regulating to the right, and clearly neither. It is pale
// while the listener is not shown to be responding to this partner.

import { short } from "./words.js";

const CENTRE = [200, 186], RADIUS = 136;
const REACH = 68; // degrees to which it leans at most

/** Fill in the arcs that the markup names by their angles (pairs, in degrees from upright). */
export function drawArcs(svg) {
  const point = (angle) => {
    const a = (angle * Math.PI) / 180;
    return `${(CENTRE[0] + RADIUS * Math.sin(a)).toFixed(2)} ${(CENTRE[1] - RADIUS * Math.cos(a)).toFixed(2)}`;
  };
  for (const arc of svg.querySelectorAll("[data-arc]")) {
    const angles = arc.dataset.arc.split(" ").map(Number), parts = [];
    for (let i = 0; i < angles.length; i += 2) {
      parts.push(`M${point(angles[i])}A${RADIUS} ${RADIUS} 0 0 1 ${point(angles[i + 1])}`);
    }
    arc.setAttribute("d", parts.join(""));
  }
}

/** Let the needle show a label and lean (-1 mirroring to +1 regulating, null: nothing to say). */
export function point(svg, hand, label, lean) {
  svg.dataset.state = short(label).replace(" ", "-");
  const angle = REACH * Math.min(1, Math.max(-1, lean ?? 0));
  hand.style.transform = `rotate(${angle.toFixed(1)}deg)`;
}
