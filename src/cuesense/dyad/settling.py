"""Whether the partner settles after being regulated, more than their own trend predicts.

Whatever is high tends to come down by itself, so the partner's arousal 10-20 s later is compared
with its own first-order forecast, and what is left is compared between bouts of regulating and
bouts of mirroring. Real coupling is tiny (about .08 SD per SD at 10 s), so the difference comes
with its interval and is kept apart from the label.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from cuesense.config import Dyad
from cuesense.dyad.modes import MIRRORING, REGULATING, Codes
from cuesense.errors import ParameterError
from cuesense.types import F64

RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Settling:
    """How the partner's arousal went on after regulating, compared with after mirroring.

    Attributes
    ----------
    difference
        mean over regulating bouts minus mean over mirroring bouts of (arousal 10-20 s
        later minus its forecast), baseline SD; negative: settled more after regulating.
    low
        lower end of its 95 % bootstrap interval (bouts are resampled); `high` the upper.
    regulating
        number of regulating bouts; `mirroring` likewise.
    reason
        why there is no difference, else "".
    """

    difference: float
    low: float
    high: float
    regulating: int
    mirroring: int
    reason: str


def settling(
    partner_arousal: F64, label: Codes, config: Dyad, rng: np.random.Generator
) -> Settling:
    """Compare how the partner settles after regulating and after mirroring.

    The forecast of the mean arousal ``settle_from_s`` to ``settle_to_s`` after a moment is linear
    in the arousal at that moment, as of an AR(1) process, and fitted at that very horizon over
    the whole session: iterating an AR(1) step of 0.2 s would compound the smoothing. A bout
    counts if the partner's arousal is above baseline in it, and gives one value, the mean over
    its moments. Bouts less than `settle_to_s` apart share data, which the interval ignores.

    Parameters
    ----------
    partner_arousal
        (n,) baseline SD at `config.rate_hz`, NaN where missing.
    label
        (n,) index into `schema.LABELS`.
    config
        constants.
    rng
        source of the resampling.

    Raises
    ------
    ParameterError
        if the lengths differ.
    """
    if partner_arousal.shape != label.shape:
        raise ParameterError(
            f"partner_arousal {partner_arousal.shape} and label {label.shape} must be equally long"
        )
    left = _residual(partner_arousal, config)
    least = max(1, round(config.settle_bout_s * config.rate_hz))
    values: dict[int, list[float]] = {MIRRORING: [], REGULATING: []}
    for start, stop in _runs(label):
        mode = int(label[start])
        if mode not in values or stop - start < least:
            continue
        there = np.isfinite(left[start:stop])
        if there.any() and partner_arousal[start:stop][there].mean() > 0:
            values[mode].append(float(left[start:stop][there].mean()))
    regulating, mirroring = np.array(values[REGULATING]), np.array(values[MIRRORING])
    if min(len(regulating), len(mirroring)) < config.settle_bouts:
        nan = float("nan")
        reason = f"insufficient: under {config.settle_bouts} bouts of each mode"
        return Settling(nan, nan, nan, len(regulating), len(mirroring), reason)

    def resampled(x: F64) -> F64:
        means: F64 = rng.choice(x, (RESAMPLES, len(x))).mean(axis=1)
        return means

    low, high = np.quantile(resampled(regulating) - resampled(mirroring), [0.025, 0.975])
    difference = float(regulating.mean() - mirroring.mean())
    return Settling(difference, float(low), float(high), len(regulating), len(mirroring), "")


def _residual(x: F64, config: Dyad) -> F64:
    """Return (n,) the later mean of `x` minus its forecast; NaN where either is missing."""
    first, last = (round(s * config.rate_hz) for s in (config.settle_from_s, config.settle_to_s))
    left = np.full(len(x), np.nan)
    if len(x) <= last + 1:
        return left
    later = np.lib.stride_tricks.sliding_window_view(x[first:], last - first + 1)
    present, there = x[: len(later)], np.isfinite(later)
    count = there.sum(axis=1)
    mean = np.where(there, later, 0.0).sum(axis=1) / np.maximum(count, 1)
    usable = np.isfinite(present) & (count >= config.min_coverage * later.shape[1])
    a, b = present[usable], mean[usable]
    if len(a) < 3 or a.std() == 0:
        return left
    slope = np.mean((a - a.mean()) * (b - b.mean())) / a.var()
    left[: len(later)][usable] = b - (b.mean() + slope * (a - a.mean()))
    return left


def _runs(label: Codes) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each run of one label."""
    edges = np.flatnonzero(np.diff(label)) + 1
    bounds = [0, *edges.tolist(), len(label)]
    yield from pairwise(bounds)
