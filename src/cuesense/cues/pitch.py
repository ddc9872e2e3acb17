"""Which hops are voiced: the pitch model's confidence and the sound's own periodicity. Pure.

The model sees 130 ms around a hop, so its confidence is sure within a vowel and late at its
edges; one pitch period against the next tells there, within 20 ms, whether the voice goes on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.cues.prosody import RATE
from cuesense.types import F32, F64

REACH: Final = 400
"""Samples before and after a hop's centre that `periodicity` looks at: two periods of 47 Hz."""
SEARCH: Final = 0.15
"""Share of the period by which the sound may repeat itself earlier or later than expected."""
NEUTRAL: Final = 0.7
"""Periodicity that speaks neither for nor against voicing: some 4 dB more harmonics than noise."""
UNVOICED: Final = 0.1
"""Confidence below which periodicity could not make a hop voiced, and is not measured."""

_LOW_PASS: Final = np.hanning(26)[1:-1] / np.hanning(26).sum()  # -6 dB at 1.3 kHz
_SHORTEST: Final = 8  # samples of a period; no voice is higher than 2 kHz


def periodicity(frames: F32 | F64, f0_hz: F64) -> F64:
    """Measure how well the sound around each hop repeats itself after one period.

    The greatest normalised cross-correlation, over lags within `SEARCH` of the period, of one
    period's length before the centre with as much after it (Talkin 1995, RAPT, without its
    floor), of the sound below 1.3 kHz.

    Parameters
    ----------
    frames : (n, 2 * REACH) array
        Sound at `RATE`, each frame's hop centred on sample `REACH`.
    f0_hz : (n,) array
        F0 to be confirmed, Hz, at least 47.

    Returns
    -------
    periodicity : (n,) array
        In [0, 1]: 1 where periods are alike, 0 in silence.

    Examples
    --------
    >>> t = np.arange(-REACH, REACH) / RATE
    >>> periodicity(np.sin(2 * np.pi * 150 * t)[None], np.array([150.0])).round(3).tolist()
    [1.0]
    """
    found = np.zeros(len(f0_hz))
    for i, (frame, f0) in enumerate(zip(frames, f0_hz.tolist(), strict=True)):
        low = np.convolve(np.asarray(frame, np.float64), _LOW_PASS, mode="valid")
        period = max(_SHORTEST, round(RATE / f0))
        spread = int(SEARCH * period) + 1
        lags = np.arange(period - spread, period + spread + 1)
        before = len(low) // 2 - (period + lags) // 2  # the first samples of the two periods
        after = before + lags
        windows = np.lib.stride_tricks.sliding_window_view(low, period)
        product = np.einsum("ij,ij->i", windows[before], windows[after])
        sums, powers = _moving_sum(low, period), _moving_sum(low * low, period)
        powers -= sums * sums / period
        covariance = product - sums[before] * sums[after] / period
        # The least power is that of a 16-bit sound's last bit.
        least = (period * 1e-9) ** 2
        alike = covariance / np.sqrt(np.maximum(powers[before] * powers[after], 0.0) + least)
        found[i] = min(1.0, max(0.0, float(alike.max())))
    return found


def _moving_sum(x: F64, width: int) -> F64:
    """Return the sums of each `width` values in a row, (len(x) - width + 1,)."""
    total = np.cumsum(x)
    total[width:] -= total[:-width].copy()
    return np.asarray(total[width - 1 :])


def voicing(confidence: F64, periodicity: F64) -> F64:
    """Join the model's confidence and the periodicity, both (n,): ``logit + (r - NEUTRAL)``.

    The periodicity moves the confidence by a third of a doubling at most, so that it decides
    where the model doubts and never against it: in noise the periodicity falls, and the model
    still hears the voice.
    """
    odds = (confidence + 1e-6) / (1 - confidence + 1e-6) * np.exp(periodicity - NEUTRAL)
    return np.asarray(odds / (1 + odds))


def voiced(
    voicing: F64, *, on: float, off: float, state: bool = False
) -> tuple[npt.NDArray[np.bool_], bool]:
    """Decide with hysteresis which hops are voiced.

    Parameters
    ----------
    voicing : (n,) array
        In [0, 1].
    on : float
        From which a voiced stretch begins.
    off : float
        Below which it ends, at most `on`.
    state : bool
        Whether the hop before the first was voiced.

    Returns
    -------
    voiced : (n,) bool array
    state : bool
    """
    mask = np.empty(len(voicing), dtype=np.bool_)
    for i, value in enumerate(voicing.tolist()):
        state = value >= (off if state else on)
        mask[i] = state
    return mask, state
