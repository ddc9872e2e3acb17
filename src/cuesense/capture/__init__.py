"""Sources: where packets come from. `open_source` is the only way in.

A source is a context manager. Its packets come ordered by their end time, audio re-blocked to at
most 20 ms, with presentation timestamps relative to the session's start (the earliest packet).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from cuesense.types import Packet, VideoFrame

__all__ = ["Source", "SourceInfo", "open_source"]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source holds.

    Attributes
    ----------
    paths
        the files (one, or one per person).
    duration_s
        s, NaN if unknown; from the container, so a truncated file may be shorter.
    views
        number of pictures (0 audio only, 1, or 2: one per person).
    size
        (width, height) in px of each picture, upright, as delivered; by `VideoFrame.view`.
    fps
        average frame rate of each picture, NaN if unknown.
    rate
        audio sampling rate in Hz of each file, 0 without sound; by `AudioBlock.view`.
    channels
        audio channels of each file, 0 without sound.
    offset_s
        s by which the second recording starts after the first.
    notes
        sentences for the user (rotation applied, no sound, …).
    """

    paths: tuple[Path, ...]
    duration_s: float
    views: int
    size: tuple[tuple[int, int], ...]
    fps: tuple[float, ...]
    rate: tuple[int, ...]
    channels: tuple[int, ...]
    offset_s: float = 0.0
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where packets come from."""

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong so far while reading (truncated end, damaged packets), in words."""
        ...

    def packets(self) -> Iterator[Packet]:
        """Yield all packets from the start, ordered by end time."""
        ...

    def stills(self, n: int) -> list[VideoFrame]:
        """Return up to `n` frames spread over each view's recording ([] if not seekable)."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_source(
    *paths: str | Path, offset_s: float | None = None, max_side: int = 1920, block_s: float = 0.02
) -> Source:
    """Open one recording, or two of the same conversation (one per person: A, then B).

    Parameters
    ----------
    *paths
        one or two files.
    offset_s
        s by which the second recording starts after the first; None aligns the two by
        cross-correlating their sound.
    max_side
        px; larger pictures are reduced.
    block_s
        s; audio block length.

    Raises
    ------
    MediaError
        If a file is missing, unreadable, or holds neither picture nor sound.
    ParameterError
        If no or more than two paths are given.
    """
    from cuesense.capture.file import open_files

    return open_files(tuple(Path(p) for p in paths), offset_s, max_side, block_s)
