"""Recordings on disk -> packets on their presentation timestamps, decoded with PyAV.

Every stream is read through a container of its own. So the streams advance independently, however
badly the file interleaves them, and merging them by time holds one packet of each; opening a file
twice costs milliseconds, and the demuxer skips what the other reader takes.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any, Self, TypeVar

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from cuesense.capture import SourceInfo
from cuesense.capture.align import MIN_CONFIDENCE, SEARCHED_S, align, soundtrack
from cuesense.capture.decode import READABLE, Damage, Stream, open_container
from cuesense.capture.pictures import Picture, pictures, probe_picture, stills
from cuesense.capture.sound import JITTER_S, MIN_RATE, Sound, blocks, probe_sound
from cuesense.errors import MediaError, ParameterError
from cuesense.types import Packet, VideoFrame

__all__ = ["FileSource", "open_files"]

SHORT_S = 1.0  # s; a recording that ends this much early is called truncated

S = TypeVar("S", bound=Stream)


@dataclass(frozen=True, slots=True)
class _Recording:
    """One file: its best picture and its best sound; times on the container's clock."""

    path: Path
    picture: Picture | None
    sound: Sound | None
    declared_end: float  # s, NaN if the container does not say
    notes: tuple[str, ...]
    made: str  # when it was recorded, ISO 8601, "" if the container does not say

    @property
    def streams(self) -> tuple[Stream, ...]:
        """One or two."""
        return tuple(s for s in (self.picture, self.sound) if s is not None)

    @property
    def start(self) -> float:
        """Earliest presentation time of either stream, in s."""
        return min(stream.start for stream in self.streams)


def _best(
    path: Path, streams: Iterable[Any], probe: Callable[[Any], S | None], notes: list[str]
) -> S | None:
    """Return the first of the streams that can be used, those marked as default first."""
    candidates = sorted(streams, key=lambda s: not s.disposition & Disposition.default)
    if len(candidates) > 1:
        kind = "pictures" if candidates[0].type == "video" else "sound tracks"
        notes.append(f"{path.name} has {len(candidates)} {kind}: one is used")
    return next(filter(None, map(probe, candidates)), None)


def _probe(path: Path, index: int, view: int, max_side: int, threads: int) -> _Recording:
    """Find out what a file holds; `index` is the view of its sound, `view` that of its picture."""
    notes: list[str] = []
    end = math.nan
    with open_container(path) as container:
        cover = Disposition.attached_pic | Disposition.timed_thumbnails
        picture = _best(
            path,
            (s for s in container.streams.video if not s.disposition & cover),
            lambda stream: probe_picture(path, stream, view, max_side, threads, notes),
            notes,
        )
        sound = _best(
            path,
            container.streams.audio,
            lambda stream: probe_sound(path, stream, index, notes),
            notes,
        )
        if container.duration is not None:
            end = ((container.start_time or 0) + container.duration) / av.time_base
        made = _when(container.metadata.get("creation_time", ""))
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
    return _Recording(path, picture, sound, end, tuple(notes), made)


def _when(stamp: str) -> str:
    """Return when a container says it was made, in ISO 8601 UTC; "" if it does not."""
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return ""
    # A clock that was never set tells 1904 or 1970; a time without its zone is none.
    if when.tzinfo is None or when.year < 1990:
        return ""
    return when.astimezone(UTC).isoformat()


