"""Causal filters that go on where they left off, for one conversation or many at once."""

from __future__ import annotations

from typing import Final

import numpy as np

from cuesense.types import F64

PAUSE_S: Final = 0.55
"""s; a pause is answered after about three times this."""


class Memory:
    """First-order filters and delays along the first axis; what they hold goes from block to block.

    Each block must make the same calls in the same order, after `begin`. Cutting a series into
    blocks anywhere gives the same values as one block.
    """

    def __init__(self, rate_hz: float) -> None:
        self._dt = 1.0 / rate_hz
        self._held: list[F64] = []
        self._at = 0

    def begin(self) -> None:
        """Start the next block."""
        self._at = 0

    def _take(self, first: F64) -> F64:
        if self._at == len(self._held):
            self._held.append(first)
        return self._held[self._at]

    def _keep(self, held: F64) -> None:
        self._held[self._at] = held
        self._at += 1

    def mean(self, x: F64, tau_s: float) -> F64:
        """Return the exponentially weighted mean of `x` (n, ...), 0 before its start."""
        from scipy.signal import lfilter

        keep = float(np.exp(-self._dt / tau_s))
        held = self._take(np.zeros((1, *x.shape[1:])))
        y, held = lfilter([1.0 - keep], [1.0, -keep], x, axis=0, zi=held)
        self._keep(held)
        return np.asarray(y, np.float64)

    def present(self, x: F64, tau_s: float, least: float) -> F64:
        """Return the weighted mean of the values of `x` that are there; 0 where too few are."""
        there = np.isfinite(x)
        total = self.mean(np.where(there, x, 0.0), tau_s)
        weight = self.mean(there.astype(np.float64), tau_s)
        enough = weight >= least
        y: F64 = np.where(enough, total / np.where(enough, weight, 1.0), 0.0)
        return y

    def delay(self, x: F64, by_s: float) -> F64:
        """Return `x` (n, ...) as it was `by_s` before, 0 before its start."""
        ticks = round(by_s / self._dt)
        held = self._take(np.zeros((ticks, *x.shape[1:])))
        full = np.concatenate((held, x))
        self._keep(full[len(x) :])
        return full[: len(x)]

    def pauses(self, speaks: F64) -> tuple[F64, F64]:
        """Return whether somebody talks, and when an answer to a pause of theirs is due.

        Parameters
        ----------
        speaks
            (n, ...) probability that they speak; NaN counts as silent.

        Returns
        -------
        talks
            (n, ...) 1 or 0, a tick late: a single tick is no pause, the middle one of three
            decides.
        due
            (n, ...) share of an answer per tick, a gamma of 3 x `PAUSE_S` after each pause begins.
        """
        speaks = np.nan_to_num(speaks)
        held = self.delay(speaks, self._dt)
        talks = (speaks + held + self.delay(held, self._dt) > 1.5).astype(np.float64)
        due = np.maximum(0.0, self.delay(talks, self._dt) - talks)
        for _ in range(3):
            due = self.mean(due, PAUSE_S)
        return talks, due
