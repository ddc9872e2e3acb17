from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cuesense.config import Dyad
from cuesense.dyad.modes import MIRRORING, NO_DEMAND, REGULATING, Codes
from cuesense.dyad.settling import settling
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
    assert result.regulating > 30


def test_interval_holds_zero_when_nothing_is_there() -> None:
    """Coming down by itself is the forecast's, not the listener's, doing."""
    held = 0
    for seed in range(20):
        arousal, label = session(np.random.default_rng(seed), effect=0.0, minutes=30)
        result = settling(arousal, label, CONFIG, np.random.default_rng(seed))
        held += result.low <= 0 <= result.high
    assert held >= 16


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
