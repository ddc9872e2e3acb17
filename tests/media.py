"""Small media files for tests: any container, codec, timing, rotation and sound layout."""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np

from cuesense.types import F32, U8

TICKS = 90_000  # Hz; clock of the stamps given to the encoders


def quadrants(t: float, size: tuple[int, int]) -> U8:
    """Return (height, width, 3): red top left, green top right, blue below left, grey below right.

    The grey rises with `t` (full at 2.5 s), so that a picture tells its time.
    """
    wide, high = size
    image = np.zeros((high, wide, 3), np.uint8)
    image[: high // 2, : wide // 2] = (220, 30, 30)
    image[: high // 2, wide // 2 :] = (30, 220, 30)
    image[high // 2 :, : wide // 2] = (30, 30, 220)
    image[high // 2 :, wide // 2 :] = round(min(t, 2.5) * 100)
    return image


def tone(t: np.ndarray, hertz: float = 440.0) -> F32:
    """Return (n,) a sine of amplitude 0.5 at the times `t`."""
    return (0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


@dataclass(frozen=True)
class Video:
    """A picture track; `times` (s) overrides `seconds`, `fps` and `start_s`."""

    codec: str = "mpeg4"
    size: tuple[int, int] = (96, 64)
    fps: int = 25
    seconds: float = 1.0
    start_s: float = 0.0
    times: Sequence[float] | None = None
    pix_fmt: str = "yuv420p"
    rotation: int | None = None  # degrees counter-clockwise that a player must turn it
    mirrored: bool = False  # a player must swap left and right (after turning)
    aspect: Fraction | None = None  # of a pixel
    gop: int = 12
    options: Mapping[str, str] = field(default_factory=dict)
    picture: Callable[[float, tuple[int, int]], U8] = quadrants

    @property
    def stamps(self) -> list[float]:
        """Presentation times, s."""
        if self.times is not None:
            return list(self.times)
        return [self.start_s + i / self.fps for i in range(round(self.seconds * self.fps))]


@dataclass(frozen=True)
class Audio:
    """A sound track; `samples` (n, channels) overrides the tone of `seconds`."""

    codec: str = "aac"
    rate: int = 48_000
    layout: str = "mono"
    seconds: float = 1.0
    start_s: float = 0.0
    samples: F32 | None = None
    gaps: Sequence[tuple[float, float]] = ()  # (from, to) s of the track that are not written

    def pieces(self, piece_s: float = 0.01) -> list[tuple[float, F32]]:
        """Return (time in s, (n, channels) samples) to be encoded."""
        channels = av.AudioLayout(self.layout).nb_channels
        samples = self.samples
        if samples is None:
            mono = tone(np.arange(round(self.seconds * self.rate)) / self.rate)
            samples = np.repeat(mono[:, np.newaxis], channels, axis=1)
        n = max(1, round(piece_s * self.rate))
        timed = [(i / self.rate, samples[i : i + n]) for i in range(0, len(samples), n)]
        return [
            (self.start_s + t, piece)
            for t, piece in timed
            if not any(low <= t + 1e-9 < high for low, high in self.gaps)
        ]


def _add_video(container: Any, video: Video) -> Any:
    stream = container.add_stream(video.codec, rate=video.fps, options=dict(video.options))
    stream.width, stream.height = video.size
    stream.pix_fmt = video.pix_fmt
    stream.codec_context.gop_size = video.gop
    if video.codec not in ("mpeg4", "mpeg2video"):  # those count in frames only
        stream.codec_context.time_base = Fraction(1, TICKS)
    if video.aspect is not None:
        stream.codec_context.sample_aspect_ratio = video.aspect
    if video.rotation is not None or video.mirrored:
        stream.set_display_rotation(video.rotation or 0, hflip=video.mirrored)
    return stream


def _encoded(container: Any, track: Video | Audio) -> Iterator[tuple[float, list[Any]]]:
    """Add a stream for the track and return its packets with the time of what was encoded."""
    stream: Any
    if isinstance(track, Video):
        stream, clock = _add_video(container, track), TICKS
    else:
        stream = container.add_stream(track.codec, rate=track.rate, layout=track.layout)
        clock = track.rate

    def frames() -> Iterator[tuple[float, Any]]:
        if isinstance(track, Video):
            for t in track.stamps:
                yield t, av.VideoFrame.from_ndarray(track.picture(t, track.size), "rgb24")
        else:
            for t, piece in track.pieces():
                planar = np.ascontiguousarray(piece.T)
                frame = av.AudioFrame.from_ndarray(planar, "fltp", track.layout)
                frame.sample_rate = track.rate
                yield t, frame

    def packets() -> Iterator[tuple[float, list[Any]]]:
        last = 0.0
        for t, frame in frames():
            frame.pts, frame.time_base = round(t * clock), Fraction(1, clock)
            yield t, stream.encode(frame)
            last = t
        yield last, stream.encode(None)

    return packets()


def write_media(
    path: Path,
    video: Video | None = Video(),
    audio: Audio | None = Audio(),
    *,
    options: Mapping[str, str] | None = None,
    interleaved: bool = True,
    more: Sequence[Video | Audio] = (),
) -> Path:
    """Write a media file; the container is told by the path's suffix.

    `interleaved=False` writes each track whole, one after the other. `more` are further tracks.
    """
    given = {**(options or {}), **({} if interleaved else {"max_interleave_delta": "1"})}
    tracks = [track for track in (video, audio, *more) if track is not None]
    with av.open(str(path), "w", options=given) as container:
        queues = [_encoded(container, track) for track in tracks]
        # Encoders start when the first packet is written, so all streams have to be there first.
        packets = heapq.merge(*queues, key=itemgetter(0)) if interleaved else chain(*queues)
        for _, encoded in packets:
            container.mux(encoded)
    return path


def wav_bytes(samples: F32, rate: int, channels: int | None = None) -> bytes:
    """Return a 32-bit float WAV file of (n, channels) samples; `channels` forges the header."""
    count = samples.shape[1] if channels is None else channels
    form = struct.pack("<HHIIHH", 3, count, rate, rate * count * 4, count * 4, 32)
    data = samples.astype("<f4").tobytes()
    chunks = b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def cover_art_tag(image: bytes, mime: bytes = b"image/jpeg") -> bytes:
    """Return an ID3v2.3 tag that carries a picture, to be put before an MP3 stream."""
    body = b"\0" + mime + b"\0\x03\0" + image
    frame = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frame
