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


def periodicity(sound: F32 | F64, centres: npt.NDArray[np.intp], f0_hz: F64) -> F64:
    """Measure how well the sound around each hop repeats itself after one period.

    The greatest normalised cross-correlation, over lags within `SEARCH` of the period, of one
    period's length before the centre with as much after it (Talkin 1995, RAPT, without its
    floor), of the sound below 1.3 kHz.

    Parameters
    ----------
    sound : (m,) array
        At `RATE`.
    centres : (n,) array
        Samples that the hops are centred on, `REACH` or more from both ends of the sound.
    f0_hz : (n,) array
        F0 to be confirmed, Hz, at least 47.

    Returns
    -------
    periodicity : (n,) array
        In [0, 1]: 1 where periods are alike, 0 in silence.

    Examples
    --------
    >>> t = np.arange(-REACH, REACH) / RATE
    >>> sound = np.sin(2 * np.pi * 150 * t)
    >>> periodicity(sound, np.array([REACH]), np.array([150.0])).round(3).tolist()
    [1.0]
    """
    if not len(centres):
        return np.zeros(0)
    start = int(centres.min()) - REACH
    near = np.asarray(sound[start : int(centres.max()) + REACH], np.float64)
    low = np.convolve(near, _LOW_PASS, "valid")
    centre = (centres - start - len(_LOW_PASS) // 2)[:, None]

    period = np.maximum(_SHORTEST, np.rint(RATE / f0_hz).astype(np.intp))[:, None]
    spread = (SEARCH * period).astype(np.intp) + 1
    away = np.arange(-spread.max(), spread.max() + 1)
    looked_at = np.abs(away) <= spread
    lags = period + np.where(looked_at, away, 0)
    first = centre - (period + lags) // 2  # where the two periods start, for each hop and lag
    second = first + lags

    longest = int(period.max())
    windows = _windows(np.concatenate([low, np.zeros(longest)]), longest)
    one = windows[first] * (np.arange(longest) < period)[:, None]
    covariance = np.einsum("ijk,ijk->ij", one, windows[second])
    sums, powers = _running_sum(low), _running_sum(low * low)
    totals = [sums[at + period] - sums[at] for at in (first, second)]
    covariance -= totals[0] * totals[1] / period
    one_power, other_power = (
        powers[at + period] - powers[at] - total**2 / period
        for at, total in zip((first, second), totals, strict=True)
    )
    # The least power is that of a 16-bit sound's last bit.
    least = (period * 1e-9) ** 2
    alike = covariance / np.sqrt(np.maximum(one_power * other_power, 0.0) + least)
    return np.asarray(np.where(looked_at, alike, 0.0).max(axis=1).clip(0.0, 1.0))


def _running_sum(x: F64) -> F64:
    """Return the sums of the first 0, 1, 2 … values."""
    return np.concatenate([[0.0], np.cumsum(x)])


def _windows(x: F64, length: int) -> F64:
    """Return all stretches of `x`, (len(x) - length + 1, length), without a copy."""
    shape = len(x) - length + 1, length
    return np.ndarray(shape, x.dtype, x, strides=(x.itemsize, x.itemsize))


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
