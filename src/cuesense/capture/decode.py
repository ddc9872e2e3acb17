"""One stream of a file -> its decoded frames with their times, as far as it can be decoded.

A recording may come from anyone. Only regular local files are opened, by demuxers that read
nothing but that file: playlists, image sequences, devices and network protocols are refused.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard

from cuesense.errors import MediaError

__all__ = [
    "READABLE",
    "Damage",
    "Stream",
    "declared_end",
    "first_frame",
    "open_container",
    "place",
    "timed",
    "timed_keyframes",
]

DEMUXERS = "mov,matroska,avi,mpeg,mpegts,flv,asf,dv,ogg,wav,w64,flac,mp3,aac,ac3,aiff,caf,au,amr,wv"
READABLE = "mp4, mov, mkv, webm, avi, mpg, wav, flac, mp3, m4a, ogg"
MAX_PIXELS = 2**27  # a 16k picture fits; a forged header that asks for gigabytes does not
MAX_GAP_S = 3600.0  # s; a timestamp further ahead is damage, not a pause
MAX_FAILURES = 10  # some demuxers find their way again after damage, some never do


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a file, as its first decoded frame shows it.

    Attributes
    ----------
    path
        the file.
    index
        of the stream in the file.
    view
        `view` of its packets.
    start
        s on the container's clock, time of the first frame.
    declared_end
        s on the container's clock, NaN if the container does not say.
    """

    path: Path
    index: int
    view: int
    start: float
    declared_end: float


class Damage:
    """What goes wrong while one stream is read: counted by kind, with the time of the first.

    Parameters
    ----------
    t
        s on the container's clock, where reading starts.

    Attributes
    ----------
    t
        s on the container's clock, time that was decoded last.
    """

    def __init__(self, t: float = math.nan) -> None:
        self.t = t
        self._kinds: dict[str, tuple[int, float]] = {}

    def add(self, kind: str, error: Exception | None = None) -> None:
        """Count one more of a kind (a plural, in words), found at the time reached."""
        if error is not None:
            kind = f"{kind} ({_why(error)})"
        count, first = self._kinds.get(kind, (0, self.t))
        self._kinds[kind] = (count + 1, first)

    def sentences(self, shift: float) -> Iterator[str]:
        """Say what was counted, times `shift` s after the container's."""
        for kind, (n, t) in self._kinds.items():
            yield f"{kind} ({n} x, first near {t + shift:.1f} s)"


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()


def open_container(path: Path) -> InputContainer:
    """Open a local regular file; nothing in it can make FFmpeg open anything else.

    Raises
    ------
    MediaError
        if there is no such file, it may not be read, or it is no recording.
    """
    try:
        mode = path.stat()
        if stat.S_ISREG(mode.st_mode):
            path.open("rb").close()
    except FileNotFoundError:
        raise MediaError(
            f"recording '{path}' does not exist: give the path of a file on this computer"
        ) from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MediaError(
            f"recording '{path}' cannot be opened ({why}): give a file that you may read"
        ) from None
    if stat.S_ISDIR(mode.st_mode):
        raise MediaError(f"recording '{path}' is a folder: give a file in it")
    if not stat.S_ISREG(mode.st_mode):
        raise MediaError(f"recording '{path}' is not a regular file: copy it to a file first")
    if mode.st_size == 0:
        raise MediaError(f"recording '{path}' is empty (0 bytes): copy or record it again")
    try:
        return av.open(
            f"file:{path.resolve()}",
            options={
                "format_whitelist": DEMUXERS,
                "protocol_whitelist": "file",
                "max_pixels": str(MAX_PIXELS),
            },
            metadata_errors="replace",
        )
    except (FFmpegError, ValueError) as error:
        raise MediaError(
            f"recording '{path}' cannot be read ({_why(error)}): it is cut off, damaged or no"
            f" recording; give a complete one ({READABLE})"
        ) from None


def _demuxed(container: InputContainer, stream: Any, damage: Damage) -> Iterator[Any]:
    """Yield the stream's packets, and None to flush its decoder where reading ends in damage."""
    failures = 0
    while failures < MAX_FAILURES:
        try:
            for packet in container.demux(stream):
                yield packet
                failures = 0
            return
        except FFmpegError as error:
            damage.add("places that could not be read", error)
            failures += 1
    yield None


def _frames(
    container: InputContainer, index: int, damage: Damage, since: float, threads: int
) -> Iterator[Any]:
    """Decode one stream as far as possible, from the keyframe before `since` s on."""
    wanted: Any = container.streams[index]
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == index else Discard.all
    if math.isfinite(since):
        with suppress(FFmpegError):  # what cannot be sought in is decoded from its start
            container.seek(int(since / wanted.time_base), stream=wanted)
    if wanted.type == "video":
        wanted.thread_type = "AUTO"
        wanted.codec_context.thread_count = threads
        wanted.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    for packet in _demuxed(container, wanted, damage):
        try:
            for frame in wanted.decode(packet):
                if frame.pts is not None:
                    damage.t = _seconds(frame.pts, wanted.time_base)
                if frame.is_corrupt:
                    damage.add("damaged frames left out")
                else:
                    yield frame
        except FFmpegError as error:
            damage.add("packets that could not be decoded", error)


