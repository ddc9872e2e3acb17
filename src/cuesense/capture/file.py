"""Recordings on disk -> packets on their presentation timestamps, decoded with PyAV.

Every stream is read through a container of its own. So the streams advance independently, however
badly the file interleaves them, and merging them by time holds one packet of each; opening a file
twice costs milliseconds, and the demuxer skips what the other reader takes.

A recording may come from anyone. Only regular local files are opened, by demuxers that read
nothing but that file: playlists, image sequences, devices and network protocols are refused.
"""

from __future__ import annotations

import heapq
import math
import stat
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Discard, Disposition
from av.video.reformatter import VideoReformatter

from cuesense.capture import SourceInfo
from cuesense.capture.align import MIN_CONFIDENCE, SEARCHED_S, align, soundtrack
from cuesense.errors import MediaError, ParameterError
from cuesense.kernels import alpha
from cuesense.types import F32, U8, AudioBlock, Packet, VideoFrame

__all__ = ["FileSource", "Reblock", "open_files", "place", "to_float", "upright"]

DEMUXERS = "mov,matroska,avi,mpeg,mpegts,flv,asf,dv,ogg,wav,w64,flac,mp3,aac,ac3,aiff,caf,au,amr,wv"
MAX_PIXELS = 2**27  # a 16k picture fits; a forged header that asks for gigabytes does not
MAX_GAP_S = 3600.0  # s; a timestamp further ahead is damage, not a pause
MIN_RATE, MAX_RATE = 8000, 768_000  # Hz; below there is no voice band, above only forged headers
SAMPLE_FORMATS = {"u8", "s16", "s32", "flt", "dbl"}
LIMIT = 100.0  # full scales; a float sample beyond +40 dBFS is garbage, not sound
JITTER_S = 0.04  # s; audio timestamps that are off by less are smoothed, not followed
ROUNDING_S = 0.002  # s; containers round timestamps to a millisecond: not even smoothed
SMOOTHING_S = 5.0  # s; time constant with which the block times follow the timestamps
SHORT_S = 1.0  # s; a recording that ends this much early is called truncated
STILLS_DECODED = 300  # pictures; a recording this short is decoded for stills, not sought in

READABLE = "mp4, mov, mkv, webm, avi, mpg, wav, flac, mp3, m4a, ogg"


def to_float(raw: npt.NDArray[Any], channels: int, planar: bool) -> F32:
    """Turn decoded samples into float32 full scale.

    Parameters
    ----------
    raw
        (channels, n) if `planar`, else (1, n x channels); float, or integer of full range.
    channels
        how many.
    planar
        whether each channel has a row.

    Returns
    -------
    samples
        (n, channels), integers scaled to [-1, 1); what is not a plausible sample (NaN, infinite,
        beyond +40 dBFS) is NaN.
    """
    samples = raw.T if planar else raw.reshape(-1, channels)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: F32 = samples.astype(np.float32)
        if samples.dtype == np.uint8:
            scaled -= 128
            scaled /= 128
        elif samples.dtype.kind == "i":
            scaled /= -float(np.iinfo(samples.dtype).min)
        scaled[~(np.abs(scaled) <= LIMIT)] = np.nan
    return scaled


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


