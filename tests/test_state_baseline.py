from __future__ import annotations

import numpy as np
import pytest

from cuesense.state.baseline import Baseline, Zero, mean_of, standardise
from cuesense.state.roles import Roles
from cuesense.types import Role

RATE = 25.0


def baseline(**changes: float) -> Baseline:
    settings = {
        "start_s": 0.0,
        "duration_s": 40.0,
        "least_s": 10.0,
        "floor": 0.1,
        "correlation_s": 2.0,
        "rate_hz": RATE,
    }
    return Baseline(**(settings | changes))


def feed(b: Baseline, x: np.ndarray) -> int | None:
    for i, value in enumerate(x):
        b.push(i / RATE, float(value))
        if b.zero is not None:
            return i
    return None


def test_the_zero_is_fixed_when_the_stretch_ends_and_stays() -> None:
    rng = np.random.default_rng(0)
    b = baseline()
    x = rng.normal(5.0, 2.0, 2000)
    assert feed(b, x) == 40 * RATE
    assert b.zero is not None
    assert b.zero.median == pytest.approx(5.0, abs=0.3)
    assert b.zero.sd == pytest.approx(2.0, rel=0.15)
    assert b.zero.error_sd == pytest.approx(1.2533 / np.sqrt(20), rel=0.02)
    before = b.zero
    feed(b, x + 100)
    assert b.zero is before


def test_values_before_the_start_do_not_count() -> None:
    b = baseline(start_s=20.0, duration_s=20.0)
    feed(b, np.r_[np.full(500, 99.0), np.zeros(600)])
    assert b.zero is not None
    assert b.zero.median == 0.0


def test_a_rare_cue_goes_on_collecting() -> None:
    x = np.full(4000, np.nan)
    x[::10] = 1.0  # 2.5 values per s
    fixed = feed(baseline(), x)
    assert fixed is not None
    assert fixed / RATE == pytest.approx(100.0, abs=1.0)


def test_a_cue_that_never_comes_stays_uncalibrated() -> None:
    assert feed(baseline(), np.full(3000, np.nan)) is None


def test_a_steady_cue_gets_the_floor_as_its_spread() -> None:
    b = baseline()
    feed(b, np.full(1100, 3.0))
    assert b.zero is not None
    assert b.zero.sd == 0.1


def test_standardise() -> None:
    zero = Zero(2.0, 0.5, 0.1)
    assert standardise(3.0, zero, 6.0) == 2.0
    assert standardise(100.0, zero, 6.0) == 6.0
    assert standardise(-100.0, zero, 6.0) == -6.0
    assert np.isnan(standardise(3.0, None, 6.0))
    assert np.isnan(standardise(np.nan, zero, 6.0))


def test_the_mean_takes_what_is_there_with_its_sign() -> None:
    z = np.array([2.0, np.nan, -1.0])
    value, error = mean_of(z, np.array([1.0, 1.0, -1.0]), np.full(3, 0.2), 0.0)
    assert value == pytest.approx(1.5)
    assert error == pytest.approx(0.2 / np.sqrt(2))
    assert mean_of(z, np.ones(3), np.full(3, 0.2), 1.0)[1] == pytest.approx(0.2)
    assert np.isnan(mean_of(np.full(3, np.nan), np.ones(3), np.ones(3), 0.0)[0])


@pytest.mark.parametrize(
    ("name", "listener"), [("left", "A"), ("right", "B"), ("A", "A"), ("B", "B")]
)
def test_a_named_listener_is_known_from_the_start(name: str, listener: str) -> None:
    roles = Roles(name, 30.0, RATE)
    assert roles.listener == listener
    assert "was named" in roles.reason


@pytest.mark.parametrize("quiet", [0, 1])
def test_auto_takes_who_speaks_less_in_the_baseline_and_says_so(quiet: int) -> None:
    roles = Roles("auto", 30.0, RATE)
    for i in range(int(40 * RATE)):
        t = i / RATE
        # After the baseline the quiet one talks all the time: too late to count.
        share = (0.3, 0.7) if t <= 30 else (1.0, 0.0)
        speaking = share if quiet == 0 else share[::-1]
        if t < 30:
            assert roles.role("A") is Role.UNDECIDED
        roles.push(t, (speaking[0], speaking[1]))
    name = "AB"[quiet]
    assert roles.listener == name
    assert roles.role("A") is (Role.LISTENER if quiet == 0 else Role.PARTNER)
    assert f"{name} did 30% of the talking in the first 30 s" in roles.reason


def test_auto_without_speech_says_that_it_guesses() -> None:
    roles = Roles("auto", 30.0, RATE)
    roles.push(0.0, (np.nan, np.nan))
    roles.flush()
    assert roles.listener == "B"
    assert "hardly anybody spoke" in roles.reason
