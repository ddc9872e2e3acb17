"""What a part of the validation reports: claims with intervals, tables and pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with its 95 % interval (NaN where there is none)."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def text(self, digits: int = 3) -> str:
        """Return "value (low to high)"."""
        value = f"{self.value:.{digits}f}"
        if not math.isfinite(self.low):
            return value
        return f"{value} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure beside what it has to reach.

    Attributes
    ----------
    what
        in words, with the unit.
    measured
        value and interval.
    reach
        the bound on the value.
    at_least
        whether the bound is a lower one.
    data
        what it was measured on, how many of what, and how fitted and tested were kept apart.
    digits
        after the point.
    """

    what: str
    measured: Interval
    reach: float
    data: str
    at_least: bool = True
    digits: int = 3

    @property
    def met(self) -> bool:
        """Whether the value (not the interval) reaches the bound."""
        value = self.measured.value
        return value >= self.reach if self.at_least else value <= self.reach


@dataclass(frozen=True, slots=True)
class Table:
    """A table: title, header cells, rows of cells."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG drawing, its file name without ending, and what it shows in words."""

    name: str
    words: str
    svg: str


@dataclass(slots=True)
class Part:
    """One part of the validation page."""

    title: str
    intro: str
    claims: list[Claim] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def bootstrap(
    statistic: Callable[[npt.NDArray[np.intp]], float],
    groups: Sequence[Hashable],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return a statistic with its 95 % percentile interval over resampled groups.

    Cases of one person (or recording) are not independent, so whole groups are drawn
    (cluster bootstrap; Field & Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x).

    Parameters
    ----------
    statistic
        of the cases with the given indices; NaN results are left out of the interval.
    groups
        (n,) who each case belongs to.
    resamples
        number of draws.
    seed
        of the draws.
    """
    members: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    cases = [np.array(m) for m in members.values()]
    rng = np.random.default_rng(seed)
    value = statistic(np.arange(len(groups)))
    drawn = [
        statistic(np.concatenate([cases[i] for i in rng.integers(0, len(cases), len(cases))]))
        for _ in range(resamples)
    ]
    finite = np.array([d for d in drawn if math.isfinite(d)])
    if len(cases) < 2 or len(finite) < resamples // 2:
        return Interval(value)
    low, high = np.quantile(finite, [0.025, 0.975])
    return Interval(value, float(low), float(high))


def auc(score: F64, positive: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    Ties count half (Mann-Whitney). NaN if either kind is missing.
    """
    from scipy.stats import rankdata

    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        return math.nan
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))
