// Plays one bout: some seconds to understand it by, then the part to code.

import { clip } from "/desk.js";

const AHEAD = 1;

/**
 * `on.phase(name)`: "preparing", "before", "code", "over"; `on.trouble(sentence)`.
 */
export function player(video, rail, on) {
  const held = new Map(); // by place: a promise of the bout's address
  const head = rail.querySelector("i"), lead = rail.querySelector(".lead");
  let bout = null, wanted = -1, phase = "", frame = 0;

  function fetched(place) {
    if (!held.has(place)) {
      const address = clip(place).then((blob) => URL.createObjectURL(blob));
      address.catch(() => held.delete(place)); // it is asked for anew next time
      held.set(place, address);
    }
    return held.get(place);
  }

  function forget(place) {
    for (const [other, address] of held) {
      if (Math.abs(other - place) > AHEAD) {
        held.delete(other);
        address.then((url) => URL.revokeObjectURL(url), () => {});
      }
    }
  }

  function say(name) {
    if (name !== phase) on.phase(phase = name);
  }

  function draw() {
    cancelAnimationFrame(frame);
    if (!bout) return;
    const t = video.currentTime, whole = bout.lead_s + bout.length_s;
    head.style.left = `${100 * Math.min(1, t / whole)}%`;
    if (video.ended) say("over");
    else say(t < bout.lead_s - 0.02 ? "before" : "code");
    if (!video.paused && !video.ended) frame = requestAnimationFrame(draw);
  }

  async function play(from) {
    video.currentTime = from;
    try {
      await video.play();
    } catch (error) {
      draw(); // it is there, if not running
      if (error.name === "NotAllowedError") on.trouble("Press space, or “Play again”, to play the bout.");
      else if (error.name !== "AbortError") on.trouble(`This browser cannot play the bout (${error.message}).`);
    }
  }

  for (const event of ["play", "playing", "pause", "ended", "seeked"]) video.addEventListener(event, draw);
  video.addEventListener("timeupdate", draw); // a page in the background gets no frames to draw

  return {
    /** Show the bout at a place of `bouts`, from its beginning. */
    async load(place, bouts) {
      wanted = place;
      bout = null;
      video.pause();
      say("preparing");
      const next = bouts[place];
      lead.style.flexGrow = next.lead_s;
      rail.querySelector(".part").style.flexGrow = next.length_s;
      head.style.left = "0";
      forget(place);
      try {
        const url = await fetched(place);
        if (wanted !== place) return;
        video.src = url;
        bout = next;
        await play(0);
      } catch (error) {
        if (wanted !== place) return;
        video.removeAttribute("src");
        video.load();
        on.phase(phase = "broken");
        on.trouble(`${error.message[0].toUpperCase()}${error.message.slice(1)}. You may answer “cannot tell”.`);
        return;
      }
      if (place + 1 < bouts.length) fetched(place + 1).catch(() => {});
    },
    again() { if (bout) play(0); },
    part() { if (bout) play(bout.lead_s); },
    stop() { wanted = -1; video.pause(); },
  };
}
