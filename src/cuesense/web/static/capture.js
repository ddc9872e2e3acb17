// This page as the camera and the microphone: pictures as JPEG, sound as samples, with their times.
//
// All times are milliseconds of one clock that goes on over a reload (timeOrigin + now).

import { captureWords } from "./words.js";

const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const AUDIO = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const TAKEN = 2, HEARD = 3, HEAD = 10, SOUND_HEAD = 22;
const JPEG = { type: "image/jpeg", quality: 0.85 };
const MOST_PICTURES = 600_000, MOST_SOUND = 8_000_000; // bytes waiting: beyond, drop
const RETRY_MS = 2000, FRAME_MS = 33;

export const pageMs = (now = performance.now()) => performance.timeOrigin + now;

/**
 * Sends pictures and sound by `sendBytes(bytes, most)`.
 *
 * `tell(sentence)` is called with what the user should do, "" when all is well; `showing(on)` when
 * the page's own picture begins or stops to show.
 */
export function createCapture(video, sendBytes, tell, showing) {
  let stream = null, audio = null, source = null, encoding = false, retry = 0, wanted = false;
  const canvas = new OffscreenCanvas(2, 2);
  const paint = canvas.getContext("2d", { alpha: false, willReadFrequently: true });

  async function start() {
    wanted = true;
    clearTimeout(retry);
    try {
      const opened = await navigator.mediaDevices.getUserMedia({ video: VIDEO, audio: AUDIO });
      stop();
      wanted = true;
      stream = opened;
      for (const track of stream.getTracks()) track.onended = lost;
      video.srcObject = stream;
      await video.play();
      frames(stream);
      await sounds(stream);
      tell("");
      showing(true);
    } catch (error) {
      stop();
      tell(captureWords(error.name));
      showing(false);
      throw error;
    }
  }

  /** A device was unplugged: say so, and try until it, or another one, is there. */
  function lost() {
    if (!wanted) return;
    tell("Camera or microphone were unplugged: plug them in again; the page tries by itself.");
    clearTimeout(retry);
    retry = setTimeout(() => start().catch(lost), RETRY_MS);
  }

  function stop() {
    wanted = false;
    clearTimeout(retry);
    source?.disconnect();
    for (const track of stream?.getTracks() || []) {
      track.onended = null;
      track.stop();
    }
    stream = source = null;
  }

  function frames(from) {
    const next = (now, meta) => {
      if (stream !== from) return;
      wait(next);
      encode(pageMs(meta.captureTime ?? meta.presentationTime ?? now));
    };
    const wait = video.requestVideoFrameCallback?.bind(video)
      ?? ((call) => setTimeout(() => call(performance.now(), {}), FRAME_MS)); // an older browser
    wait(next);
  }

  async function encode(atMs) {
    if (encoding || !video.videoWidth) return; // too slow for this one: the next will do
    encoding = true;
    try {
      if (canvas.width !== video.videoWidth || canvas.height !== video.videoHeight) {
        canvas.width = video.videoWidth;
        canvas.height = video.videoHeight;
      }
      paint.drawImage(video, 0, 0);
      const jpeg = new Uint8Array(await (await canvas.convertToBlob(JPEG)).arrayBuffer());
      const bytes = new Uint8Array(HEAD + jpeg.length), head = new DataView(bytes.buffer);
      head.setUint8(0, TAKEN);
      head.setUint8(1, 0);
      head.setFloat64(2, atMs, true);
      bytes.set(jpeg, HEAD);
      sendBytes(bytes, MOST_PICTURES);
    } finally {
      encoding = false;
    }
  }

  async function sounds(from) {
    if (!audio) {
      audio = new AudioContext({ latencyHint: "interactive" });
      await audio.audioWorklet.addModule("/sound-worklet.js");
    }
    await audio.resume();
    const node = new AudioWorkletNode(audio, "cuesense-blocks", { numberOfOutputs: 0 });
    const latencyMs = 1000 * (from.getAudioTracks()[0]?.getSettings().latency || 0);
    node.port.onmessage = ({ data }) => block(data, latencyMs);
    source = audio.createMediaStreamSource(from);
    source.connect(node);
  }

  function block({ first, channels, block: samples }, latencyMs) {
    // The block was full when it was posted; how long the post took, the server's clock evens out.
    const lengthMs = (1000 * samples.length) / channels / audio.sampleRate;
    const bytes = new Uint8Array(SOUND_HEAD + samples.byteLength), head = new DataView(bytes.buffer);
    head.setUint8(0, HEARD);
    head.setUint8(1, channels);
    head.setUint32(2, audio.sampleRate, true);
    head.setFloat64(6, first, true);
    head.setFloat64(14, pageMs() - lengthMs - latencyMs, true);
    bytes.set(new Uint8Array(samples.buffer), SOUND_HEAD);
    sendBytes(bytes, MOST_SOUND);
  }

  navigator.mediaDevices?.addEventListener("devicechange", () => {
    if (wanted && stream?.getTracks().some((track) => track.readyState === "ended")) lost();
  });

  return { start, stop, get on() { return stream !== null; } };
}

/** Whether the user has allowed both already, so that nobody has to be asked. */
export async function allowed() {
  try {
    const states = await Promise.all(["camera", "microphone"].map((name) => navigator.permissions.query({ name })));
    return states.every(({ state }) => state === "granted");
  } catch {
    return false; // a browser that does not tell: the button asks
  }
}