class Reblock:
    """Cut decoded sound into blocks of one length, timed by counting samples.

    Containers round and jitter timestamps, so within a stretch of sound the time of a block is
    the stretch's start plus samples / rate; the start follows the timestamps slowly. A gap ends
    the stretch (its last block is shorter); sound that comes a second time is cut off. The
    blocks do not depend on how the codec cut the sound into frames.

    Attributes
    ----------
    repeated_s
        s of sound that was cut off so far because its time had passed already.
    """

    def __init__(self, rate: int, block_s: float, start: float = 0.0, view: int = 0) -> None:
        self._rate = rate
        self._length = max(1, int(rate * block_s + 1e-6))
        self._jitter_s = max(JITTER_S, block_s)
        self._view = view
        self._start = start
        self._counted = 0
        self._pending: list[F32] = []
        self._held = 0
        self.repeated_s = 0.0

    @property
    def end(self) -> float:
        """Time after the last sample that was pushed, in s."""
        return self._start + (self._counted + self._held) / self._rate

    def push(self, samples: F32, t: float) -> Iterator[AudioBlock]:
        """Take (n, channels) samples with their timestamp in s (NaN: none) and yield blocks."""
        late = t - self.end
        if late > self._jitter_s:
            yield from self.flush()
            self._start, self._counted = t, 0
        elif late < -self._jitter_s:
            cut = min(len(samples), round(-late * self._rate))
            self.repeated_s += cut / self._rate
            samples = samples[cut:]
        elif abs(late) > ROUNDING_S:
            self._start += late * alpha(len(samples) / self._rate, SMOOTHING_S)
        self._pending.append(samples)
        self._held += len(samples)
        if self._held >= self._length:
            held = np.concatenate(self._pending)
            whole = len(held) // self._length * self._length
            for i in range(0, whole, self._length):
                yield self._block(held[i : i + self._length])
            self._pending = [held[whole:]]

    def flush(self) -> Iterator[AudioBlock]:
        """Yield what is left as one shorter block."""
        if self._held:
            rest = np.concatenate(self._pending)
            self._pending = []
            yield self._block(rest)

    def _block(self, samples: F32) -> AudioBlock:
        samples = np.ascontiguousarray(samples)
        samples.flags.writeable = False
        block = AudioBlock(
            self._start + self._counted / self._rate, samples, self._rate, self._view
        )
        self._counted += len(samples)
        self._held -= len(samples)
        return block


class _Damage:
    """Counts what goes wrong while one stream is read, by kind, with the time of the first.

    `t` is the latest time that was decoded, and `origin` what counts as 0; both in s on the
    container's clock.
    """

    def __init__(self, what: str, origin: float) -> None:
        self._what = what
        self._origin = origin
        self._kinds: dict[str, tuple[int, float]] = {}
        self.t = origin

    def add(self, kind: str) -> None:
        count, first = self._kinds.get(kind, (0, self.t))
        self._kinds[kind] = (count + 1, first)

    def sentences(self) -> Iterator[str]:
        for kind, (n, t) in self._kinds.items():
            yield f"{self._what}: {kind} ({n} x, first near {t - self._origin:.1f} s)"


@dataclass(frozen=True, slots=True)
class _Stream:
    """One stream of a file, as its first decoded frame shows it; times on the container's clock."""

    index: int
    start: float  # s
    declared_end: float  # s, NaN if the container does not say
    size: tuple[int, int] = (0, 0)  # px, what the stored picture is scaled to before it is turned
    matrix: tuple[int, ...] = ()  # display matrix, () if there is none
    fps: float = math.nan
    rate: int = 0  # Hz
    channels: int = 0

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) in px of the upright picture."""
        return self.size[::-1] if _on_its_side(self.matrix) else self.size


@dataclass(frozen=True, slots=True)
class _Recording:
    """One file: its best picture and its best sound; times on the container's clock."""

    path: Path
    index: int  # of the file: the `view` of its sound
    view: int  # of its picture, among the files that have one
    picture: _Stream | None
    sound: _Stream | None
    declared_end: float  # s, NaN if the container does not say
    notes: tuple[str, ...]

    @property
    def start(self) -> float:
        """Earliest presentation time of either stream, in s."""
        return min(s.start for s in (self.picture, self.sound) if s is not None)


def _open(path: Path) -> InputContainer:
    """Open a local regular file; nothing in it can make FFmpeg open anything else."""
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


