"""Clocks of devices, laid on the computer's monotonic one (pure).

A sound card counts samples with a crystal of its own: 100 ppm off, it is 0.36 s off after an
hour. So its samples are timed by a line fitted to (samples counted, time of capture), never by
counting alone.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

BIN_S: Final = 0.5
"""s; of the times within, the middle one counts: callbacks are called late now and then."""
SPAN_S: Final = 60.0
"""s that the fitted line, and the least delay, look back."""
SETTLED_S: Final = 5.0
"""s of sound from which the rate is fitted; before, it is the nominal one."""
LIMIT_PPM: Final = 1000.0
"""Parts per million that a crystal may be off; more is a mistake of the fit."""
BROKEN_S: Final = 0.1
"""s that a time is off the line, from which samples must have been lost."""


class SampleClock:
    """Times of a stream's samples from the times at which pieces of it were captured.

    The line is fitted robustly (Theil 1950, Sen 1968: the median of the slopes of all pairs): just
    after it was opened a device may give times that are off by far.

    Parameters
    ----------
    rate
        nominal sampling rate, Hz.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._bins: deque[tuple[float, float]] = deque()  # nominal time, real minus nominal
        self._bin: list[float] = []  # real minus nominal, of the bin under way
        self._bin_start = 0.0
        # real = nominal + offset + slope * (nominal - pivot)
        self._offset, self._slope, self._pivot = np.nan, 0.0, 0.0

    @property
    def drift_ppm(self) -> float:
        """How much slower than its nominal rate the device counts, in parts per million."""
        return self._slope * 1e6

    def push(self, index: float, t: float) -> None:
        """Take the time `t` (s) at which sample `index` was captured; indices rise."""
        nominal = index / self._rate
        if not self._bin:
            self._bin_start = nominal
        self._bin.append(t - nominal)
        if not self._bins:  # the first bin is still open
            self._offset = float(np.median(self._bin))
        if nominal - self._bin_start >= BIN_S:
            self._bins.append(((self._bin_start + nominal) / 2, float(np.median(self._bin))))
            self._bin = []
            while self._bins[0][0] < nominal - SPAN_S:
                self._bins.popleft()
            self._fit()

    def at(self, index: float) -> float:
        """Return the time of a sample, s."""
        nominal = index / self._rate
        return float(self._offset + nominal + self._slope * (nominal - self._pivot))

    def broken(self, index: float, t: float) -> bool:
        """Return whether sample `index`, captured at `t`, lies off the line: samples were lost."""
        return bool(abs(t - self.at(index)) > BROKEN_S)

    def _fit(self) -> None:
        x, y = np.array(self._bins).T
        if x[-1] - x[0] < SETTLED_S:
            self._offset = float(np.median(y[-3:]))
            return
        i, j = np.triu_indices(len(x), 1)
        slope = float(np.median((y[j] - y[i]) / (x[j] - x[i])))
        self._slope = float(np.clip(slope, -LIMIT_PPM * 1e-6, LIMIT_PPM * 1e-6))
        self._pivot = float(x.mean())
        self._offset = float(np.median(y - self._slope * (x - self._pivot)))


class OtherClock:
    """Another clock's times laid on ours, by the messages that came with the least delay.

    A message cannot arrive before it was sent, so the least difference seen of late is the best
    guess; `SPAN_S` is short enough for the clocks not to drift apart by much.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()  # received, difference; both rise

    def push(self, there: float, here: float) -> None:
        """Take a message sent at `there` (s, their clock) and received at `here` (s, ours)."""
        difference = here - there
        while self._seen and self._seen[-1][1] >= difference:
            self._seen.pop()  # can never be the least again
        self._seen.append((here, difference))
        while self._seen[0][0] < here - SPAN_S:
            self._seen.popleft()

    def at(self, there: float) -> float:
        """Return the time on our clock, s; NaN before the first message."""
        return there + self._seen[0][1] if self._seen else float("nan")
