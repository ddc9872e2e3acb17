"""Against a plain double loop, a stored series, rMEA's values and published dyads."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from cuesense.config import Synchrony
from cuesense.dyad.synchrony import (
    Z_LIMIT,
    phase_randomised,
    power_statement,
    rolled,
    session_synchrony,
    windowed_correlation,
)
from cuesense.errors import ParameterError
from cuesense.types import F64

GOLDEN = Path(__file__).parent / "golden" / "synchrony_ar.json"
SETTINGS = Synchrony()


def autoregressive(rng: np.random.Generator, n: int, a: float = 0.95) -> F64:
    x = np.zeros(n)
    steps = rng.normal(size=n)
    for i in range(1, n):
        x[i] = a * x[i - 1] + steps[i]
    return x


def by_double_loop(x: F64, y: F64, window: int, lag: int, step: int) -> F64:
    """Return Fisher z window by window and lag by lag, as the definition says."""
    rows = []
    for start in range(0, len(x) - window - lag + 1, step):
        row = []
        for shift in range(-lag, lag + 1):
            i, j = start + max(0, -shift), start + max(0, shift)
            a, b = x[i : i + window], y[j : j + window]
            ok = np.isfinite(a) & np.isfinite(b)
            row.append(np.arctanh(np.corrcoef(a[ok], b[ok])[0, 1]))
        rows.append(row)
    return np.array(rows)


def test_golden_series() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    x, y = np.array(golden["x"]), np.array(golden["y"])
    got = windowed_correlation(x, y, rate_hz=5, window_s=8, lag_s=1, step_s=4)
    np.testing.assert_allclose(got.z, golden["z"], atol=1e-9)
    np.testing.assert_allclose(got.z, by_double_loop(x, y, 40, 5, 20), atol=1e-10)
    np.testing.assert_allclose(got.lags_s, np.arange(-5, 6) / 5)
    np.testing.assert_allclose(got.starts_s, 4.0 * np.arange(len(got.z)))


@pytest.mark.parametrize(("window", "lag", "step"), [(50, 0, 10), (37, 11, 3), (64, 64, 200)])
def test_equals_the_double_loop_also_with_gaps(window: int, lag: int, step: int) -> None:
    rng = np.random.default_rng(4)
    x, y = autoregressive(rng, 700), 1e4 + autoregressive(rng, 700)
    x[rng.random(700) < 0.1] = np.nan
    y[100:112] = np.nan
    got = windowed_correlation(
        x, y, rate_hz=10, window_s=window / 10, lag_s=lag / 10, step_s=step / 10
    )
    np.testing.assert_allclose(got.z, by_double_loop(x, y, window, lag, step), atol=1e-9)


def test_lag_is_positive_when_y_follows() -> None:
    x = autoregressive(np.random.default_rng(0), 2000)
    got = windowed_correlation(x, np.roll(x, 8), rate_hz=10, window_s=30, lag_s=3, step_s=10)
    assert got.peak_lag_s() == pytest.approx(0.8)


def test_constant_sparse_and_identical_windows() -> None:
    rng = np.random.default_rng(0)
    x = autoregressive(rng, 400)
    y = x.copy()
    y[:110] = 3.0  # the first window and its lags are constant
    y[240:320] = np.nan  # most of the third window
    got = windowed_correlation(x, y, rate_hz=10, window_s=10, lag_s=1, step_s=12)
    assert np.isnan(got.z[0]).all()
    assert got.z[1, 10] == pytest.approx(Z_LIMIT)  # x is y
    assert np.isnan(got.z[2]).all()
    nothing = windowed_correlation(
        x, np.full(400, np.nan), rate_hz=10, window_s=10, lag_s=1, step_s=12
    )
    assert np.isnan(nothing.mean(-1, 1))
    assert np.isnan(nothing.peak_lag_s())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"window_s": 0.1}, "window must hold 3 samples"),
        ({"step_s": 0.0}, "step 1"),
        ({"window_s": 50}, "shorter window or a longer recording"),
    ],
)
def test_settings_that_make_no_sense(change: dict[str, float], words: str) -> None:
    settings = {"window_s": 5.0, "lag_s": 1.0, "step_s": 1.0} | change
    with pytest.raises(ParameterError, match=words):
        windowed_correlation(np.zeros(100), np.zeros(100), rate_hz=10, **settings)
    with pytest.raises(ParameterError, match="equally long"):
        windowed_correlation(np.zeros(9), np.zeros(8), rate_hz=1, window_s=3, lag_s=1, step_s=1)


def test_phase_randomised_keeps_spectrum_gaps_and_nothing_else() -> None:
    rng = np.random.default_rng(7)
    y = autoregressive(rng, 501)
    first, second = phase_randomised(y, 2, rng)
    line = np.linspace(y[0], y[-1], 501)  # between the ends, which a circle would join
    ours, theirs = (np.abs(np.fft.rfft(s - line)) for s in (first, y))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert first.mean() == pytest.approx(y.mean())
    assert abs(np.corrcoef(first, y)[0, 1]) < 0.6
    assert not np.allclose(first, second)
    y[40:60] = np.nan
    (gappy,) = phase_randomised(y, 1, rng)
    assert (np.isnan(gappy) == np.isnan(y)).all()
    with pytest.raises(ParameterError, match="need 4"):
        next(phase_randomised(np.full(9, np.nan), 1, rng))


def test_rolled_keeps_order_and_distance() -> None:
    y = np.arange(100.0)
    for surrogate in rolled(y, 50, np.random.default_rng(0), min_shift=20):
        shift = int(np.argmin(surrogate))
        assert 20 <= shift <= 80
        np.testing.assert_array_equal(np.roll(surrogate, -shift), y)
    with pytest.raises(ParameterError, match="under half"):
        next(rolled(y, 1, np.random.default_rng(0), min_shift=50))


def test_linked_pair_is_found_with_its_leader() -> None:
    rng = np.random.default_rng(2)
    x = autoregressive(rng, 1200)
    y = autoregressive(rng, 1200) + np.roll(x, 3)
    y[300:340] = np.nan
    nulls: tuple[Literal["phase", "roll"], ...] = ("phase", "roll")
    for null in nulls:
        result = session_synchrony(
            x,
            y,
            rate_hz=5,
            band_s=1,
            settings=SETTINGS,
            rng=rng,
            null=null,
        )
        assert result.p == pytest.approx(1 / 200)
        assert result.z > np.abs(result.null).max()
        assert result.peak_lag_s == pytest.approx(0.6)
        assert result.leader == "x"
    reverse = session_synchrony(y, x, rate_hz=5, band_s=1, settings=SETTINGS, rng=rng)
    assert reverse.leader == "y"
    against = session_synchrony(x, -y, rate_hz=5, band_s=1, settings=SETTINGS, rng=rng)
    assert against.z < 0
    assert against.p == pytest.approx(1 / 200)
    assert against.leader == ""


def test_slow_strangers_are_rarely_called_synchronous() -> None:
    """Two slow independent series correlate by chance; the surrogates must allow for it."""
    rng = np.random.default_rng(11)
    settings = dataclasses.replace(SETTINGS, step_s=30)
    alarms = [
        session_synchrony(
            autoregressive(rng, 720),
            autoregressive(rng, 720),
            rate_hz=4,
            band_s=0.5,
            settings=settings,
            rng=rng,
        ).p
        <= 0.05
        for _ in range(24)
    ]
    assert np.sum(alarms) <= 4  # a true rate of 5 % gives more once in 150 runs


def test_same_seed_same_p() -> None:
    rng = np.random.default_rng(3)
    x, y = autoregressive(rng, 900), autoregressive(rng, 900)
    a, b = (
        session_synchrony(
            x, y, rate_hz=5, band_s=1, settings=SETTINGS, rng=np.random.default_rng(8)
        )
        for _ in range(2)
    )
    assert a.p == b.p
    np.testing.assert_array_equal(a.null, b.null)


@pytest.mark.parametrize(
    ("seconds", "spoil", "reason"),
    [
        (100, None, "under 180 s"),
        (0, None, "under 180 s"),
        (200, "missing", "more than 50 % missing"),
        (200, "constant", "constant"),
    ],
)
def test_no_p_without_enough_data(seconds: int, spoil: str | None, reason: str) -> None:
    rng = np.random.default_rng(0)
    x, y = autoregressive(rng, 5 * seconds), autoregressive(rng, 5 * seconds)
    if spoil == "missing":
        y[:600] = np.nan
    elif spoil == "constant":
        x[:] = 1.0
    result = session_synchrony(x, y, rate_hz=5, band_s=1, settings=SETTINGS, rng=rng)
    assert result.reason == reason
    assert np.isnan([result.z, result.p, result.peak_lag_s]).all()


def test_too_few_surrogates_and_too_wide_a_band_are_refused() -> None:
    x, rng = np.zeros(1000), np.random.default_rng(0)
    few = dataclasses.replace(SETTINGS, surrogates=19)
    with pytest.raises(ParameterError, match="surrogates=19"):
        session_synchrony(x, x, rate_hz=5, band_s=1, settings=few, rng=rng)
    with pytest.raises(ParameterError, match="band_s=9"):
        session_synchrony(x, x, rate_hz=5, band_s=9, settings=SETTINGS, rng=rng)


def test_power_statement_claims_no_more_than_was_measured() -> None:
    assert "too short" in power_statement(20)
    assert "17 %" in power_statement(45)
    assert "38 %" in power_statement(180)
    assert "not measured" not in power_statement(180)
    assert "longer recordings were not measured" in power_statement(3600)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "window_s", "expected"),
    [
        ("normal/200_01", 60, 0.075766),
        ("normal/202_01", 60, 0.161304),
        ("normal/204_01", 60, 0.119576),
        ("dropout/100_01", 60, 0.105294),
        ("normal/200_01", 30, 0.095179),
        ("normal/202_01", 30, 0.153957),
    ],
)
def test_equals_rmea(real_data: Path, name: str, window_s: float, expected: float) -> None:
    """Mean |z| over all windows and lags as rMEA 1.3.0 prints it."""
    motion = np.loadtxt(real_data / "synchrony" / "rMEA" / f"{name}.txt", skiprows=1)
    got = windowed_correlation(
        *motion.T, rate_hz=25, window_s=window_s, lag_s=5, step_s=window_s / 2
    )
    assert got.mean(-5, 5, absolute=True) == pytest.approx(expected, abs=1e-6)
    if name == "normal/200_01" and window_s == 60:
        assert len(got.z) == 18
        assert got.mean(0.04, 5, absolute=True) == pytest.approx(0.062605, abs=1e-6)  # s1 leads
        assert got.mean(-5, -0.04, absolute=True) == pytest.approx(0.088814, abs=1e-6)
        assert got.mean(0, 0, absolute=True) == pytest.approx(0.089902, abs=1e-6)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("signal", "table"), [("au12_r", "au12"), ("au06_r", "au06"), ("body_motion", "bm")]
)
def test_equals_published_webcam_dyads(real_data: Path, signal: str, table: str) -> None:
    """Global and peak synchrony of every dyad, as its authors published them."""
    folder = real_data / "synchrony" / "vc_dyads"
    with (folder / "reference" / f"df_dyadic_{table}.csv").open(encoding="utf-8") as f:
        published = {(row["file"], row["condition"]): row for row in csv.DictReader(f)}
    files = sorted((folder / signal).glob("*/*.csv"))
    assert len(files) == 20
    for file in files:
        row = published[file.stem, file.parent.name]
        pair = np.genfromtxt(file, skip_header=1)
        x, y = (np.convolve(c, np.full(15, 1 / 15), "same") for c in pair.T)  # 0.5 s, theirs
        got = windowed_correlation(x, y, rate_hz=30, window_s=30, lag_s=5, step_s=10)
        by_lag = np.abs(got.z).mean(axis=0)
        assert by_lag.mean() == pytest.approx(float(row["global_synchrony"]), abs=1e-6)
        assert by_lag.max() == pytest.approx(float(row["peak_synchrony"]), abs=1e-6)
        peak = 30 * got.lags_s[by_lag.argmax()]
        assert peak == pytest.approx(float(row["peak_lag"]), abs=1e-6)