def _packets(container: InputContainer, stream: Any, damage: _Damage) -> Iterator[Any]:
    """Yield the stream's packets, and None to flush its decoder where reading ends in damage."""
    failures = 0
    while failures < 10:  # some demuxers find their way again after damage, some never do
        try:
            for packet in container.demux(stream):
                yield packet
                failures = 0
            return
        except FFmpegError as error:
            damage.add(f"places that could not be read ({_why(error)})")
            failures += 1
    yield None


def _frames(container: InputContainer, index: int, damage: _Damage) -> Generator[Any, None, None]:
    """Decode one stream as far as possible."""
    wanted: Any = container.streams[index]
    for stream in container.streams:
        stream.discard = Discard.default if stream.index == index else Discard.all
    if wanted.type == "video":
        wanted.thread_type = "AUTO"
        wanted.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    for packet in _packets(container, wanted, damage):
        try:
            for frame in wanted.decode(packet):
                if frame.pts is not None:
                    damage.t = float(frame.pts * wanted.time_base)
                if frame.is_corrupt:
                    damage.add("damaged frames left out")
                else:
                    yield frame
        except FFmpegError as error:
            damage.add(f"packets that could not be decoded ({_why(error)})")


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


def _placed(frames: Iterator[Any], time_base: Fraction) -> Iterator[tuple[Any, float]]:
    """Pair frames with their time in s (see `place`); one frame is held back."""

    def stamps(frame: Any) -> tuple[float, float]:
        pts, dts = (
            math.nan if ticks is None else float(ticks * time_base)
            for ticks in (frame.pts, frame.dts)
        )
        return pts, dts

    last = -math.inf
    held: Any = None
    for frame in chain(frames, [None]):
        if held is not None:
            following = -math.inf if frame is None else np.fmax(*stamps(frame))
            t = place(*stamps(held), following, last)
            yield held, t
            last = max(last, t) if t == t else last
        held = frame


def _probe_stream(path: Path, index: int, max_side: int, notes: list[str]) -> _Stream | None:
    """Decode the stream up to its first frame that has a time; None if it cannot be used."""
    with _open(path) as container:
        stream: Any = container.streams[index]
        base = stream.time_base or Fraction(1)
        end = math.nan
        if stream.duration is not None:
            end = float(((stream.start_time or 0) + stream.duration) * base)
        if container.format.name == "avi" and stream.type == "video" and stream.average_rate:
            # FFmpeg fits an AVI's duration to the file's size; the count of pictures stays.
            end = max(end, float(stream.frames / stream.average_rate))
        with closing(_frames(container, index, _Damage("", 0.0))) as frames:
            placed = ((frame, t) for frame, t in _placed(frames, base) if t == t)
            frame, start = next(placed, (None, math.nan))
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
            return _Stream(index, start, end, size, matrix, fps)
        rate = frame.sample_rate
        if frame.format.name.removesuffix("p") not in SAMPLE_FORMATS:
            notes.append(f"{path.name}: sound of {frame.format.name} samples is ignored")
            return None
        if not MIN_RATE <= rate <= MAX_RATE:
            bound = f"below {MIN_RATE}" if rate < MIN_RATE else f"above {MAX_RATE}"
            notes.append(f"{path.name}: sound at {rate} Hz is {bound} Hz and is ignored")
            return None
        return _Stream(index, start, end, rate=rate, channels=frame.layout.nb_channels)


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


def _best(path: Path, streams: list[Any], max_side: int, notes: list[str]) -> _Stream | None:
    """Return the first of the streams that can be used, those marked as default first."""
    if len(streams) > 1:
        kind = "pictures" if streams[0].type == "video" else "sound tracks"
        notes.append(f"{path.name} has {len(streams)} {kind}: one is used")
    for stream in sorted(streams, key=lambda s: not s.disposition & Disposition.default):
        if stream.codec_context is None:
            notes.append(f"{path.name}: no decoder for stream {stream.index}, which is ignored")
        elif found := _probe_stream(path, stream.index, max_side, notes):
            return found
    return None


