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
    low = _low_passed(frames)
    sums, powers = _running_sum(low), _running_sum(low * low)
    for i, f0 in enumerate(f0_hz.tolist()):
        period = max(_SHORTEST, round(RATE / f0))
        spread = int(SEARCH * period) + 1
        lags = np.arange(period - spread, period + spread + 1)
        before = low.shape[1] // 2 - (period + lags) // 2
        starts = np.stack([before, before + lags])  # of the two periods, for each lag
        covariance = np.einsum("ij,ij->i", *_windows(low[i], period)[starts])
        total = sums[i][starts + period] - sums[i][starts]
        power = powers[i][starts + period] - powers[i][starts] - total**2 / period
        covariance -= total[0] * total[1] / period
        # The least power is that of a 16-bit sound's last bit.
        least = (period * 1e-9) ** 2
        alike = covariance / np.sqrt(np.maximum(power[0] * power[1], 0.0) + least)
        found[i] = min(1.0, max(0.0, float(alike.max())))
    return found


def _low_passed(frames: F32 | F64) -> F64:
    """Return what of each frame does not lean on its neighbours, (n, 2 REACH + 1 - taps)."""
    sound = np.asarray(frames, np.float64)
    if not len(sound):
        return np.zeros((0, 0))
    smooth = np.convolve(sound.ravel(), _LOW_PASS)[: sound.size].reshape(sound.shape)
    return np.ascontiguousarray(smooth[:, len(_LOW_PASS) - 1 :])


def _running_sum(rows: F64) -> F64:
    """Return the sums of the first 0, 1, 2 … values of each row."""
    total = np.zeros((len(rows), rows.shape[1] + 1))
    np.cumsum(rows, axis=1, out=total[:, 1:])
    return total


def _windows(row: F64, length: int) -> F64:
    """Return all stretches of a row, (len(row) - length + 1, length), without a copy."""
    shape = len(row) - length + 1, length
    return np.ndarray(shape, row.dtype, row, strides=(row.itemsize, row.itemsize))


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
