"""How far two or more people, or people and the tool, agree beyond chance. Pure.

A table of agreement is (k, k): how often the first said i while the second said j.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.types import F64

DRAWS: Final = 4000
"""Resamples behind an interval."""
LEVEL: Final = 0.95
LEAST_DEFINED: Final = 0.9
"""Share of the resamples in which κ must be defined for an interval to be given."""

Counts = npt.NDArray[np.integer] | F64


def confusion(
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    k: int,
) -> F64:
    """Count who said what together.

    Parameters
    ----------
    first
        (n,), answers 0 to k - 1; a negative one is missing, and its unit is left out.
    second
        (n,), likewise.
    k
        how many answers there are.

    Returns
    -------
        (k, k), rows are those of the first.
    """
    both = (first >= 0) & (second >= 0)
    cells = np.bincount(first[both] * k + second[both], minlength=k * k)
    return cells.reshape(k, k).astype(np.float64)


def agreed(table: Counts) -> F64:
    """Return the share of units on which both agree; (..., k, k) to (...); NaN without any."""
    table = np.asarray(table, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: F64 = np.trace(table, axis1=-2, axis2=-1) / table.sum(axis=(-2, -1))
    return share


def kappa(table: Counts) -> F64:
    """Return Cohen's κ = (p_o - p_e) / (1 - p_e).

    p_o is the share of agreement, p_e = Σ_i p_i. p_.i what the two would reach if each kept their
    own shares and chose the units by chance (Cohen 1960, doi:10.1177/001316446002000104).

    Parameters
    ----------
    table
        (..., k, k), counts.

    Returns
    -------
        (...), at most 1; NaN where nothing was coded, or both always said one and the same.

    Examples
    --------
    >>> round(float(kappa(np.array([[20, 5], [10, 15]]))), 3)
    0.4
    """
    table = np.asarray(table, np.float64)
    n = table.sum(axis=(-2, -1))
    by_chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = by_chance / n**2
        value: F64 = np.where(by_chance < n**2, (agreed(table) - expected) / (1 - expected), np.nan)
    return value


def per_answer(table: Counts) -> F64:
    """Return, per answer, the chance that one gave it where the other did: 2 n_ii / (n_i. + n_.i).

    Specific agreement (Cicchetti & Feinstein 1990, doi:10.1016/0895-4356(90)90159-M).

    Parameters
    ----------
    table
        (k, k).

    Returns
    -------
        (k,), NaN for an answer that nobody gave.
    """
    table = np.asarray(table, np.float64)
    given = table.sum(axis=0) + table.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: F64 = 2 * np.diag(table) / given
    return share


def interval(tables: Sequence[F64], rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile bootstrap interval of κ (Efron & Tibshirani 1993, ch. 13).

    Parameters
    ----------
    tables
        One (k, k) per session, counts. With one the units are resampled, which takes them for
        independent; with more the sessions are, which does not.
    rng
        draws the resamples.

    Returns
    -------
    low, high
        NaN if there is too little for an interval: fewer than 2 units, κ undefined in more than
        a tenth of the resamples, or the same in all (who never disagreed will not by resampling).
    """
    stack = np.stack(tables)
    if len(stack) == 1:
        n, k = int(stack.sum()), stack.shape[-1]
        if n < 2:
            return np.nan, np.nan
        drawn = rng.multinomial(n, stack[0].ravel() / n, DRAWS).reshape(DRAWS, k, k)
        values = kappa(drawn)
    else:
        # One at a time: all resamples of many sessions at once would not fit.
        picks = rng.integers(len(stack), size=(DRAWS, len(stack)))
        values = np.array([float(kappa(stack[pick].sum(axis=0))) for pick in picks])
    defined = values[np.isfinite(values)]
    if len(defined) < LEAST_DEFINED * DRAWS or np.ptp(defined) < 1e-9:
        return np.nan, np.nan
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, (tail, 1 - tail))
    return float(low), float(high)


def alpha(answers: npt.NDArray[np.intp], k: int) -> float:
    """Return Krippendorff's α for nominal answers of any number of raters, missing ones allowed.

    α = 1 - (n - 1) Σ_{c≠d} o_cd / Σ_{c≠d} n_c n_d over the coincidences o of pairs of answers to
    one unit, each unit of m answers counting 1 / (m - 1) per pair (Krippendorff 2011, Computing
    Krippendorff's Alpha-Reliability, University of Pennsylvania).

    Parameters
    ----------
    answers
        (raters, units), 0 to k - 1, negative where missing.
    k
        how many answers there are.

    Returns
    -------
        At most 1; NaN if no unit has two answers, or all are one and the same.
    """
    counts = np.stack([(answers == c).sum(axis=0) for c in range(k)], axis=1).astype(np.float64)
    counts = counts[counts.sum(axis=1) >= 2]
    per_unit = counts.sum(axis=1, keepdims=True)
    together = (counts / (per_unit - 1)).T @ counts
    together -= np.diag((counts / (per_unit - 1)).sum(axis=0))  # no answer is a pair with itself
    totals = together.sum(axis=1)
    n = totals.sum()
    expected = n**2 - (totals**2).sum()
    observed = n - np.trace(together)
    return float(1 - (n - 1) * observed / expected) if expected > 0 else float("nan")