def _probe(path: Path, index: int, view: int, max_side: int) -> _Recording:
    """Find out what a file holds by decoding the first frame of its streams."""
    notes: list[str] = []
    end = math.nan
    with _open(path) as container:
        cover = Disposition.attached_pic | Disposition.timed_thumbnails
        videos = [s for s in container.streams.video if not s.disposition & cover]
        picture = _best(path, list(videos), max_side, notes)
        sound = _best(path, list(container.streams.audio), max_side, notes)
        if container.duration is not None:
            end = ((container.start_time or 0) + container.duration) / av.time_base
    if picture is None and sound is None:
        why = "; ".join(notes) or "no picture and no sound found, perhaps it is cut off"
        raise MediaError(
            f"recording '{path}' holds nothing that can be analysed ({why}): give a recording with"
            f" a picture, or with sound at {MIN_RATE} Hz or more ({READABLE})"
        )
    if picture is None or sound is None:
        notes.append(f"{path.name} has no {'picture' if picture is None else 'sound'}")
    elif abs(late := sound.start - picture.start) > JITTER_S:
        notes.append(f"{path.name}: sound starts {late:+.2f} s from the picture's start")
    return _Recording(path, index, view, picture, sound, end, tuple(notes))


def _image(frame: Any, stream: _Stream, scaler: VideoReformatter) -> U8:
    """Return the frame as read-only RGB (height, width, 3): square pixels, upright."""
    wide, high = stream.size
    stored = scaler.reformat(frame, wide, high, "rgb24", threads=1)
    image = upright(cast(U8, stored.to_ndarray()), stream.matrix)
    image.flags.writeable = False
    return image


def _pictures(
    recording: _Recording, stream: _Stream, container: InputContainer, damage: _Damage, shift: float
) -> Generator[VideoFrame, None, None]:
    """Yield the pictures with strictly increasing times, `shift` s after the container's."""
    scaler = VideoReformatter()
    base = container.streams[stream.index].time_base or Fraction(1)
    last = -math.inf
    index = 0
    for frame, t in _placed(_frames(container, stream.index, damage), base):
        if not t > last:
            damage.add("pictures without a time of their own left out")
            continue
        try:
            image = _image(frame, stream, scaler)
        except (FFmpegError, ValueError) as error:
            damage.add(f"pictures that could not be converted ({_why(error)})")
            continue
        yield VideoFrame(t + shift, image, index, recording.view)
        last = t
        index += 1


