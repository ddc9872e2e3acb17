"""Make a session's tables small enough to embed: means per bin, runs of equal values, integers.

A report holds at most `MOST_BINS` values per series, whatever the length of the recording.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cuesense.types import F64

MOST_BINS: Final = 18000
"""Bins of a series: 60 min at 0.2 s."""
WIDTHS_S: Final = (0.2, 0.4, 0.6, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Widths of a bin to choose from, s."""


class Run(NamedTuple):
    """A stretch of time, in s, with one value."""

    start: float
    end: float
    value: str

    @property
    def length(self) -> float:
        """Length in s."""
        return self.end - self.start


def bin_width(duration_s: float) -> float:
    """Return the narrowest bin, in s, that divides `duration_s` into at most `MOST_BINS`."""
    for width in WIDTHS_S:
        if duration_s <= width * MOST_BINS:
            return width
    return duration_s / MOST_BINS


def bin_means(t: F64, x: F64, width_s: float, n_bins: int) -> F64:
    """Return the mean of the finite values of `x` in each bin ``[i, i + 1) * width_s``.

    Parameters
    ----------
    t
        (n,) s, in any order; times outside the bins are left out.
    x
        (n,), NaN where missing.
    width_s
        s.
    n_bins
        number of bins.

    Returns
    -------
        (n_bins,), NaN where a bin has no finite value.
    """
    # A tick that lies on a bin's edge up to rounding belongs to the bin that begins there.
    index = np.floor(t / width_s + 1e-6).astype(np.intp)
    use = np.isfinite(x) & (index >= 0) & (index < n_bins)
    count = np.bincount(index[use], minlength=n_bins)
    total = np.bincount(index[use], weights=x[use], minlength=n_bins)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def coarsen(x: F64, factor: int) -> F64:
    """Return the means of the finite values of each `factor` neighbours; the last may be few."""
    padded = np.full(-(-len(x) // factor) * factor, np.nan)
    padded[: len(x)] = x
    rows = padded.reshape(-1, factor)
    there = np.isfinite(rows)
    count = there.sum(axis=1)
    total = np.where(there, rows, 0.0).sum(axis=1)
    means: F64 = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def runs(
    t: F64, values: Sequence[str] | npt.NDArray[np.object_], tick_s: float, shortest_s: float = 0.0
) -> list[Run]:
    """Return the stretches over which `values` stay the same.

    Parameters
    ----------
    t
        (n,) s, ascending; a value holds from its time for `tick_s`.
    values
        (n,).
    tick_s
        s between times; a longer step ends a run.
    shortest_s
        s; a shorter run is swallowed by the one before it.
    """
    if len(t) == 0:
        return []
    array = np.asarray(values, dtype=object)
    breaks = np.diff(t) > 1.5 * tick_s
    starts = np.concatenate(([0], np.flatnonzero((array[1:] != array[:-1]) | breaks) + 1))
    ends = np.concatenate((starts[1:] - 1, [len(t) - 1]))
    merged: list[Run] = []
    for first, last in zip(starts, ends, strict=True):
        run = Run(float(t[first]), float(t[last]) + tick_s, str(array[first]))
        before = merged[-1] if merged else None
        touches = before is not None and run.start - before.end < 0.5 * tick_s
        if (
            before is not None
            and touches
            and (run.value == before.value or run.length < shortest_s - 1e-9)
        ):
            merged[-1] = before._replace(end=run.end)
        else:
            merged.append(run)
    return merged


def pack(x: F64, step: float) -> list[int | None]:
    """Return `x` as multiples of `step`, None where it is missing: what the report embeds."""
    return [round(v / step) if v == v else None for v in x.tolist()]


def pack_runs(items: Iterable[Run]) -> list[tuple[float, float, str]]:
    """Return runs with their times rounded to 10 ms."""
    return [(round(r.start, 2), round(r.end, 2), r.value) for r in items]
