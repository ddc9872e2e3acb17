"""A stream of sound -> float32 blocks of one length, timed by counting samples."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cuesense.capture.decode import (
    Damage,
    Stream,
    declared_end,
    first_frame,
    open_container,
    timed,
)
from cuesense.kernels import alpha
from cuesense.types import F32, AudioBlock

__all__ = ["JITTER_S", "MIN_RATE", "Reblock", "Sound", "blocks", "probe_sound", "to_float"]

MIN_RATE, MAX_RATE = 8000, 768_000  # Hz; below there is no voice band, above only forged headers
SAMPLE_FORMATS = {"u8", "s16", "s32", "flt", "dbl"}
LIMIT = 100.0  # full scales; a float sample beyond +40 dBFS is garbage, not sound
JITTER_S = 0.04  # s; audio timestamps that are off by less are smoothed, not followed
ROUNDING_S = 0.002  # s; containers round timestamps to a millisecond: not even smoothed
SMOOTHING_S = 5.0  # s; time constant with which the block times follow the timestamps


@dataclass(frozen=True, slots=True)
class Sound(Stream):
    """A stream of sound.

    Attributes
    ----------
    rate
        Hz.
    channels
        how many.
    """

    rate: int
    channels: int


def probe_sound(path: Path, stream: Any, view: int, notes: list[str]) -> Sound | None:
    """Find out what a stream of sound holds by decoding its first frame.

    Parameters
    ----------
    path
        the file.
    stream
        PyAV's stream in it.
    view
        for its packets.
    notes
        sentences for the user, to which those on this stream are added.

    Returns
    -------
    sound
        None if the stream cannot be used.
    """
    frame, start = first_frame(path, stream, notes)
    if frame is None:
        return None
    rate = frame.sample_rate
    if frame.format.name.removesuffix("p") not in SAMPLE_FORMATS:
        notes.append(f"{path.name}: sound of {frame.format.name} samples is ignored")
        return None
    if not MIN_RATE <= rate <= MAX_RATE:
        bound = f"below {MIN_RATE}" if rate < MIN_RATE else f"above {MAX_RATE}"
        notes.append(f"{path.name}: sound at {rate} Hz is {bound} Hz and is ignored")
        return None
    end = declared_end(stream)
    return Sound(path, stream.index, view, start, end, rate, frame.layout.nb_channels)


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


class Reblock:
    """Cut decoded sound into blocks of one length, timed by counting samples.

    Containers round and jitter timestamps, so within a stretch of sound the time of a block is
    the stretch's start plus samples / rate; the start follows the timestamps slowly. A gap ends
    the stretch (its last block is shorter); sound that comes a second time is cut off. The
    blocks do not depend on how the codec cut the sound into frames.

    Parameters
    ----------
    rate
        Hz.
    block_s
        s, length of a block.
    start
        s, time of the first sample if it has no timestamp.
    view
        `view` of the blocks.

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
        self._counted = 0  # samples of this stretch that were yielded
        self._held: F32 = np.zeros((0, 1), np.float32)
        self.repeated_s = 0.0

    @property
    def end(self) -> float:
        """Time after the last sample that was pushed, in s."""
        return self._start + (self._counted + len(self._held)) / self._rate

    def push(self, samples: F32, t: float) -> Iterator[AudioBlock]:
        """Take decoded sound and yield the blocks that are complete.

        Parameters
        ----------
        samples
            (n, channels).
        t
            s, timestamp of the first sample; NaN if there is none.

        Yields
        ------
        block
            of `block_s`, or shorter before a gap.
        """
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
        self._held = np.concatenate([self._held, samples]) if len(self._held) else samples
        while len(self._held) >= self._length:
            yield self._take(self._length)

    def flush(self) -> Iterator[AudioBlock]:
        """Yield what is left as one shorter block."""
        if len(self._held):
            yield self._take(len(self._held))

    def _take(self, n: int) -> AudioBlock:
        """Return the first `n` samples that are held as a block."""
        t = self._start + self._counted / self._rate
        samples = np.ascontiguousarray(self._held[:n])
        samples.flags.writeable = False
        self._held = self._held[n:]
        self._counted += n
        return AudioBlock(t, samples, self._rate, self._view)


def blocks(
    sound: Sound, shift: float, block_s: float, damage: Damage, since: float = -math.inf
) -> Generator[AudioBlock, None, None]:
    """Decode the sound of a stream.

    Parameters
    ----------
    sound
        the stream.
    shift
        s from the container's clock to the session's.
    block_s
        s, length of a block.
    damage
        told what goes wrong.
    since
        s on the container's clock: what is heard before it may be left out.

    Yields
    ------
    block
        of `block_s`, or shorter before a gap and at the end (see `Reblock`).

    Raises
    ------
    MediaError
        if the file cannot be opened any more.
    """
    rate, channels = sound.rate, sound.channels
    reblock = Reblock(rate, block_s, sound.start + shift, sound.view)
    begun = False
    with open_container(sound.path) as container:
        for frame, t in timed(container, sound.index, damage, since):
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
