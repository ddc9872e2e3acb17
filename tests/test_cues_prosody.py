"""Level, tilt, peaks and pace against values known from the signal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cuesense.cues import prosody
from cuesense.cues.prosody import FRAME, HOP, RATE
from cuesense.types import F64

HOP_S = HOP / RATE


def sine(hz: float, amplitude: float, frames: int = 20) -> F64:
    x = amplitude * np.sin(2 * np.pi * hz * np.arange(frames * FRAME) / RATE)
    return x.reshape(frames, FRAME)


def test_a_weighting_is_that_of_the_standard_and_of_librosa() -> None:
    import librosa

    nominal = np.array([31.623, 100.0, 1000.0, 3162.3, 10_000.0])
    np.testing.assert_allclose(
        prosody.a_weighting_db(nominal), [-39.4, -19.1, 0.0, 1.2, -2.5], atol=0.06
    )
    freqs = np.linspace(20.0, 8000.0, 400)
    ours = prosody.a_weighting_db(freqs)
    np.testing.assert_allclose(ours, librosa.A_weighting(freqs, min_db=None), atol=0.01)


@pytest.mark.parametrize(("hz", "weight"), [(1000.0, 0.0), (200.0, -10.8), (4000.0, 1.0)])
def test_loudness_of_a_sine_is_its_level_re_full_scale_plus_its_weight(
    hz: float, weight: float
) -> None:
    loudness = prosody.levels(sine(hz, 0.1)).loudness_db
    np.testing.assert_allclose(loudness, -20.0 + weight, atol=0.15)


def test_twice_the_amplitude_is_six_decibel_more_and_the_same_tilt() -> None:
    noise = np.random.default_rng(1).normal(0, 0.02, (50, FRAME))
    once, twice = prosody.levels(noise), prosody.levels(2 * noise)
    np.testing.assert_allclose(twice.loudness_db - once.loudness_db, 20 * np.log10(2), atol=1e-9)
    np.testing.assert_allclose(twice.tilt_db, once.tilt_db, atol=1e-9)


@pytest.mark.parametrize("ratio_db", [-12.0, 0.0, 20.0])
def test_tilt_is_the_level_below_minus_above_1_khz(ratio_db: float) -> None:
    frames = sine(400.0, 0.01 * 10 ** (ratio_db / 20)) + sine(2500.0, 0.01)
    np.testing.assert_allclose(prosody.levels(frames).tilt_db, ratio_db, atol=0.1)


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_silence_reads_the_floor_and_has_no_tilt_even_with_a_constant_offset(
    offset: float,
) -> None:
    silent = prosody.levels(np.full((3, FRAME), offset))
    np.testing.assert_array_equal(silent.loudness_db, -120.0)
    assert np.isnan(silent.tilt_db).all()


def contour(depth_db: float, rate_hz: float, seconds: float) -> tuple[F64, F64]:
    """Level with one peak per cycle, and the peaks' hops."""
    t = np.arange(round(seconds / HOP_S)) * HOP_S
    level = -30.0 - depth_db / 2 * np.cos(2 * np.pi * rate_hz * t)
    truth = (np.arange(int(seconds * rate_hz)) + 0.5) / rate_hz / HOP_S
    return np.asarray(level, np.float64), np.asarray(truth, np.float64)


@pytest.mark.parametrize("rate_hz", [2.0, 4.0, 6.0, 8.0])
def test_every_peak_between_dips_is_found_where_it_is(rate_hz: float) -> None:
    level, truth = contour(6.0, rate_hz, 5.0)
    found, _ = prosody.peaks(level, dip_db=2.0, hold=9)
    assert len(found) == len(truth)
    np.testing.assert_allclose(found, truth, atol=0.51)


def test_ripple_smaller_than_the_dip_holds_no_peak() -> None:
    level, _ = contour(1.9, 5.0, 5.0)
    found, _ = prosody.peaks(level, dip_db=2.0, hold=9)
    assert found == []


def test_a_plateau_is_one_peak_decided_after_the_hold() -> None:
    level = np.concatenate([np.full(10, -60.0), np.full(40, -20.0)])
    early, state = prosody.peaks(level[: 10 + 9], dip_db=2.0, hold=9)
    on_time, state = prosody.peaks(level[10 + 9 : 10 + 10], dip_db=2.0, hold=9, state=state)
    later, _ = prosody.peaks(level[10 + 10 :], dip_db=2.0, hold=9, state=state)
    assert (early, on_time, later) == ([], [10], [])


