"""A stretch of a recording -> WebM that every browser plays, made while the one before is watched.

VP8 and Opus, by libvpx and libopus (BSD licences): the recording itself may be in any format.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from typing import Any, Final, Self

import av
import numpy as np
import soxr
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from cuesense.capture import SourceInfo
from cuesense.capture.file import FileSource
from cuesense.errors import MediaError
from cuesense.types import F32, U8, AudioBlock, Packet, VideoFrame

# A negative speed is fixed; with a positive one the picture depends on how busy the machine is.
PICTURE: Final = ("libvpx", {"deadline": "realtime", "cpu-used": "-8", "crf": "12"})
SOUND: Final = "libopus"
BIT_RATE: Final = 2_000_000
RATE: Final = 48_000
"""Hz, of Opus."""
FRAME: Final = 960  # samples of an Opus frame
LEAST_S: Final = 1 / 33
"""s between two pictures; those that come faster are left out."""
KEPT: Final = 4
"""Clips that are held in memory."""
MILLISECOND: Final = Fraction(1, 1000)


def webm(packets: Iterable[Packet], info: SourceInfo, start: float, end: float) -> bytes:
    """Return what was seen and heard from `start` to `end` (s) as a WebM file.

    Two views are shown side by side. Sound is mono, or stereo as it was; of two recordings the
    first is on the left.

    Parameters
    ----------
    packets
        of that stretch.
    info
        of their source.
    start
        s on the session's clock, 0 of the clip.
    end
        s on the session's clock.

    Raises
    ------
    MediaError
        If there is neither a picture nor sound in it, or it cannot be encoded.
    """
    out = io.BytesIO()
    # All is in memory: packets wait for each other as long as it takes.
    options = {"max_interleave_delta": "0", "fflags": "+bitexact"}
    track = _Track(info, start, end)
    seen = None
    try:
        with av.open(out, "w", format="webm", container_options=options) as container:
            seen = _Screen(container, info) if info.views else None
            heard = container.add_stream(SOUND, rate=RATE) if any(info.rate) else None
            if heard is not None:
                heard.layout = track.layout
            container.start_encoding()
            for packet in packets:
                if isinstance(packet, AudioBlock):
                    track.add(packet)
                elif isinstance(packet, VideoFrame) and seen is not None:
                    container.mux(seen.push(packet.t - start, packet.image, packet.view))
            if seen is not None:
                container.mux(seen.end(end - start))
            if heard is not None:
                for frame in _frames(track.mixed(), track.layout):
                    container.mux(heard.encode(frame))
                container.mux(heard.encode(None))
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"this bout cannot be shown ({error})") from error
    if not track.begun and (seen is None or not seen.begun):
        raise MediaError("this bout cannot be shown: the recording is damaged or empty there")
    return out.getvalue()


class _Screen:
    """The picture track: the views side by side, each as it was last seen."""

    def __init__(self, container: Any, info: SourceInfo) -> None:
        self._at = np.cumsum([0, *(wide for wide, _ in info.size)])
        wide, high = int(self._at[-1]), max(high for _, high in info.size)
        # The codec halves the colours' resolution: sides are even.
        self._canvas: U8 = np.zeros((high + high % 2, wide + wide % 2, 3), np.uint8)
        name, options = PICTURE
        self._stream = container.add_stream(name, rate=30, options=options)
        self._stream.width, self._stream.height = self._canvas.shape[1], self._canvas.shape[0]
        self._stream.pix_fmt = "yuv420p"
        self._stream.bit_rate = BIT_RATE
        self._stream.codec_context.time_base = MILLISECOND
        self._stream.codec_context.thread_count = 1
        self._scaler = VideoReformatter()
        self._last = -np.inf  # s
        self.begun = False

    def push(self, t: float, image: U8, view: int) -> Sequence[Any]:
        """Return the packets of the next picture, `t` s into the clip."""
        high, wide = image.shape[:2]
        top = (self._canvas.shape[0] - high) // 2
        left = int(self._at[view])
        dark = self._encode(0.0) if not self.begun and t >= LEAST_S else ()
        self._canvas[top : top + high, left : left + wide] = image
        now = max(t, 0.0) if self.begun or t >= LEAST_S else 0.0
        self.begun = True
        return dark if now - self._last < LEAST_S else [*dark, *self._encode(now)]

    def end(self, t: float) -> Sequence[Any]:
        """Return the last packets; the last picture stays until `t` s."""
        dark = () if self.begun else self._encode(0.0)
        last = self._encode(max(t - LEAST_S, self._last + LEAST_S))
        return [*dark, *last, *self._stream.encode(None)]

    def _encode(self, t: float) -> Sequence[Any]:
        frame = av.VideoFrame.from_ndarray(self._canvas, "rgb24")
        frame = self._scaler.reformat(frame, format="yuv420p", threads=1)
        frame.pts, frame.time_base = round(t * 1000), MILLISECOND
        self._last = t
        return self._stream.encode(frame)  # type: ignore[no-any-return]


class _Track:
    """The sound of all views, laid down at its times."""

    def __init__(self, info: SourceInfo, start: float, end: float) -> None:
        self._start, self._length = start, end - start
        self._rates = {view: rate for view, rate in enumerate(info.rate) if rate}
        self._views: dict[int, F32] = {
            view: np.zeros((round(self._length * rate), info.channels[view]), np.float32)
            for view, rate in self._rates.items()
        }
        self._next = dict.fromkeys(self._views, 0)  # sample after the last that was laid down
        self.begun = False
        stereo = len(self._views) > 1 or any(x.shape[1] == 2 for x in self._views.values())
        self.layout = "stereo" if stereo else "mono"

    def add(self, block: AudioBlock) -> None:
        """Lay down a block, without a seam where it follows the one before."""
        held = self._views[block.view]
        at = round((block.t - self._start) * block.rate)
        if abs(at - self._next[block.view]) < 0.01 * block.rate:
            at = self._next[block.view]
        first, last = max(at, 0), min(at + len(block.samples), len(held))
        if first < last:
            held[first:last] = block.samples[first - at : last - at]
            self.begun = True
        self._next[block.view] = at + len(block.samples)

    def mixed(self) -> F32:
        """Return (n, 1 or 2) samples at `RATE`, a whole number of frames."""
        ears = 2 if self.layout == "stereo" else 1
        n = -(-round(self._length * RATE) // FRAME) * FRAME
        out = np.zeros((n, ears), np.float32)
        for ear, (view, samples) in enumerate(self._views.items()):
            heard = soxr.resample(np.nan_to_num(samples), self._rates[view], RATE)[:n]
            if len(self._views) > 1:
                out[: len(heard), ear] = heard.mean(axis=1)
            else:
                out[: len(heard)] = heard if ears == 2 else heard.mean(axis=1, keepdims=True)
        return np.clip(out, -1.0, 1.0)


def _frames(samples: F32, layout: str) -> Iterator[Any]:
    for i in range(0, len(samples), FRAME):
        packed = np.ascontiguousarray(samples[i : i + FRAME]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, i, Fraction(1, RATE)
        yield frame


class Clips:
    """Makes the clips of a session in a thread of its own, the next one ahead. A context manager.

    Parameters
    ----------
    source
        the recording.
    stretches
        (start, end) in s of each clip, in the order in which they are likely to be wanted.
    """

    def __init__(self, source: FileSource, stretches: Sequence[tuple[float, float]]) -> None:
        self._source, self._stretches = source, stretches
        self._made: dict[int, Future[bytes]] = {}  # the latest wanted last
        self._over = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="clips")

    def __len__(self) -> int:
        return len(self._stretches)

    def get(self, i: int) -> Future[bytes]:
        """Return a clip that is being made; it may fail with `MediaError`.

        Raises
        ------
        MediaError
            After `end`.
        """
        wanted = self._want(i)
        if i + 1 < len(self):
            self._want(i + 1)
        for old in list(self._made)[:-KEPT]:
            self._made.pop(old).cancel()
        return wanted

    def end(self) -> None:
        """Make no more: clips that are not ready fail, at once, so that nobody waits for them."""
        self._over.set()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._worker.shutdown()

    def _want(self, i: int) -> Future[bytes]:
        if (found := self._made.pop(i, None)) is None:
            if self._over.is_set():
                raise MediaError("cuesense is ending")
            found = self._worker.submit(self._make, i)
        self._made[i] = found
        return found

    def _make(self, i: int) -> bytes:
        start, end = self._stretches[i]
        packets = self._source.excerpt(start, end)
        return webm(self._until_over(packets), self._source.info, start, end)

    def _until_over(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        for packet in packets:
            if self._over.is_set():
                raise MediaError("cuesense is ending")
            yield packet