def _blocks(
    recording: _Recording,
    stream: _Stream,
    container: InputContainer,
    damage: _Damage,
    shift: float,
    block_s: float,
) -> Generator[AudioBlock, None, None]:
    """Yield the sound in blocks, `shift` s after the container's time."""
    rate, channels = stream.rate, stream.channels
    reblock = Reblock(rate, block_s, stream.start + shift, recording.index)
    base = container.streams[stream.index].time_base or Fraction(1)
    begun = False
    for frame, t in _placed(_frames(container, stream.index, damage), base):
        begun = begun or t == t
        if not begun or (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
            damage.add("pieces of sound without a time or of another format left out")
            continue
        samples = to_float(frame.to_ndarray(), channels, frame.format.is_planar)
        repeated_s = reblock.repeated_s
        yield from reblock.push(samples, t + shift)
        if reblock.repeated_s > repeated_s:
            damage.add("pieces of sound that came a second time left out")
    yield from reblock.flush()


def _keyframes(container: InputContainer, index: int, times: list[float]) -> Iterator[Any]:
    """Seek to the keyframe before each of `times` (s, container's clock) and decode it alone."""
    stream: Any = container.streams[index]
    for t in times:
        container.seek(int(t / stream.time_base), stream=stream)
        keys = (packet for packet in container.demux(stream) if packet.is_keyframe)
        for packet in islice(keys, 1):
            yield from stream.decode(packet)
            yield from stream.decode(None)  # the decoder need not wait for later pictures


def _stills(recording: _Recording, stream: _Stream, shift: float, n: int) -> Iterator[VideoFrame]:
    """Yield up to `n` pictures spread over the recording, times increasing.

    A short recording may have one keyframe only and is decoded through; a long one is sought in.
    """
    length = recording.declared_end - stream.start
    if not length > 0:
        return
    wanted = [stream.start + length * i / n for i in range(n)]
    scaler = VideoReformatter()
    with _open(recording.path) as container:
        base = container.streams[stream.index].time_base or Fraction(1)
        through = length * stream.fps <= STILLS_DECODED
        frames = (
            _frames(container, stream.index, _Damage("", 0.0))
            if through
            else _keyframes(container, stream.index, wanted)
        )
        last, index = -math.inf, 0
        for frame, t in _placed(frames, base):
            if t > last and (not through or t >= wanted[index]):
                yield VideoFrame(t + shift, _image(frame, stream, scaler), index, recording.view)
                last, index = t, index + 1
                if index == n:
                    return


def _sound(recording: _Recording, block_s: float) -> Iterator[AudioBlock]:
    """Yield the sound alone, t = 0 at the start of the recording (not of its sound)."""
    if recording.sound is not None:
        with _open(recording.path) as container:
            damage = _Damage("", recording.start)
            shift = -recording.start
            yield from _blocks(recording, recording.sound, container, damage, shift, block_s)


class FileSource:
    """One recording, or two of one conversation, as a `Source`.

    Nothing is held open between calls; each call of `packets` reads from the start.
    """

    def __init__(
        self,
        recordings: tuple[_Recording, ...],
        starts: tuple[float, ...],
        info: SourceInfo,
        block_s: float,
    ) -> None:
        self._recordings = recordings
        # s from each container's clock to the session's
        self._shifts = tuple(at - r.start for at, r in zip(starts, recordings, strict=True))
        self._info = info
        self._block_s = block_s
        self._read: list[tuple[_Recording, _Stream, _Damage]] = []
        self._cut_off: tuple[str, ...] = ()

    @property
    def info(self) -> SourceInfo:
        """What the files hold."""
        return self._info

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far while reading, in words."""
        found = (s for _, _, damage in self._read for s in damage.sentences())
        return (*found, *self._cut_off)

    def packets(self) -> Iterator[Packet]:
        """Yield all packets from the start, ordered by end time.

        Raises
        ------
        MediaError
            if a file cannot be opened any more.
        """
        self._read, self._cut_off = [], ()
        with ExitStack() as stack:
            tracks: list[Generator[Packet, None, None]] = []
            for recording, shift in zip(self._recordings, self._shifts, strict=True):
                for kind, stream in (("picture", recording.picture), ("sound", recording.sound)):
                    if stream is None:
                        continue
                    container = stack.enter_context(_open(recording.path))
                    damage = _Damage(f"{kind} of {recording.path.name}", -shift)
                    self._read.append((recording, stream, damage))
                    tracks.append(
                        _pictures(recording, stream, container, damage, shift)
                        if kind == "picture"
                        else _blocks(recording, stream, container, damage, shift, self._block_s)
                    )
                    stack.enter_context(closing(tracks[-1]))
            yield from heapq.merge(*tracks, key=lambda packet: packet.end)
        self._cut_off = tuple(self._endings())

    def _endings(self) -> Iterator[str]:
        """Say where reading ended before the end that the file declares."""
        for recording in self._recordings:
            ends = [(s.declared_end, d.t) for r, s, d in self._read if r is recording]
            if not any(math.isfinite(declared) for declared, _ in ends):
                ends = [(recording.declared_end, max(t for _, t in ends))]
            fps = recording.picture.fps if recording.picture else math.nan
            slack = max(SHORT_S, 2 / fps) if fps > 0 else SHORT_S
            declared, t = max(ends, key=lambda end: end[0] - end[1])
            if declared - t > slack:
                yield (
                    f"{recording.path.name}: decoding stopped at {t - recording.start:.1f} s of"
                    f" {declared - recording.start:.1f} s: the file is cut off or damaged there"
                )

    def stills(self, n: int) -> list[VideoFrame]:
        """Return up to `n` pictures spread over each recording; what cannot be read is left out.

        `index` counts the stills. `packets` goes on undisturbed.
        """
        found: list[VideoFrame] = []
        for recording, shift in zip(self._recordings, self._shifts, strict=True):
            with suppress(FFmpegError, ValueError, MediaError):
                if recording.picture is not None:
                    found.extend(_stills(recording, recording.picture, shift, n))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing: each call of `packets` closes what it opened."""


def _session_starts(
    recordings: tuple[_Recording, ...], offset_s: float | None, block_s: float
) -> tuple[float, ...]:
    """Return when each recording starts, in s from the earlier one's start."""
    if len(recordings) == 1:
        if offset_s is not None:
            raise ParameterError(f"offset={offset_s} needs two recordings: give the second one")
        return (0.0,)
    if offset_s is None:
        for recording in recordings:
            if recording.sound is None:
                raise ParameterError(
                    f"two recordings are aligned by their sound, '{recording.path.name}' has"
                    " none: give --offset SECONDS (start of the second after the first)"
                )
        first, second = (soundtrack(_sound(r, block_s)) for r in recordings)
        found = align(first, second)
        if not found.confidence >= MIN_CONFIDENCE:
            raise ParameterError(
                f"the sound of the two recordings does not match (confidence"
                f" {found.confidence:.2f}, must be at least {MIN_CONFIDENCE}, within the first"
                f" {SEARCHED_S / 60:.0f} min): give --offset SECONDS (start of the second after"
                " the first)"
            )
        offset_s = found.offset_s
    if not math.isfinite(offset_s):
        raise ParameterError(f"offset={offset_s} must be a number of seconds")
    return (max(0.0, -offset_s), max(0.0, offset_s))


def open_files(
    paths: tuple[Path, ...], offset_s: float | None, max_side: int, block_s: float
) -> FileSource:
    """Open one recording, or two of one conversation; see `cuesense.capture.open_source`.

    Raises
    ------
    MediaError
        if a file is missing, unreadable, or holds neither picture nor sound.
    ParameterError
        if the number of files or another argument is out of range, or two
        recordings cannot be aligned.
    """
    if not 1 <= len(paths) <= 2:
        raise ParameterError(f"{len(paths)} recordings given, must be 1, or 2 (one per person)")
    if max_side < 64:
        raise ParameterError(f"max_side={max_side} must be at least 64 px")
    if not 0.001 <= block_s <= 1:
        raise ParameterError(f"block_s={block_s} must be 0.001 to 1 s")
    recordings: tuple[_Recording, ...] = ()
    for index, path in enumerate(paths):
        view = sum(r.picture is not None for r in recordings)
        recordings += (_probe(path, index, view, max_side),)
    starts = _session_starts(recordings, offset_s, block_s)
    pictures = [r.picture for r in recordings if r.picture is not None]
    ends = [r.declared_end - r.start + at for r, at in zip(recordings, starts, strict=True)]
    info = SourceInfo(
        paths=paths,
        duration_s=float(np.fmax.reduce(ends)),
        views=len(pictures),
        size=tuple(picture.shown for picture in pictures),
        fps=tuple(picture.fps for picture in pictures),
        rate=tuple(r.sound.rate if r.sound else 0 for r in recordings),
        channels=tuple(r.sound.channels if r.sound else 0 for r in recordings),
        offset_s=starts[-1] - starts[0],
        notes=tuple(note for r in recordings for note in r.notes),
    )
    return FileSource(recordings, starts, info, block_s)