def _seconds(ticks: int | None, base: Fraction) -> float:
    """Return a timestamp in s, NaN if it is missing."""
    return math.nan if ticks is None else ticks * base.numerator / base.denominator


def place(pts: float, dts: float, following: float, last: float) -> float:
    """Return the time of a frame, given its stamps and its neighbours'; NaN if none can be right.

    The decoding time stands in for a presentation time that is missing or out of order (AVI and
    MPEG files with B-frames have such). A time that the next frame falls behind is a glitch:
    keeping it would make every later frame late.

    Parameters
    ----------
    pts
        s, presentation time; NaN if missing.
    dts
        s, decoding time; NaN if missing.
    following
        s, the later of the next frame's stamps; NaN if there is none.
    last
        s, latest time placed so far; -inf at the start.

    Returns
    -------
    t
        s; not after `last` if the frame repeats what was there already.
    """
    if last < following <= pts:
        pts, dts = math.nan, dts if dts < following else math.nan
    t = pts if pts > last or not dts > last else dts
    return math.nan if t - last > MAX_GAP_S and last > -math.inf else t


def _placed(frames: Iterator[Any], base: Fraction) -> Iterator[tuple[Any, float]]:
    """Pair frames with their time in s (see `place`); one frame is held back."""
    last = -math.inf
    held: Any = None
    pts = dts = math.nan  # of the frame that is held
    for frame in chain(frames, [None]):
        stamps = (
            (math.nan, math.nan)
            if frame is None
            else (_seconds(frame.pts, base), _seconds(frame.dts, base))
        )
        if held is not None:
            t = place(pts, dts, float(np.fmax(*stamps)), last)
            yield held, t
            last = max(last, t) if t == t else last
        held, (pts, dts) = frame, stamps


def timed(
    container: InputContainer,
    index: int,
    damage: Damage,
    since: float = -math.inf,
    threads: int = 0,
) -> Iterator[tuple[Any, float]]:
    """Decode one stream as far as possible.

    Parameters
    ----------
    container
        which this stream has for itself.
    index
        of the stream.
    damage
        told what goes wrong.
    since
        s on the container's clock: decoding starts at the keyframe before it.
    threads
        that decode pictures; 0: as many as the decoder likes.

    Yields
    ------
    frame, t
        PyAV's frame and its time in s on the container's clock, NaN if it has none.
    """
    base: Any = container.streams[index].time_base
    return _placed(_frames(container, index, damage, since, threads), base)


def _keyframes(container: InputContainer, index: int, times: list[float]) -> Iterator[Any]:
    """Seek to the keyframe before each of `times` (s, container's clock) and decode it alone."""
    stream: Any = container.streams[index]
    for t in times:
        container.seek(int(t / stream.time_base), stream=stream)
        keys = (packet for packet in container.demux(stream) if packet.is_keyframe)
        for packet in islice(keys, 1):
            yield from stream.decode(packet)
            yield from stream.decode(None)  # the decoder need not wait for later pictures


def timed_keyframes(
    container: InputContainer, index: int, times: list[float]
) -> Iterator[tuple[Any, float]]:
    """Decode only the keyframe before each of `times` (s, container's clock); see `timed`."""
    base: Any = container.streams[index].time_base
    return _placed(_keyframes(container, index, times), base)


def first_frame(path: Path, stream: Any, notes: list[str]) -> tuple[Any, float]:
    """Decode a stream up to its first frame that has a time.

    Parameters
    ----------
    path
        the file.
    stream
        PyAV's stream in it; the file is opened once more.
    notes
        sentences for the user; one is added if there is no such frame.

    Returns
    -------
    frame, t
        PyAV's frame (None if there is none) and its time in s on the container's clock.
    """
    if stream.codec_context is None:
        notes.append(f"{path.name}: no decoder for stream {stream.index}, which is ignored")
        return None, math.nan
    with open_container(path) as container:
        for frame, t in timed(container, stream.index, Damage()):
            if t == t:
                return frame, t
    notes.append(f"{path.name}: stream {stream.index} cannot be decoded and is ignored")
    return None, math.nan


def declared_end(stream: Any) -> float:
    """Return when PyAV's stream should end, in s on the container's clock; NaN if unknown."""
    end = math.nan
    if stream.duration is not None:
        end = _seconds((stream.start_time or 0) + stream.duration, stream.time_base)
    if stream.container.format.name == "avi" and stream.type == "video" and stream.average_rate:
        # FFmpeg fits an AVI's duration to the file's size; the count of pictures stays.
        end = max(end, float(stream.frames / stream.average_rate))
    return end
