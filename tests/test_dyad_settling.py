from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from cuesense.config import Dyad
from cuesense.dyad.modes import MIRRORING, NO_DEMAND, REGULATING, Codes
from cuesense.dyad.settling import pooled, settling
from cuesense.errors import ParameterError
from cuesense.types import F64

CONFIG = Dyad()
RATE = CONFIG.rate_hz


def session(rng: np.random.Generator, effect: float, minutes: float = 90) -> tuple[F64, Codes]:
    """An AR(1) partner around 2 SD whose arousal is pulled by `effect` SD while regulated."""
    n = round(minutes * 60 * RATE)
    label = np.full(n, NO_DEMAND)
    i, k = 0, 0
    while i < n:
        length = round(RATE * rng.uniform(20, 50))
        label[i : i + length] = (MIRRORING, REGULATING, NO_DEMAND)[k % 3]
        i, k = i + length, k + 1
    a = np.exp(-1.0 / (20.0 * RATE))
    x, arousal = 0.0, np.empty(n)
    steps = rng.normal(size=n) * 0.6 * np.sqrt(1 - a * a)
    for j in range(n):
        pull = effect if label[j] == REGULATING else 0.0
        x = a * x + (1 - a) * pull + steps[j]
        arousal[j] = 2.0 + x
    return arousal, label


def test_settling_that_is_there_is_found_with_its_sign() -> None:
    arousal, label = session(np.random.default_rng(1), effect=-1.5)
    result = settling(arousal, label, CONFIG, np.random.default_rng(0))
    assert result.reason == ""
    assert result.low < result.difference < result.high < 0
    assert result.error == pytest.approx((result.high - result.low) / (2 * 1.96), rel=0.15)
    assert result.regulating > 30
    assert result.chance.p <= 0.05
    assert result.chance.value == result.difference
    assert result.difference < result.chance.low < 0 < result.chance.high


def test_interval_holds_zero_when_nothing_is_there() -> None:
    """Coming down by itself is the forecast's, not the listener's, doing."""
    held = alarms = 0
    for seed in range(20):
        arousal, label = session(np.random.default_rng(seed), effect=0.0, minutes=30)
        result = settling(arousal, label, CONFIG, np.random.default_rng(seed))
        held += result.low <= 0 <= result.high
        alarms += result.chance.p <= 0.05
    assert held >= 16
    assert alarms <= 4  # a true rate of 5 % gives more once in 400 runs


def test_values_of_bouts_are_plain_means() -> None:
    """The running sums give what a loop over the bouts gives."""
    arousal, label = session(np.random.default_rng(4), effect=-0.5, minutes=20)
    arousal[np.random.default_rng(5).random(len(arousal)) < 0.1] = np.nan
    found = settling(arousal, label, CONFIG, np.random.default_rng(0))
    first, last = (round(s * RATE) for s in (CONFIG.settle_from_s, CONFIG.settle_to_s))
    now, later = [], []
    for i in range(len(arousal) - last):
        ahead = arousal[i + first : i + last + 1]
        known = np.isfinite(ahead)
        if np.isfinite(arousal[i]) and known.mean() >= CONFIG.min_coverage:
            now.append(i)
            later.append(ahead[known].mean())
    slope, intercept = np.polyfit(arousal[now], later, 1)
    left = dict(zip(now, later - (slope * arousal[now] + intercept), strict=True))
    edges = [0, *(np.flatnonzero(np.diff(label)) + 1), len(label)]
    values: dict[int, list[float]] = {MIRRORING: [], REGULATING: [], NO_DEMAND: []}
    for start, stop in pairwise(edges):
        inside = [i for i in range(start, stop) if i in left]
        if inside and np.mean(arousal[inside]) > 0 and stop - start >= RATE * CONFIG.settle_bout_s:
            values[int(label[start])].append(float(np.mean([left[i] for i in inside])))
    expected = np.mean(values[REGULATING]) - np.mean(values[MIRRORING])
    assert found.difference == pytest.approx(expected, abs=1e-9)
    assert (found.regulating, found.mirroring) == (len(values[REGULATING]), len(values[MIRRORING]))


