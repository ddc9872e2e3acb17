"""What the labels would have been with a wrong partner.

Most of what tells mirroring from regulating is in the listener alone, so a share of "regulating"
shows attunement to *this* partner only if it beats the share that a partner who felt the same
things at other times would have given. The wrong partner is made from the session itself: the
partner's smoothed series is rolled circularly against the listener's by `null_shift_s` or more,
and everything after the smoothing is computed anew.

The shares are a weak test: in 16 simulated sessions whose listener did regulate this partner a
third of the time, the share of "regulating" never beat the null, because noise and mismatch look
like regulating too and wrong partners give more of it. `fit` told true partners from strangers.

With every roll the contingency is computed anew as well, from both people's samples.

Limits. The same two people shared one mood, one topic and one length of talk, so a rolled partner
is less wrong than a stranger, and the test is conservative. A partner whose feelings come round in
a cycle is not made wrong by a roll of one cycle, and is made opposite by half of one: there the
null is invalid (`repeats` says so), and another session's partner has to be taken. In a short
session the rolls are few and resemble each other, so p cannot become small.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.contingency import Contingency
from cuesense.dyad.features import COLUMN, Features
from cuesense.dyad.modes import Codes, judge, stances
from cuesense.dyad.response import answers, weights
from cuesense.types import F64

REPEATS: Final = 0.8
"""Autocorrelation of the partner from which a rolled partner is not a wrong one."""


BLOCK: Final = 150
"""Ticks that are worked on at once; bounds the memory."""


@dataclass(frozen=True, slots=True)
class Against:
    """A value of the session against the same value with wrong partners.

    Attributes
    ----------
    true
        the session's.
    median
        of the wrong partners; `low` and `high` are their 5 and 95 %.
    p
        share of wrong partners (and the true one) that reach `true`; one-sided.
    """

    true: float
    median: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class WrongPartner:
    """The wrong-partner null of a session.

    Attributes
    ----------
    of_labelled
        shares of the time with a clear stance, by mode, whoever it is about.
    of_total
        shares of the calibrated time, by label.
    contingency
        mean probability that the listener answers the partner.
    fit
        nats per sample by which the listener's arousal and valence are explained by the
        partner's under the three modes: whether the listener answers *this* partner at all.
    rolls
        number of wrong partners.
    labelled_s
        s of calibrated time with a clear stance.
    repeats
        highest autocorrelation of the partner at lags from `null_shift_s` to half the
        session.
    reason
        why the null is missing or not to be trusted, else "".
    """

    of_labelled: Mapping[str, Against]
    of_total: Mapping[str, Against]
    contingency: Against | None
    fit: Against | None
    rolls: int
    labelled_s: float
    repeats: float
    reason: str


def wrong_partner(features: Features, seen: F64, config: Dyad) -> WrongPartner:
    """Compare a session's labels with those that rolled partners give.

    Parameters
    ----------
    features
        of the whole session, on the dyad's grid.
    seen
        (n, fields of `DyadSample`) what they are of.
    config
        constants; `null_rolls` rolls, evenly spaced over all shifts of at least
        `null_shift_s`, fewer if they would be closer together than `smoothing_s`.

    Returns
    -------
        The null; "insufficient data: …" as reason, and no shares, if the calibrated time is under
        three times `null_shift_s` or less than `null_labelled_s` of it has a clear stance.
    """
    usable = np.flatnonzero(features.calibrated & (features.elapsed_s >= config.min_time_s))
    n = len(usable)
    least = 3.0 * config.null_shift_s
    if n < least * config.rate_hz:
        return _missing(f"insufficient data: under {least:g} s calibrated", 0.0)
    start, stop = int(usable[0]), int(usable[-1]) + 1
    features = select(features, slice(start, stop))
    n = len(features.t)

    about = contingencies(seen[:stop], start, np.zeros(1, np.intp), config)[:, 0]
    true = _outcome(features, about, config)
    labelled_s = float(true.stances.sum()) / config.rate_hz
    if labelled_s < config.null_labelled_s:
        least = config.null_labelled_s
        return _missing(f"insufficient data: a clear stance for under {least:g} s", labelled_s)

    shift = round(config.null_shift_s * config.rate_hz)
    spacing = max(1.0, config.smoothing_s * config.rate_hz)
    rolls = min(config.null_rolls, 1 + int((n - 2 * shift) / spacing))
    shifts = np.linspace(shift, n - shift, rolls).round().astype(np.intp)
    wrong = contingencies(seen[:stop], start, shifts, config)
    rolled = [
        _outcome(roll_partner(features, int(k)), wrong[:, i], config) for i, k in enumerate(shifts)
    ]
    repeats = _repeats(features.partner, shift)

    named = np.array([r.stances for r in rolled])
    null_shares = named / np.maximum(named.sum(axis=1, keepdims=True), 1.0)
    shares = true.stances / true.stances.sum()
    null_labels = np.array([r.labels for r in rolled])
    return WrongPartner(
        of_labelled={
            name: _against(shares[i], null_shares[:, i]) for i, name in enumerate(schema.MODES)
        },
        of_total={
            name: _against(true.labels[i] / n, null_labels[:, i] / n)
            for i, name in enumerate(schema.LABELS)
        },
        contingency=_against(float(about.mean()), wrong.mean(axis=0)),
        fit=_against(true.fit, np.array([r.fit for r in rolled])),
        rolls=rolls,
        labelled_s=labelled_s,
        repeats=repeats,
        reason="the partner repeats: a rolled partner is not a wrong one"
        if repeats >= REPEATS
        else "",
    )


def _missing(reason: str, labelled_s: float) -> WrongPartner:
    return WrongPartner({}, {}, None, None, 0, labelled_s, float("nan"), reason)


def select(features: Features, rows: slice) -> Features:
    """Return some of the samples."""
    return Features(
        **{f.name: getattr(features, f.name)[rows] for f in dataclasses.fields(features)}
    )


def roll_partner(features: Features, shift: int) -> Features:
    """Return the features with everything of the partner's `shift` samples later, circularly."""
    partner_coverage = np.roll(features.coverage[:, 0], shift)
    return dataclasses.replace(
        features,
        partner=np.roll(features.partner, shift, axis=0),
        partner_var=np.roll(features.partner_var, shift, axis=0),
        partner_slope=np.roll(features.partner_slope, shift),
        coverage=np.stack([partner_coverage, features.coverage[:, 1]], axis=1),
    )


