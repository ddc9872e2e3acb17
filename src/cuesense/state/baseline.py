"""The person-specific zero: median and 1.4826 MAD of each cue over a stretch of ordinary talk.

Population-level rules read faces and voices badly; deviations from a person's own baseline read
them well. A cue's zero is fixed once the stretch is over and enough of the cue was seen in it;
until then it is uncalibrated. A cue that was too rare in the stretch (a listener who hardly
spoke) goes on collecting until it has enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cuesense.kernels import robust_location
from cuesense.types import F64

SE_OF_MEDIAN = 1.2533
"""Standard error of a median over that of a mean, for normal data: sqrt(pi / 2)."""


@dataclass(frozen=True, slots=True)
class Zero:
    """One cue's zero: median, SD (not below the cue's floor) and standard error in SD."""

    median: float
    sd: float
    error_sd: float


class Baseline:
    """Collects one cue's values, one per tick, until its zero is fixed.

    Parameters
    ----------
    start_s
        s.
    duration_s
        s; the stretch.
    least_s
        s of valid values before the zero is fixed.
    floor
        the smallest SD, in the cue's unit: what measurement noise alone makes.
    correlation_s
        s; values closer than this count as one when the error is estimated.
    rate_hz
        ticks per second.
    """

    __slots__ = ("_correlation", "_end", "_floor", "_least", "_rate", "_start", "_values", "zero")

    def __init__(
        self,
        *,
        start_s: float,
        duration_s: float,
        least_s: float,
        floor: float,
        correlation_s: float,
        rate_hz: float,
    ) -> None:
        self._start, self._end = start_s, start_s + duration_s
        self._least = max(1, round(least_s * rate_hz))
        self._floor, self._correlation, self._rate = floor, correlation_s, rate_hz
        self._values: list[float] = []
        self.zero: Zero | None = None

    def push(self, t: float, value: float) -> None:
        """Take the value at the next tick (NaN: none)."""
        if self.zero is not None:
            return
        if t >= self._start and np.isfinite(value):
            self._values.append(value)
        if t >= self._end:
            self.close()

    def close(self) -> None:
        """Fix the zero, if there are enough values: no more are to come, or need to."""
        if self.zero is None and len(self._values) >= self._least:
            median, sd, n = robust_location(np.array(self._values))
            error = SE_OF_MEDIAN / np.sqrt(max(1.0, n / self._rate / self._correlation))
            self.zero = Zero(median, max(sd, self._floor), float(error))
            self._values = []


def standardise(value: float, zero: Zero | None, limit: float) -> float:
    """Return the value as a deviation from its zero in SD, clipped to ± `limit`."""
    if zero is None or not np.isfinite(value):
        return float("nan")
    return min(limit, max(-limit, (value - zero.median) / zero.sd))


def mean_of(z: F64, weights: F64, error_sd: F64, correlation: float) -> tuple[float, float]:
    """Return the weighted mean of the cues that are there, and its standard error.

    ``mean = sum(w z) / sum(|w|)``; the errors of the cues are taken to correlate by
    `correlation`, since the cues rise and fall together.

    Parameters
    ----------
    z
        (n,) SD, NaN where a cue is missing.
    weights
        (n,), sign = direction.
    error_sd
        (n,) SD.
    correlation
        in [0, 1].
    """
    there = np.isfinite(z)
    if not there.any():
        return float("nan"), float("nan")
    w = weights[there] / np.abs(weights[there]).sum()
    e = np.abs(w) * error_sd[there]
    variance = (1 - correlation) * (e**2).sum() + correlation * e.sum() ** 2
    return float(w @ z[there]), float(np.sqrt(variance))
