"""One file of a recording: pictures and sound encoded and muxed on the session's clock.

Matroska, since a file that is broken off anywhere can be played up to there. Pictures are MPEG-4
Part 2 at a constant quantiser: FFmpeg's own (LGPL) encoder took half of VP8's time for the same
size and the same effect on the landmarks. Sound is FLAC of 16 bit.

Presentation time 0 is the session's 0. A reader takes a file's first presentation time for its
start, so every file begins at 0: with silence until the first sound, or a black picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, Final, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from cuesense.capture.sound import JITTER_S
from cuesense.types import F32, U8

__all__ = ["MAX_CHANNELS", "MediaFile", "Sink"]

MILLISECOND: Final = Fraction(1, 1000)  # Matroska's clock
CLUSTER_MS: Final = 500  # what a kill can take: Matroska writes cluster by cluster
WAIT_US: Final = 500_000  # that a packet waits for one of the other stream, to be interleaved
QUANTISER: Final = "3"  # 2 takes up to three times the space for a quarter less error
KEY_S: Final = 2.0  # s between pictures that can be sought
SLACK_S: Final = 0.01  # s; block times that are off by less are the clock's corrections
LEAD_S: Final = 0.02  # s of silence at 0, if the first sound comes much later
PATIENCE_S: Final = 1.0  # s of pictures after which no sound is expected to begin at 0
FULL_SCALE: Final = 32768.0
MIN_FLAC: Final = 16  # samples of a FLAC frame, at least
MAX_CHANNELS: Final = 8  # of FLAC


class Sink(Protocol):
    """Where the bytes go; with `seek` and `tell` too if it can go back."""

    def write(self, data: bytes, /) -> int:
        """Write all of `data`, or raise."""
        ...

    def close(self) -> None:
        """End the file."""
        ...


class MediaFile:
    """One Matroska file that is being written: a picture track, a sound track, or both.

    Parameters
    ----------
    sink
        where the bytes go; closed by `close`.
    size
        (width, height) in px of the pictures, None without.
    fps
        pictures per s, about; NaN if unknown.
    rate
        Hz of the sound, 0 without.
    channels
        how many, at most `MAX_CHANNELS`.
    """

    def __init__(
        self, sink: Sink, size: tuple[int, int] | None, fps: float, rate: int, channels: int
    ) -> None:
        self._sink = sink
        self._container = av.open(
            sink,
            "w",
            format="matroska",
            container_options={
                "live": "0" if hasattr(sink, "seek") else "1",
                "cluster_time_limit": str(CLUSTER_MS),
                "max_interleave_delta": str(WAIT_US),
                "flush_packets": "1",
                "avoid_negative_ts": "disabled",  # it would move everything
                "fflags": "+bitexact",  # no word on what wrote it, where or when
            },
        )
        self._picture = _Pictures(self._container, size, fps) if size else None
        self._sound = _Sound(self._container, rate, channels) if channels else None
        self._container.start_encoding()

    def picture(self, t: float, image: U8) -> None:
        """Write the next picture: (height, width, 3) RGB at `t` s.

        Raises
        ------
        OSError
            if the bytes cannot be written.
        """
        if self._picture is None:
            return
        if self._sound is None:
            if not self._picture.begun and t > 0:
                self._container.mux(self._picture.push(0.0, np.zeros_like(image)))
        elif not self._sound.begun and t >= PATIENCE_S:
            self._container.mux(self._sound.begin(t))
        self._container.mux(self._picture.push(t, image))

    def sound(self, t: float, samples: F32) -> None:
        """Write the next sound: (n, channels) in [-1, 1], the first sample at `t` s; NaN is 0.

        Raises
        ------
        OSError
            if the bytes cannot be written.
        """
        if self._sound is not None:
            if not self._sound.begun:
                self._container.mux(self._sound.begin(t))
            self._container.mux(self._sound.push(t, samples))

    def close(self) -> None:
        """Write what is left and end the file.

        Raises
        ------
        OSError
            if the bytes cannot be written; the file is closed all the same.
        """
        try:
            for track in (self._picture, self._sound):
                if track is not None:
                    self._container.mux(track.flush())
            self._container.close()
        finally:
            self._sink.close()


class _Pictures:
    """The picture track."""

    def __init__(self, container: Any, size: tuple[int, int], fps: float) -> None:
        rate = Fraction(fps).limit_denominator(1001) if 1 <= fps <= 1000 else 30
        self._size = size
        self._stream = container.add_stream(
            "mpeg4", rate=rate, options={"qmin": QUANTISER, "qmax": QUANTISER}
        )
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = MILLISECOND
        context.gop_size = 600  # by time, see below
        context.thread_count = 1
        context.flags |= av.codec.context.Flags.bitexact
        self._scaler = VideoReformatter()
        self._last = -1  # ms
        self._key = -np.inf  # s

    @property
    def begun(self) -> bool:
        """Whether there was a picture."""
        return self._last >= 0

    def push(self, t: float, image: U8) -> Sequence[Any]:
        """Return the packets of the next picture; none if it has no time of its own."""
        at = round(t * 1000)
        if at <= self._last:
            return ()
        frame = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(image), "rgb24")
        frame = self._scaler.reformat(frame, *self._size, "yuv420p", threads=1)
        frame.pts, frame.time_base = at, MILLISECOND
        if t - self._key >= KEY_S:
            frame.pict_type = av.video.frame.PictureType.I
            self._key = t
        self._last = at
        return self._stream.encode(frame)  # type: ignore[no-any-return]

    def flush(self) -> Sequence[Any]:
        """Return the packets that are left."""
        return self._stream.encode(None) if self.begun else ()


class _Sound:
    """The sound track: blocks of any length in, FLAC frames at their times out.

    A gap ends a stretch. An encoder takes one frame that is shorter than the others, its last, so
    every stretch has an encoder of its own; a FLAC frame needs nothing from those before it.
    """

    def __init__(self, container: Any, rate: int, channels: int) -> None:
        self._rate, self._channels = rate, channels
        self._stream = container.add_stream("flac", rate=rate)
        self._stream.layout = f"{channels}c" if channels > 2 else ("mono", "stereo")[channels - 1]
        self._stream.format = "s16"
        self._stream.codec_context.flags |= av.codec.context.Flags.bitexact
        self._encoder: Any = None
        self._held = np.zeros((0, channels), np.int16)
        self._t = 0.0  # s, of the first sample held
        self.begun = False

    @property
    def _end(self) -> float:
        return self._t + len(self._held) / self._rate

    def begin(self, t: float) -> list[Any]:
        """Return the packets of the silence before the first sound, which comes at `t` or later."""
        self.begun = True
        # A reader takes a gap of JITTER_S for jitter: one that is left must be clearly longer.
        silence_s = max(t, 0.0) if t <= LEAD_S + 2 * JITTER_S else LEAD_S
        return self._append(0.0, np.zeros((round(silence_s * self._rate), self._channels)))

    def push(self, t: float, samples: F32) -> list[Any]:
        """Return the packets that are complete with the next block."""
        late = t - self._end
        done: list[Any] = []
        if late > JITTER_S:
            done += self.flush()
            self._t = t
        elif late > SLACK_S:  # a reader would smear it: silence keeps what follows in its place
            done += self._append(self._end, np.zeros((round(late * self._rate), self._channels)))
        elif late < -SLACK_S:  # came twice, or lies before the session's start
            samples, t = samples[round(-late * self._rate) :], self._end
        return done + self._append(t, samples)

    def flush(self) -> list[Any]:
        """Return the packets of what is left, and end the stretch."""
        if not len(self._held):
            return []
        rest = np.zeros((max(len(self._held), MIN_FLAC), self._channels), np.int16)
        rest[: len(self._held)] = self._held
        done = [*self._encode(rest), *self._packets(self._encoder.encode(None))]
        self._t, self._held = self._end, self._held[:0]
        self._encoder = None
        return done

    def _append(self, t: float, samples: npt.NDArray[np.floating[Any]]) -> list[Any]:
        scaled = np.round(np.clip(np.nan_to_num(samples), -1, 1) * FULL_SCALE)
        pcm = np.minimum(scaled, FULL_SCALE - 1).astype(np.int16)
        if not len(self._held):
            self._t = t
        self._held = np.concatenate([self._held, pcm])
        done: list[Any] = []
        while len(self._held) >= (n := self._frame_size()):
            done += self._encode(self._held[:n])
            self._held = self._held[n:]
            self._t = t + (len(pcm) - len(self._held)) / self._rate
        return done

    def _frame_size(self) -> int:
        if self._encoder is None:
            source = self._stream.codec_context
            self._encoder = av.CodecContext.create("flac", "w")
            self._encoder.rate, self._encoder.layout = self._rate, source.layout
            self._encoder.format = source.format
            self._encoder.open()
        return int(self._encoder.frame_size)

    def _encode(self, pcm: npt.NDArray[np.int16]) -> list[Any]:
        packed = np.ascontiguousarray(pcm).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "s16", self._stream.layout)
        frame.rate = self._rate
        frame.pts, frame.time_base = round(max(self._t, 0) * self._rate), Fraction(1, self._rate)
        return self._packets(self._encoder.encode(frame))

    def _packets(self, encoded: Iterable[Any]) -> list[Any]:
        kept = [packet for packet in encoded if packet.size]  # the last says only that it ended
        for packet in kept:
            packet.stream = self._stream
        return kept