@pytest.mark.parametrize(
    ("gap", "dip_db", "peaks"), [(7, 3.0, 1), (7, 5.0, 2), (14, 3.0, 2), (14, 1.0, 1)]
)
def test_peaks_near_each_other_need_the_deeper_dip(gap: int, dip_db: float, peaks: int) -> None:
    hops = np.arange(60.0)
    level = np.full(60, -60.0)
    inside = (hops >= 20 - gap / 2) & (hops <= 20 + 3 * gap / 2)
    level[inside] = -20.0 - dip_db / 2 * (1 - np.cos(2 * np.pi * (hops[inside] - 20) / gap))
    found, _ = prosody.peaks(level, dip_db=2.0, hold=9)
    assert found == [20, 20 + gap][:peaks]


def test_speech_level_rises_at_once_and_forgets_only_while_somebody_speaks() -> None:
    second = round(1 / HOP_S)
    level = np.concatenate([[-20.0], np.full(second, -60.0), np.full(second, -60.0)])
    sonorant = np.concatenate([[True], np.zeros(second, bool), np.ones(second, bool)])
    reference, state = prosody.speech_level(level, sonorant)
    np.testing.assert_array_equal(reference[: second + 1], -20.0)
    assert state == reference[-1] == pytest.approx(-23.0, abs=0.1)


TICK_S = 0.04


def rate_of(speaking: F64, nuclei: F64, state: F64 | None = None) -> tuple[F64, F64]:
    return prosody.syllable_rate(speaking, nuclei, tick_s=TICK_S, window_s=4.0, state=state)


def test_pace_is_nuclei_per_second_of_own_speech_and_missing_before_one_second() -> None:
    speaking, nuclei = np.ones(250), np.zeros(250)
    nuclei[::5] = 1.0  # five per second
    rate, _ = rate_of(speaking, nuclei)
    assert np.isnan(rate[:24]).all()
    np.testing.assert_allclose(rate[24:100:5], 5.0)  # where the last fifth of a second is whole
    np.testing.assert_allclose(rate[100:], 5.0)


def test_pauses_and_the_other_persons_nuclei_do_not_count() -> None:
    speaking = np.tile(np.repeat([1.0, 0.0, np.nan], [10, 10, 5]), 10)
    nuclei = np.ones(250)  # the other person's too
    nuclei[speaking == 1.0] = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], 20)
    rate, _ = rate_of(speaking, nuclei)
    np.testing.assert_allclose(rate[100:], 5.0)


def test_pace_ends_when_the_window_no_longer_holds_a_second_of_speech() -> None:
    speaking = np.concatenate([np.ones(100), np.zeros(100)])
    rate, _ = rate_of(speaking, np.ones(200))
    assert np.flatnonzero(np.isfinite(rate)).max() == 100 + 100 - 25 - 1


def splits(n: int, seed: int) -> list[slice]:
    cuts = np.sort(np.random.default_rng(seed).integers(0, n, 12)).tolist()
    return [slice(a, b) for a, b in pairwise([0, *cuts, n])]


@pytest.mark.parametrize("seed", range(5))
def test_split_kernels_give_what_one_call_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    power = 10 ** rng.uniform(-6, -1, 300)
    sonorant = rng.random(300) < 0.5
    speaking, nuclei = rng.random(300), rng.integers(0, 2, 300).astype(float)

    level, _ = prosody.smooth_db(power)
    peaks, _ = prosody.peaks(level, dip_db=2.0, hold=9)
    reference, _ = prosody.speech_level(level, sonorant)
    rate, _ = rate_of(speaking, nuclei)
    assert peaks

    smoothing, candidate, last, ticks = None, None, -np.inf, None
    parts: list[tuple[F64, list[int], F64, F64]] = []
    for part in splits(300, seed):
        db, smoothing = prosody.smooth_db(power[part], smoothing)
        p, candidate = prosody.peaks(db, dip_db=2.0, hold=9, state=candidate)
        s, last = prosody.speech_level(db, sonorant[part], last)
        r, ticks = rate_of(speaking[part], nuclei[part], ticks)
        parts.append((db, p, s, r))
    np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), level)
    assert [hop for p in parts for hop in p[1]] == peaks
    np.testing.assert_array_equal(np.concatenate([p[2] for p in parts]), reference)
    np.testing.assert_array_equal(np.concatenate([p[3] for p in parts]), rate)


def test_smoothing_keeps_a_steady_level_and_comes_one_hop_late() -> None:
    power = np.zeros(20)
    power[10] = 1e-2
    level, _ = prosody.smooth_db(power)
    assert int(np.argmax(level)) - 1 == 10
    steady, _ = prosody.smooth_db(np.full(20, 1e-3))
    np.testing.assert_allclose(steady[2:], -30.0)