def contingencies(seen: F64, start: int, shifts: Codes, config: Dyad) -> F64:
    """Return the probability of a contingency with rolled partners, (n - start, shifts).

    Parameters
    ----------
    seen
        (n, fields of `DyadSample`).
    start
        row from which the partner is rolled; what was before stays.
    shifts
        rows by which the partner is later.
    config
        constants.
    """
    partner = [i for name, i in COLUMN.items() if name.startswith("partner_")]
    stage, fitted, found = Contingency(config.rate_hz, late_s=()), weights(), []
    for first in range(0, len(seen), BLOCK):
        rows = np.arange(first, min(first + BLOCK, len(seen)))
        x = np.repeat(seen[rows][:, None], len(shifts), axis=1)
        rolled = start + (rows[:, None] - start - shifts) % (len(seen) - start)
        come = np.where(rows[:, None] < start, rows[:, None], rolled)
        x[..., partner] = seen[come][..., partner]
        z = stage.extend(x).z
        found.append(answers(z, np.asarray((rows + 1.0) / config.rate_hz), fitted)[0])
    return np.concatenate(found)[start:]


class _Outcome(NamedTuple):
    """Samples with each label and with each clear stance, and the mean fit in nats."""

    labels: F64
    stances: F64
    fit: float


def _outcome(features: Features, contingency: F64, config: Dyad) -> _Outcome:
    verdicts = judge(features, contingency, config)
    labels = np.bincount(verdicts.label, minlength=len(schema.LABELS)).astype(np.float64)
    clear = stances(verdicts.label, verdicts.p, config)
    named = np.bincount(clear[clear >= 0], minlength=len(schema.MODES)).astype(np.float64)
    affect = verdicts.log_likelihood[:, :2].sum(axis=1)
    affect = affect[np.isfinite(affect[:, 0])]
    fit = float("nan")
    if len(affect):
        fit = float((np.logaddexp.reduce(affect, axis=1) - np.log(affect.shape[1])).mean())
    return _Outcome(labels, named, fit)


def _repeats(x: F64, least: int) -> float:
    """Return the highest autocorrelation of (n, 2) series at lags from `least` to half of n."""
    n, there = len(x), np.isfinite(x)
    count = np.maximum(there.sum(axis=0), 1)
    x = np.where(there, x, 0.0)
    x = np.where(there, x - x.sum(axis=0) / count, 0.0)

    def lagged_sum(v: F64) -> F64:
        power = np.abs(np.fft.rfft(v, 2 * n, axis=0)) ** 2
        total: F64 = np.fft.irfft(power, axis=0)[: n // 2 + 1].sum(axis=1)
        return total

    covariance = lagged_sum(x) / np.maximum(np.round(lagged_sum(there.astype(np.float64))), 1.0)
    return float(covariance[least:].max() / covariance[0]) if covariance[0] > 0 else 0.0


def _against(true: float, null: F64) -> Against:
    low, median, high = np.nanquantile(null, [0.05, 0.5, 0.95])
    p = (1 + np.sum(null >= true)) / (1 + len(null))
    return Against(float(true), float(median), float(low), float(high), float(p))
