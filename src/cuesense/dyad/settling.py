"""Whether the partner settles after being regulated, more than their own trend predicts.

Whatever is high tends to come down by itself, so the partner's arousal 10-20 s later is compared
with its own first-order forecast, and what is left is compared between bouts of regulating and
bouts of mirroring. Real coupling is tiny (about .08 SD per SD at 10 s), so the difference comes
with its interval and its null, is kept apart from the label, and is `pooled` across sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.config import Dyad
from cuesense.dyad.chance import UNKNOWN, UNSURE, Chance, Interval, against
from cuesense.dyad.modes import MIRRORING, REGULATING, Codes
from cuesense.errors import ParameterError
from cuesense.types import F64

Bouts = npt.NDArray[np.intp]

RESAMPLES: Final = 2000
NULL_SHIFTS: Final = 199


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
    error
        its standard error, from the spread of the bouts of each mode.
    chance
        the difference beside the same bouts moved in time against this partner's arousal.
    regulating
        number of regulating bouts; `mirroring` likewise.
    reason
        why there is no difference, else "".
    """

    difference: float
    low: float
    high: float
    error: float
    chance: Chance
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
        (n,) index into `schema.MODES` of the clear stance, -1 without one.
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
    bouts = _bouts(label, config)
    regulating, mirroring = _values(partner_arousal, left, bouts)
    if min(len(regulating), len(mirroring)) < config.settle_bouts:
        nan = float("nan")
        reason = f"insufficient: under {config.settle_bouts} bouts of each mode"
        return Settling(nan, nan, nan, nan, UNKNOWN, len(regulating), len(mirroring), reason)

    def resampled(x: F64) -> F64:
        means: F64 = rng.choice(x, (RESAMPLES, len(x))).mean(axis=1)
        return means

    low, high = np.quantile(resampled(regulating) - resampled(mirroring), [0.025, 0.975])
    difference = float(regulating.mean() - mirroring.mean())
    variances = [x.var(ddof=1) / len(x) if len(x) > 1 else np.nan for x in (regulating, mirroring)]
    return Settling(
        difference,
        float(low),
        float(high),
        float(np.sqrt(sum(variances))),
        against(difference, _moved(partner_arousal, left, bouts, config)),
        len(regulating),
        len(mirroring),
        "",
    )


def _bouts(label: Codes, config: Dyad) -> Bouts:
    """Return (bouts, 3): start, stop and mode of each stretch that is long enough."""
    least = max(1, round(config.settle_bout_s * config.rate_hz))
    found = [
        (start, stop, int(label[start]))
        for start, stop in _runs(label)
        if stop - start >= least and label[start] in (MIRRORING, REGULATING)
    ]
    return np.array(found, np.intp).reshape(-1, 3)


def _values(arousal: F64, left: F64, bouts: Bouts) -> tuple[F64, F64]:
    """Return one value for each regulating, and each mirroring, bout in which arousal is up."""
    there = np.isfinite(left)
    sums = [
        np.concatenate(([0.0], np.cumsum(np.where(there, x, 0.0)))) for x in (there, arousal, left)
    ]
    start, stop, mode = bouts.T
    count, level, value = (s[stop] - s[start] for s in sums)
    up = (count > 0) & (level > 0)
    means = value[up] / count[up]
    return means[mode[up] == REGULATING], means[mode[up] == MIRRORING]


def _moved(arousal: F64, left: F64, bouts: Bouts, config: Dyad) -> F64:
    """Return the differences with arousal moved against the bouts by `null_shift_s` or more."""
    n, least = len(arousal), round(config.null_shift_s * config.rate_hz)
    if n <= 2 * least:
        return np.empty(0)
    drawn = []
    for shift in np.unique(np.linspace(least, n - least, NULL_SHIFTS).round().astype(int)):
        modes = _values(np.roll(arousal, shift), np.roll(left, shift), bouts)
        enough = min(len(x) for x in modes) >= config.settle_bouts
        drawn.append(modes[0].mean() - modes[1].mean() if enough else np.nan)
    return np.array(drawn)


@dataclass(frozen=True, slots=True)
class Pooled:
    """Several sessions' settling, taken together.

    Attributes
    ----------
    difference
        mean over the population of sessions that these are a sample of, with its 95 % interval.
    between
        SD between sessions of what they would show if they were endless (tau).
    predicted
        interval in which 95 % of further sessions' true differences would lie; from 3 sessions.
    sessions
        how many could be used; `left_out` those without a difference or its error.
    """

    difference: Interval
    between: float
    predicted: Interval
    sessions: int
    left_out: int


def pooled(results: Sequence[tuple[float, float]]) -> Pooled:
    """Pool (difference, standard error) of sessions, in a random-effects meta-analysis.

    ``y_i = mu + u_i + e_i`` with SD(u) = tau between sessions and SD(e_i) = the session's error.
    tau² is that of DerSimonian & Laird; weights are 1 / (error² + tau²). With few sessions
    the usual normal interval is too narrow, so it is that of Hartung & Knapp, from the t
    distribution with k - 1 degrees of freedom and the weighted spread of the sessions
    (not below what their errors alone give, Röver et al. 2015).

    Parameters
    ----------
    results
        of each session, baseline SD; those with NaN, or an error that is not above 0, are left out.

    References
    ----------
    DerSimonian & Laird 1986, 10.1016/0197-2456(86)90046-2; Hartung & Knapp 2001,
    10.1002/sim.791; Röver, Knapp & Friede 2015, 10.1186/s12874-015-0091-1; Higgins, Thompson &
    Spiegelhalter 2009, 10.1111/j.1467-985X.2008.00552.x (further sessions).
    """
    from scipy.special import stdtrit  # heavy: imported by who pools

    given = np.array(results, np.float64).reshape(-1, 2)
    y, error = given[np.isfinite(given).all(axis=1) & (given[:, 1] > 0)].T
    k = len(y)
    if k < 2:
        return Pooled(UNSURE, float("nan"), UNSURE, k, len(given) - k)
    w = 1.0 / error**2
    spread = float(w @ (y - w @ y / w.sum()) ** 2)
    between = max(0.0, (spread - (k - 1)) / (w.sum() - (w @ w) / w.sum()))
    w = 1.0 / (error**2 + between)
    mean = float(w @ y / w.sum())
    inflation = max(1.0, float(w @ (y - mean) ** 2) / (k - 1))
    se = float(np.sqrt(inflation / w.sum()))
    half = float(stdtrit(k - 1, 0.975)) * se
    predicted = UNSURE
    if k > 2:
        reach = float(stdtrit(k - 2, 0.975)) * float(np.sqrt(between + se * se))
        predicted = Interval(mean, mean - reach, mean + reach)
    return Pooled(
        Interval(mean, mean - half, mean + half),
        float(np.sqrt(between)),
        predicted,
        k,
        len(given) - k,
    )


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
