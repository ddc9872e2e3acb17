"""One stream of one file -> its packets: opened safely, probed, decoded as far as possible.

Every stream is read through a container of its own. So the streams advance independently, however
badly the file interleaves them, and merging them by time holds one packet of each; opening a file
twice costs milliseconds, and the demuxer skips what the other reader takes.

A recording may come from anyone. Only regular local files are opened, by demuxers that read
nothing but that file: playlists, image sequences, devices and network protocols are refused.
"""

from __future__ import annotations

import math
import stat
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Discard
from av.video.reformatter import VideoReformatter

from cuesense.capture.blocks import Reblock, to_float
from cuesense.errors import MediaError
from cuesense.types import U8, AudioBlock, VideoFrame

__all__ = [
    "MIN_RATE",
    "READABLE",
    "Damage",
    "Picture",
    "Sound",
    "Stream",
    "blocks",
    "open_container",
    "pictures",
    "place",
    "probe_stream",
    "stills",
    "upright",
]

DEMUXERS = "mov,matroska,avi,mpeg,mpegts,flv,asf,dv,ogg,wav,w64,flac,mp3,aac,ac3,aiff,caf,au,amr,wv"
READABLE = "mp4, mov, mkv, webm, avi, mpg, wav, flac, mp3, m4a, ogg"
MAX_PIXELS = 2**27  # a 16k picture fits; a forged header that asks for gigabytes does not
MAX_GAP_S = 3600.0  # s; a timestamp further ahead is damage, not a pause
MAX_FAILURES = 10  # some demuxers find their way again after damage, some never do
MIN_RATE, MAX_RATE = 8000, 768_000  # Hz; below there is no voice band, above only forged headers
SAMPLE_FORMATS = {"u8", "s16", "s32", "flt", "dbl"}
STILLS_DECODED = 300  # pictures; a recording this short is decoded for stills, not sought in


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


@dataclass(frozen=True, slots=True)
class Picture(Stream):
    """A stream of pictures.

    Attributes
    ----------
    size
        (width, height) in px to which the stored picture is scaled before it is turned.
    matrix
        its display matrix (see `upright`), () if there is none.
    fps
        pictures per s on average, NaN if unknown.
    """

    size: tuple[int, int]
    matrix: tuple[int, ...]
    fps: float

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) in px of the upright picture."""
        return self.size[::-1] if _on_its_side(self.matrix) else self.size


@dataclass(frozen=True, slots=True)
class Sound(Stream):
    """A stream of sound: its sampling rate in Hz and its number of channels."""

    rate: int
    channels: int


class Damage:
    """Counts what goes wrong while one stream is read, by kind, with the time of the first.

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

    def add(self, kind: str) -> None:
        """Count one more of a kind (a plural, in words) at the time reached."""
        count, first = self._kinds.get(kind, (0, self.t))
        self._kinds[kind] = (count + 1, first)

    def sentences(self, shift: float) -> Iterator[str]:
        """Say what was counted, with times `shift` s after the container's."""
        for kind, (n, t) in self._kinds.items():
            yield f"{kind} ({n} x, first near {t + shift:.1f} s)"


# Opening


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