def test_gaps_are_left_out() -> None:
    rng = np.random.default_rng(1)
    arousal, label = session(rng, effect=-1.5)
    arousal[rng.random(len(arousal)) < 0.2] = np.nan
    result = settling(arousal, label, CONFIG, np.random.default_rng(0))
    assert result.high < 0


@pytest.mark.parametrize("case", ["few bouts", "calm partner", "short bouts", "tiny"])
def test_insufficient(case: str) -> None:
    arousal, label = session(np.random.default_rng(2), effect=-1.5, minutes=10)
    config = CONFIG
    if case == "few bouts":
        config = dataclasses.replace(config, settle_bouts=50)
    elif case == "calm partner":
        arousal -= 10.0
    elif case == "short bouts":
        label = np.resize([MIRRORING, REGULATING], len(label))
    else:
        arousal, label = arousal[:20], label[:20]
    result = settling(arousal, label, config, np.random.default_rng(0))
    assert result.reason.startswith("insufficient: under")
    assert np.isnan([result.difference, result.low, result.high]).all()


def test_lengths_must_agree() -> None:
    with pytest.raises(ParameterError, match="equally long"):
        settling(np.zeros(5), np.zeros(4, np.intp), CONFIG, np.random.default_rng(0))


# ---- several sessions ------------------------------------------------------------------------

VACCINE = (  # 13 trials of BCG (Colditz et al. 1994): ill and well, vaccinated; ill and well, not
    (4, 119, 11, 128),
    (6, 300, 29, 274),
    (3, 228, 11, 209),
    (62, 13536, 248, 12619),
    (33, 5036, 47, 5761),
    (180, 1361, 372, 1079),
    (8, 2537, 10, 619),
    (505, 87886, 499, 87892),
    (29, 7470, 45, 7232),
    (17, 1699, 65, 1600),
    (186, 50448, 141, 27197),
    (5, 2493, 3, 2338),
    (27, 16886, 29, 17825),
)


def test_pooling_equals_the_published_example() -> None:
    """Log risk ratios: metafor's rma(method = "DL") gives tau2 .3088 and -0.7141, se .1787."""
    log_ratios = [
        (
            float(np.log(a / (a + b)) - np.log(c / (c + d))),
            float(np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))),
        )
        for a, b, c, d in VACCINE
    ]
    found = pooled(log_ratios)
    assert found.sessions == 13
    assert found.between**2 == pytest.approx(0.3088, abs=5e-5)
    assert found.difference.value == pytest.approx(-0.7141, abs=5e-5)
    # The t quantile at 12 degrees of freedom is 2.1788; the spread may only widen it.
    half = found.difference.high - found.difference.value
    assert 2.1788 * 0.1787 <= half + 1e-3 < 2.1788 * 0.1787 * 1.1
    assert found.predicted.low < found.difference.low < found.difference.high < found.predicted.high


def test_sessions_that_agree_are_pooled_by_their_precision() -> None:
    found = pooled([(-0.2, 0.1), (-0.2, 0.2), (float("nan"), 0.1), (0.3, float("nan")), (1.0, 0.0)])
    assert (found.sessions, found.left_out) == (2, 3)
    assert found.between == 0.0
    assert found.difference.value == pytest.approx(-0.2)
    half = 12.7062 / np.sqrt(1 / 0.1**2 + 1 / 0.2**2)  # t, 1 degree of freedom
    assert found.difference.high == pytest.approx(-0.2 + half, abs=1e-4)
    assert np.isnan(found.predicted.low)


def test_one_session_is_not_pooled() -> None:
    for given in ([], [(0.1, 0.2)]):
        found = pooled(given)
        assert found.sessions == len(given)
        assert np.isnan([found.difference.value, found.between]).all()


def test_pooled_interval_covers_what_sessions_share() -> None:
    """Nominal 95 %, also for 4 sessions that truly differ (the normal interval: about 85 %)."""
    rng, covered = np.random.default_rng(0), 0
    for _ in range(300):
        error = rng.uniform(0.1, 0.3, 4)
        y = 0.2 + 0.3 * rng.normal(size=4) + error * rng.normal(size=4)
        found = pooled(list(zip(y.tolist(), error.tolist(), strict=True))).difference
        covered += found.low <= 0.2 <= found.high
    assert covered >= 0.92 * 300
