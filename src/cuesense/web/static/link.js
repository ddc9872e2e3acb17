// The page's one connection: shows the token first, comes back by itself when it was lost.

const RETRY_MS = [250, 500, 1000, 2000, 4000];
const FINISHED = 1000, FAR_BEHIND = 1013, REFUSED = 4401;

/** The token that came with the address; kept for this tab, and taken out of the address bar. */
export function token() {
  const given = location.hash.slice(1);
  if (given) {
    sessionStorage.setItem("cuesense.token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("cuesense.token") || "";
}

/**
 * Open the connection and keep it open.
 *
 * `on.message(object)`, `on.picture(ArrayBuffer)`, and `on.link(state)`, where state is "open",
 * "lost" (it will try again), "refused" (the token does not fit) or "finished".
 */
export function openLink(on) {
  let socket, tries = 0, timer = 0, over = false;

  function open() {
    clearTimeout(timer);
    socket = new WebSocket(`ws://${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token: token() }));
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return on.picture(data);
      const message = JSON.parse(data);
      if (message.type === "hello") {
        tries = 0;
        on.link("open");
      }
      on.message(message);
    };
    socket.onclose = ({ code }) => {
      if (code === REFUSED || code === FINISHED) {
        over = true;
        on.link(code === REFUSED ? "refused" : "finished");
      } else {
        if (code !== FAR_BEHIND) on.link("lost");
        timer = setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
      }
    };
  }

  // A tab that comes back to the front should not wait for its next try.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !over && socket.readyState === WebSocket.CLOSED) open();
  });
  open();
  return {
    send(message) {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
    },
    /** Send bytes unless more than `most` of them wait already; false: dropped. */
    sendBytes(bytes, most) {
      if (socket.readyState !== WebSocket.OPEN || socket.bufferedAmount > most) return false;
      socket.send(bytes);
      return true;
    },
  };
}
