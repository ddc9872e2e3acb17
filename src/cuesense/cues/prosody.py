"""Voice maths: level, spectral tilt, syllable nuclei and pace. Pure: state in, state out.

The signal is taken in hops of 256 samples at 16 kHz (16 ms); a frame is the 32 ms around the
centre of a hop. Splitting the hops anywhere and carrying the state gives what one call gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense.types import F64

RATE: Final = 16_000
"""Hz; all analysis runs at this rate."""
HOP: Final = 256
"""Samples from one hop to the next (16 ms)."""
FRAME: Final = 2 * HOP
"""Samples of a frame (32 ms)."""

LOW_BAND_HZ: Final = (50.0, 1000.0)
HIGH_BAND_HZ: Final = (1000.0, 5000.0)
"""The bands of the spectral tilt; vocal effort lifts the upper one more."""
NUCLEUS_BAND_HZ: Final = (300.0, 1500.0)
"""Where vowels are loud; hum, breath, fricatives, and the glottal ripple of high formants not."""
NUCLEUS_FLOOR_DB: Final = 25.0
"""dB below the recent speech level under which a peak is no nucleus (de Jong & Wempe 2009)."""
NEAR_HOPS: Final = 11
"""Hops (176 ms: over 5.7 syllables per second) under which two peaks are near each other."""
NEAR_DIP_DB: Final = 4.0
"""Least dip between two peaks that are near each other, dB."""
SONORANT_TILT_DB: Final = 0.0
"""dB of spectral tilt from which speech without an F0 may hold a nucleus: no fricative."""
LEVEL_DECAY_DB: Final = 0.048
"""dB per sonorant hop (3 dB/s) by which the recent speech level forgets a loud passage."""
MIN_SPEECH_S: Final = 1.0
"""s of speech within the window from which there is a syllable rate."""

_LEAST_POWER: Final = 1e-12  # power of -120 dB; digital silence reads this


def a_weighting_db(freqs: F64) -> F64:
    """Return the A-weighting (n,) in dB at `freqs` (n,), in Hz; IEC 61672-1:2013, annex E.

    Examples
    --------
    >>> a_weighting_db(np.array([100.0, 1000.0])).round(1).tolist()
    [-19.1, 0.0]
    """
    f2 = np.square(freqs)
    gain = (12194.217**2 * f2**2) / (
        (f2 + 20.598997**2)
        * np.sqrt((f2 + 107.65265**2) * (f2 + 737.86223**2))
        * (f2 + 12194.217**2)
    )
    with np.errstate(divide="ignore"):
        return np.asarray(20 * np.log10(gain) + 2.0)


class Levels(NamedTuple):
    """Level measures of n frames, each (n,).

    `loudness_db` is A-weighted, `tilt_db` the level below minus above 1 kHz (NaN in digital
    silence), `nucleus_power` the power in `NUCLEUS_BAND_HZ`.
    """

    loudness_db: F64
    tilt_db: F64
    nucleus_power: F64


@cache
def _weights() -> tuple[F64, F64]:
    """Return the window (FRAME,) and the power weights (FRAME // 2 + 1, 4) of the measures."""
    window = np.hanning(FRAME + 1)[:-1]
    freqs = np.arange(FRAME // 2 + 1, dtype=np.float64) * RATE / FRAME
    bands = [(freqs >= a) & (freqs < b) for a, b in (LOW_BAND_HZ, HIGH_BAND_HZ, NUCLEUS_BAND_HZ)]
    weights = np.stack([10 ** (a_weighting_db(freqs) / 10), *bands], axis=1)
    # Parseval: the mean square is twice the one-sided sum; twice again re a full-scale sine's.
    return window, weights * (4 / (FRAME * float(np.sum(window**2))))


def levels(frames: npt.ArrayLike) -> Levels:
    """Measure frames; 0 dB is the level of a full-scale sine (AES17), so 1 kHz at 0.1 is -20 dB.

    Parameters
    ----------
    frames : (n, FRAME) array
        Samples at `RATE`, full scale 1. The mean of each frame is removed.

    Returns
    -------
    Levels
        Nothing is lower than -120 dB.
    """
    samples = np.asarray(frames, dtype=np.float64)
    window, weights = _weights()
    spectrum = np.fft.rfft((samples - samples.mean(axis=1, keepdims=True)) * window, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) @ weights
    decibel = 10 * np.log10(np.maximum(power, _LEAST_POWER))
    silent = np.all(power[:, 1:3] < _LEAST_POWER, axis=1)
    tilt = np.where(silent, np.nan, decibel[:, 1] - decibel[:, 2])
    return Levels(decibel[:, 0], tilt, power[:, 3])


def smooth_db(power: F64, state: F64 | None = None) -> tuple[F64, F64]:
    """Smooth power over three hops (1/4, 1/2, 1/4) and return it in dB, one hop late.

    With the frame's own 32 ms this is the 64-ms window of de Jong & Wempe's (2009) contour.

    Parameters
    ----------
    power : (n,) array
        Power per hop.
    state : (2,) array, optional
        The last two powers; None at the start, where silence is taken to come before.

    Returns
    -------
    level : (n,) array
        ``level[i]`` belongs to hop ``i - 1``, dB.
    state : (2,) array
    """
    padded = np.concatenate([np.zeros(2) if state is None else state, power])
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    return 10 * np.log10(np.maximum(smooth, _LEAST_POWER)), padded[-2:]


@dataclass(frozen=True, slots=True)
class PeakState:
    """Where `peaks` stands: hops seen, lowest level since the last peak, candidate, last peak."""

    seen: int = 0
    low: float = np.inf
    high: float = -np.inf
    at: int = -1  # hop of the candidate, -1 if the level has not risen enough yet
    last: int = -NEAR_HOPS  # hop of the last peak


def peaks(
    level_db: F64, *, dip_db: float, hold: int, state: PeakState | None = None
) -> tuple[list[int], PeakState]:
    """Find intensity peaks with a dip of at least `dip_db` before and after.

    The syllable nuclei of de Jong & Wempe (2009, Behavior Research Methods 41:385-390), but for
    their voicing, which the caller checks. A candidate that nothing has exceeded for `hold` hops
    is taken without waiting for its dip, so that a long vowel is decided in time too; the next
    peak needs its rise all the same. A peak within `NEAR_HOPS` of the last one needs a rise of
    `NEAR_DIP_DB`: a shallow ripple so soon is one syllable's, not another's.

    Parameters
    ----------
    level_db : (n,) array
        Intensity per hop, dB.
    dip_db : float
        Least rise before and fall after a peak, dB.
    hold : int
        Hops after which a candidate is decided.
    state : PeakState, optional
        None at the start.

    Returns
    -------
    found : list of int
        Hops of the peaks decided in this call, counted from the start of the stream.
    state : PeakState
    """
    now = state or PeakState()
    low, high, at, last = now.low, now.high, now.at, now.last
    found: list[int] = []
    for hop, level in enumerate(level_db.tolist(), start=now.seen):
        if at < 0:
            low = min(low, level)
            if level >= low + dip_db:
                high, at = level, hop
        elif level > high:
            high, at = level, hop
        elif level <= high - dip_db or hop - at >= hold:
            if at - last >= NEAR_HOPS or high - low >= NEAR_DIP_DB:
                found.append(at)
                last = at
            low, at = level, -1
    return found, PeakState(now.seen + len(level_db), low, high, at, last)


def speech_level(
    level_db: F64, sonorant: npt.NDArray[np.bool_], state: float = -np.inf
) -> tuple[F64, float]:
    """Follow the recent speech level: up at once, down by 3 dB per second of sonorant speech.

    Parameters
    ----------
    level_db : (n,) array
        Intensity per hop, dB.
    sonorant : (n,) bool array
        Other hops leave the level as it is.
    state : float
        The last level.

    Returns
    -------
    reference : (n,) array
        dB; -inf before the first sonorant hop.
    state : float
    """
    reference = np.empty(len(level_db))
    for i, (level, counts) in enumerate(zip(level_db.tolist(), sonorant.tolist(), strict=True)):
        if counts:
            state = max(level, state - LEVEL_DECAY_DB)
        reference[i] = state
    return reference, state


def syllable_rate(
    speaking: F64,
    nuclei: F64,
    *,
    tick_s: float,
    window_s: float,
    threshold: float = 0.5,
    state: F64 | None = None,
) -> tuple[F64, F64]:
    """Return one person's pace: nuclei per second of their own speech in the last `window_s`.

    Applied after speech has been attributed to people. Pauses do not count, so this is the
    articulation rate.

    Parameters
    ----------
    speaking : (n,) array
        Probability per tick that this person speaks; NaN counts as silence.
    nuclei : (n,) array
        Syllable nuclei per tick; those outside the person's speech are ignored.
    tick_s : float
        s between ticks.
    window_s : float
        s.
    threshold : float
        Probability from which there is speech.
    state : (2, m) array, optional
        The last window's ticks; None at the start.

    Returns
    -------
    rate : (n,) array
        1/s; NaN with under `MIN_SPEECH_S` of speech in the window.
    state : (2, m) array
    """
    width = max(1, round(window_s / tick_s))
    past = np.zeros((2, width)) if state is None else state
    speech = np.asarray(speaking) >= threshold
    ticks = np.concatenate([past, np.stack([speech, np.where(speech, nuclei, 0.0)])], axis=1)
    total = np.cumsum(ticks, axis=1)  # whole numbers: exact, however the ticks are split
    inside = total[:, width:] - total[:, :-width]
    spoken = inside[0] * tick_s
    enough = spoken >= MIN_SPEECH_S - 1e-9
    rate = np.divide(inside[1], spoken, out=np.full(len(spoken), np.nan), where=enough)
    return rate, ticks[:, -width:]
