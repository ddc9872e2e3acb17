"""Sources: where packets come from: `open_source` recordings, `open_live` devices, `play` both.

A source is a context manager. A recording's packets come ordered by their end time, audio
re-blocked to at most 20 ms, with presentation timestamps relative to the session's start (the
earliest packet).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from cuesense.errors import ParameterError
from cuesense.types import U8, Event, Packet, VideoFrame

if TYPE_CHECKING:
    from cuesense.capture.browser import BrowserFeed
    from cuesense.config import Config

__all__ = ["Health", "LiveFeed", "Source", "SourceInfo", "open_live", "open_source", "play"]

NONE = "none"
"""Name of no camera, or of no microphone."""


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
    started
        when the session's time 0 was, ISO 8601 with the zone, as far as it is known; else "".
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
    started: str = ""


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


@dataclass(frozen=True, slots=True)
class Health:
    """How one device is: `sentence` says what to do, and is empty if it works.

    `state` is "ok", "opening", "missing", "busy", "denied", "lost", "silent" or "refused".
    """

    device: str
    name: str
    state: str
    sentence: str = ""


class LiveFeed(Source, Protocol):
    """A source that goes on in real time, until it is stopped.

    `packets` starts a session at time 0 whenever it is called; a live source may be used again.

    Attributes
    ----------
    kind
        "device", "browser" or "play" (a file played as if live).
    started
        time.monotonic() at the session's time 0, s.
    dropped
        pictures left out in this session because the rest was not fast enough.
    on_picture
        called in a device's thread with each picture: view, time.monotonic() of its capture, RGB.
    """

    kind: Literal["device", "browser", "play"]
    started: float
    dropped: int
    on_picture: Callable[[int, float, U8], None] | None

    @property
    def fps(self) -> float:
        """Pictures per second of late."""
        ...

    @property
    def health(self) -> tuple[Health, ...]:
        """How the devices are."""
        ...

    def stop(self) -> None:
        """End `packets`; may be called from any thread."""
        ...

    def pause(self) -> None:
        """Deliver nothing but the news that time goes on."""
        ...

    def resume(self) -> None:
        """Deliver again."""
        ...

    def gaps(self) -> list[Event]:
        """Return the gaps that ended since the last call."""
        ...

    def clocks(self) -> dict[str, dict[str, float]]:
        """Return what is known of each device's clock."""
        ...


def open_source(
    *paths: str | Path,
    offset_s: float | None = None,
    max_side: int = 1920,
    block_s: float = 0.02,
    threads: int = 0,
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
    threads
        that decode pictures; 0: as many as the decoder likes.

    Raises
    ------
    MediaError
        If a file is missing, unreadable, or holds neither picture nor sound.
    ParameterError
        If no or more than two paths are given.
    """
    from cuesense.capture.file import open_files

    return open_files(tuple(Path(p) for p in paths), offset_s, max_side, block_s, threads)


def open_live(
    cameras: Sequence[str],
    microphones: Sequence[str],
    config: Config,
    *,
    feed: BrowserFeed | None = None,
) -> LiveFeed:
    """Open cameras and microphones: one of each for both people, or one per person (A, then B).

    Parameters
    ----------
    cameras
        up to two names, numbers, devices or URLs; none: the first camera; "none": no camera.
    microphones
        up to two names or numbers; none: the system's default; "none": no microphone.
    config
        settings.
    feed
        take the camera and the microphone of a page instead.

    Raises
    ------
    ParameterError
        If there are too many, none at all, or a camera's name is not known.
    """
    from cuesense.capture.camera import Camera
    from cuesense.capture.live import LiveSource
    from cuesense.capture.microphone import Microphone

    live = config.live
    if feed is not None:
        return LiveSource([feed], [feed], live, config.capture, kind="browser")
    for what, names in (("camera", cameras), ("microphone", microphones)):
        if len(names) > 2 or (NONE in names and len(names) > 1):
            raise ParameterError(
                f"{what}={', '.join(names)} must be one, two (one per person) or {NONE!r}"
            )
    seen = (
        [] if NONE in cameras else [Camera(n, live, i + 1) for i, n in enumerate(cameras or [""])]
    )
    heard = (
        []
        if NONE in microphones
        else [Microphone(n, live, i + 1) for i, n in enumerate(microphones or [""])]
    )
    if not seen and not heard:
        raise ParameterError("camera=none and microphone=none: there is nothing to sense; give one")
    return LiveSource(seen, heard, live, config.capture)


def play(recording: str | Path, config: Config) -> LiveFeed:
    """Open a recording to be played as if it were live.

    Raises
    ------
    MediaError
        As `open_source`.
    """
    from cuesense.capture.paced import Paced

    capture = config.capture
    return Paced(open_source(recording, max_side=capture.max_side, block_s=capture.block_s))