class FileSource:
    """One recording, or two of one conversation, as a `Source`.

    Nothing is held open between calls; each call of `packets` reads from the start.

    Parameters
    ----------
    recordings
        one per file.
    starts
        s, when each starts on the session's clock.
    info
        what they hold.
    block_s
        s, length of the blocks of sound.
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
        self._damage: list[dict[Stream, Damage]] = [{} for _ in recordings]
        self._cut_off: tuple[str, ...] = ()

    @property
    def info(self) -> SourceInfo:
        """What the files hold."""
        return self._info

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far while reading, in words."""
        found = (
            f"{'picture' if isinstance(stream, Picture) else 'sound'} of {stream.path.name}: {what}"
            for damage, shift in zip(self._damage, self._shifts, strict=True)
            for stream, seen in damage.items()
            for what in seen.sentences(shift)
        )
        return (*found, *self._cut_off)

    def packets(self) -> Iterator[Packet]:
        """Read the files from the start.

        Yields
        ------
        packet
            ordered by end time.

        Raises
        ------
        MediaError
            if a file cannot be opened any more.
        """
        self._damage = [{s: Damage(s.start) for s in r.streams} for r in self._recordings]
        self._cut_off = ()
        tracks: list[Generator[Packet, None, None]] = []
        for recording, shift, damage in zip(
            self._recordings, self._shifts, self._damage, strict=True
        ):
            picture, sound = recording.picture, recording.sound
            if picture is not None:
                tracks.append(pictures(picture, shift, damage[picture]))
            if sound is not None:
                tracks.append(blocks(sound, shift, self._block_s, damage[sound]))
        with ExitStack() as stack:
            for track in tracks:
                stack.enter_context(closing(track))
            yield from heapq.merge(*tracks, key=lambda packet: packet.end)
        self._cut_off = tuple(self._endings())

    def excerpt(self, start: float, end: float) -> Generator[Packet, None, None]:
        """Read one stretch: sought, not decoded from the start. `problems` stays as it was.

        Parameters
        ----------
        start
            s on the session's clock.
        end
            s on the session's clock.

        Yields
        ------
        packet
            ordered by end time; pictures that begin, and sound that lies, within the stretch (a
            block of sound may reach over its ends).

        Raises
        ------
        MediaError
            if a file cannot be opened any more.
        """
        tracks: list[Generator[Packet, None, None]] = []
        for recording, shift in zip(self._recordings, self._shifts, strict=True):
            since = start - shift
            if (picture := recording.picture) is not None:
                tracks.append(pictures(picture, shift, Damage(since), since))
            if (sound := recording.sound) is not None:
                tracks.append(blocks(sound, shift, self._block_s, Damage(since), since))
        with ExitStack() as stack:
            for track in tracks:
                stack.enter_context(closing(track))
            within = [takewhile(lambda packet: packet.t < end, track) for track in tracks]
            merged = heapq.merge(*within, key=lambda packet: packet.end)
            yield from (packet for packet in merged if packet.end >= start)

    def _endings(self) -> Iterator[str]:
        """Say where reading ended before the end that the file declares."""
        for recording, damage in zip(self._recordings, self._damage, strict=True):
            ends = [(stream.declared_end, seen.t) for stream, seen in damage.items()]
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
        """Return pictures spread over each recording; `packets` goes on undisturbed.

        Parameters
        ----------
        n
            how many of each recording, at most.

        Returns
        -------
        frames
            by recording and time; `index` counts the stills. What cannot be read is left out.
        """
        found: list[VideoFrame] = []
        for recording, shift in zip(self._recordings, self._shifts, strict=True):
            with suppress(FFmpegError, ValueError, MediaError):
                if recording.picture is not None:
                    found.extend(stills(recording.picture, recording.declared_end, shift, n))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
        first, second = (
            soundtrack(blocks(r.sound, -r.start, block_s, Damage()))
            for r in recordings
            if r.sound is not None
        )
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
    paths: tuple[Path, ...],
    offset_s: float | None,
    max_side: int,
    block_s: float,
    threads: int = 0,
) -> FileSource:
    """Open one recording, or two of one conversation; see `cuesense.capture.open_source`.

    Parameters
    ----------
    paths
        one or two files.
    offset_s
        s by which the second recording starts after the first; None aligns the two by their sound.
    max_side
        px; larger pictures are reduced.
    block_s
        s, length of the blocks of sound.
    threads
        that decode pictures; 0: as many as the decoder likes.

    Returns
    -------
    source
        ready to be read, any number of times.

    Raises
    ------
    MediaError
        if a file is missing, unreadable, or holds neither picture nor sound.
    ParameterError
        if the number of files or another argument is out of range, or two
        recordings cannot be aligned.
    """
    if not 1 <= len(paths) <= 2:
        raise ParameterError(
            f"{len(paths)} recordings given, must be 1, or 2 (one per person); for many give a "
            'folder, or a pattern in quotes such as "talks/*.mp4"'
        )
    if max_side < 64:
        raise ParameterError(f"max_side={max_side} must be at least 64 px")
    if not 0.001 <= block_s <= 1:
        raise ParameterError(f"block_s={block_s} must be 0.001 to 1 s")
    recordings: tuple[_Recording, ...] = ()
    for index, path in enumerate(paths):
        view = sum(r.picture is not None for r in recordings)
        recordings += (_probe(path, index, view, max_side, threads),)
    starts = _session_starts(recordings, offset_s, block_s)
    shown = [r.picture for r in recordings if r.picture is not None]
    ends = [r.declared_end - r.start + at for r, at in zip(recordings, starts, strict=True)]
    info = SourceInfo(
        paths=paths,
        duration_s=float(np.fmax.reduce(ends)),
        views=len(shown),
        size=tuple(picture.shown for picture in shown),
        fps=tuple(picture.fps for picture in shown),
        rate=tuple(r.sound.rate if r.sound else 0 for r in recordings),
        channels=tuple(r.sound.channels if r.sound else 0 for r in recordings),
        offset_s=starts[-1] - starts[0],
        notes=tuple(note for r in recordings for note in r.notes),
        started=recordings[int(np.argmin(starts))].made,
    )
    return FileSource(recordings, starts, info, block_s)
