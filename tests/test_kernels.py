from __future__ import annotations

import numpy as np
import pytest

from cuesense.kernels import alpha, ema, robust_location


def test_ema_of_a_step_reaches_63_percent_after_tau() -> None:
    y, _ = ema(np.r_[0.0, np.ones(100)], alpha(0.04, 2.0))
    assert y[50] == pytest.approx(1 - np.exp(-1), abs=1e-9)


def test_ema_skips_missing_values_and_starts_at_the_first() -> None:
    y, state = ema(np.array([np.nan, 2.0, np.nan, 4.0]), 0.5)
    np.testing.assert_array_equal(y, [np.nan, 2.0, 2.0, 3.0])
    assert state == 3.0


@pytest.mark.parametrize("seed", range(3))
def test_ema_split_anywhere_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(200) < 0.2, np.nan, rng.normal(size=200))
    whole, _ = ema(x, 0.1)
    state, parts = None, []
    for part in np.split(x, np.sort(rng.integers(0, 200, 7))):
        y, state = ema(part, 0.1, state) if len(part) else (part, state)
        parts.append(y)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_robust_location_of_normal_data_with_outliers() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, 20_000)
    x[:500] = 1e6
    x[500:600] = np.nan
    median, sd, n = robust_location(x)
    assert median == pytest.approx(3.0, abs=0.15)
    assert sd == pytest.approx(2.0, rel=0.06)
    assert n == 19_900


def test_robust_location_of_nothing() -> None:
    median, sd, n = robust_location(np.array([np.nan]))
    assert np.isnan(median)
    assert np.isnan(sd)
    assert n == 0