def _why(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()


# Frames and their times


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
            damage.add(f"places that could not be read ({_why(error)})")
            failures += 1
    yield None


def _frames(container: InputContainer, index: int, damage: Damage) -> Iterator[Any]:
    """Decode one stream as far as possible."""
    wanted: Any = container.streams[index]
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == index else Discard.all
    if wanted.type == "video":
        wanted.thread_type = "AUTO"
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
            damage.add(f"packets that could not be decoded ({_why(error)})")


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


def _timed(container: InputContainer, index: int, damage: Damage) -> Iterator[tuple[Any, float]]:
    """Decode one stream; yield each frame with its time in s, NaN if it has none."""
    base = cast(Fraction, container.streams[index].time_base)
    return _placed(_frames(container, index, damage), base)


# Probing


def probe_stream(
    path: Path, index: int, view: int, max_side: int, notes: list[str]
) -> Picture | Sound | None:
    """Decode a stream up to its first frame that has a time.

    Parameters
    ----------
    path
        the file.
    index
        of the stream in the file.
    view
        for its packets.
    max_side
        px; larger pictures will be reduced.
    notes
        sentences for the user, to which those on this stream are added.

    Returns
    -------
    stream
        None if it cannot be used.

    Raises
    ------
    MediaError
        if the file cannot be opened.
    """
    with open_container(path) as container:
        stream: Any = container.streams[index]
        end = math.nan
        if stream.duration is not None:
            end = _seconds((stream.start_time or 0) + stream.duration, stream.time_base)
        if container.format.name == "avi" and stream.type == "video" and stream.average_rate:
            # FFmpeg fits an AVI's duration to the file's size; the count of pictures stays.
            end = max(end, float(stream.frames / stream.average_rate))
        timed = ((frame, t) for frame, t in _timed(container, index, Damage()) if t == t)
        frame, start = next(timed, (None, math.nan))
        if frame is None:
            notes.append(f"{path.name}: stream {index} cannot be decoded and is ignored")
            return None
        if stream.type == "video":
            size = _scaled(frame.width, frame.height, stream.sample_aspect_ratio, max_side)
            if max(frame.width, frame.height) > max_side:
                reduced = f"{frame.width}x{frame.height} to {size[0]}x{size[1]} px"
                notes.append(f"{path.name}: picture reduced from {reduced}")
            matrix = _display_matrix(frame)
            if matrix and np.sign(matrix[:5]).tolist() != [1, 0, 0, 0, 1]:
                notes.append(f"{path.name}: picture turned upright as the file says")
            fps = float(stream.average_rate or math.nan)
            return Picture(path, index, view, start, end, size, matrix, fps)
        rate = frame.sample_rate
        if frame.format.name.removesuffix("p") not in SAMPLE_FORMATS:
            notes.append(f"{path.name}: sound of {frame.format.name} samples is ignored")
            return None
        if not MIN_RATE <= rate <= MAX_RATE:
            bound = f"below {MIN_RATE}" if rate < MIN_RATE else f"above {MAX_RATE}"
            notes.append(f"{path.name}: sound at {rate} Hz is {bound} Hz and is ignored")
            return None
        return Sound(path, index, view, start, end, rate, frame.layout.nb_channels)


def _scaled(width: int, height: int, aspect: Fraction | None, max_side: int) -> tuple[int, int]:
    """Return the (width, height) with square pixels and no side longer than `max_side`."""
    wide, high = float(width), float(height)
    if aspect and 0.1 <= aspect <= 10:  # by stretching, so that no pixel is lost
        wide, high = wide * max(1.0, float(aspect)), high / min(1.0, float(aspect))
    scale = min(1.0, max_side / max(wide, high))
    return max(1, round(wide * scale)), max(1, round(high * scale))


def _display_matrix(frame: Any) -> tuple[int, ...]:
    """Return the 9 numbers of the frame's display matrix, () if it has none."""
    for data in frame.side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(np.frombuffer(data, np.int32).tolist())
    return ()


# Pictures


def _on_its_side(matrix: tuple[int, ...]) -> bool:
    """Return whether the display matrix swaps width and height."""
    return bool(matrix) and abs(matrix[1]) + abs(matrix[3]) > abs(matrix[0]) + abs(matrix[4])


def upright(image: U8, matrix: tuple[int, ...]) -> U8:
    """Turn and flip a picture as its display matrix says.

    The matrix maps stored to shown coordinates: x' = a x + c y, y' = b x + d y, with a, b, c, d
    its elements 0, 1, 3, 4 (ISO/IEC 14496-12, 8.3.2). Only multiples of 90 degrees are followed.

    Parameters
    ----------
    image
        (height, width, 3).
    matrix
        9 numbers, by row; any scale; () leaves the picture as it is.

    Returns
    -------
    image
        (height, width, 3) or (width, height, 3).
    """
    if not matrix:
        return image
    a, b, _, c, d = matrix[:5]
    flip_x, flip_y = a < 0, d < 0
    if _on_its_side(matrix):
        image = cv2.transpose(image)  # type: ignore[assignment]
        flip_x, flip_y = c < 0, b < 0
    if flip_x or flip_y:
        # OpenCV's code: -1 both axes, 0 upside down, 1 left to right.
        image = cv2.flip(image, -1 if flip_x and flip_y else int(flip_x))  # type: ignore[assignment]
    return image


def _image(frame: Any, picture: Picture, scaler: VideoReformatter) -> U8:
    """Return the frame as read-only RGB (height, width, 3): square pixels, upright."""
    wide, high = picture.size
    stored = scaler.reformat(frame, wide, high, "rgb24")
    image = upright(cast(U8, stored.to_ndarray()), picture.matrix)
    image.flags.writeable = False
    return image


def pictures(picture: Picture, shift: float, damage: Damage) -> Generator[VideoFrame, None, None]:
    """Decode the pictures of a stream.

    Parameters
    ----------
    picture
        the stream.
    shift
        s from the container's clock to the session's.
    damage
        to which is added what goes wrong.

    Yields
    ------
    frame
        times strictly increasing.

    Raises
    ------
    MediaError
        if the file cannot be opened any more.
    """
    scaler = VideoReformatter()
    last = -math.inf
    index = 0
    with open_container(picture.path) as container:
        for frame, t in _timed(container, picture.index, damage):
            if not t > last:
                damage.add("pictures without a time of their own left out")
                continue
            try:
                image = _image(frame, picture, scaler)
            except (FFmpegError, ValueError) as error:
                damage.add(f"pictures that could not be converted ({_why(error)})")
                continue
            yield VideoFrame(t + shift, image, index, picture.view)
            last = t
            index += 1


def _keyframes(container: InputContainer, index: int, times: list[float]) -> Iterator[Any]:
    """Seek to the keyframe before each of `times` (s, container's clock) and decode it alone."""
    stream: Any = container.streams[index]
    for t in times:
        container.seek(int(t / stream.time_base), stream=stream)
        keys = (packet for packet in container.demux(stream) if packet.is_keyframe)
        for packet in islice(keys, 1):
            yield from stream.decode(packet)
            yield from stream.decode(None)  # the decoder need not wait for later pictures
