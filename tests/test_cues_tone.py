"""Voice quality against sounds whose harmonics and noise are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cuesense import config
from cuesense.cues import tone
from cuesense.cues.prosody import RATE
from cuesense.cues.voice import Voice
from cuesense.types import F64, AudioBlock

FRAMES = 40


def voice(f0: float, hnr_db: float, *, seed: int = 0, jitter: float = 0.0) -> F64:
    """Frames (FRAMES, WINDOW) of a buzz of power 0.01 in white noise `hnr_db` weaker."""
    rng = np.random.default_rng(seed)
    n = FRAMES * tone.WINDOW
    period = RATE / f0
    pulses = np.cumsum(period * (1 + jitter * rng.standard_normal(int(n / period))))
    phase = np.interp(np.arange(n), pulses, np.arange(len(pulses)))
    overtones: F64 = np.array([np.sin(2 * np.pi * k * phase) / k for k in range(1, 16)])
    buzz = overtones.sum(axis=0)
    noise = rng.standard_normal(n) * 10 ** (-hnr_db / 20)
    x = 0.1 * (buzz / buzz.std() + noise)
    return np.asarray(x.reshape(FRAMES, tone.WINDOW), np.float64)


def f0s(f0: float) -> F64:
    return np.full(FRAMES, f0)


@pytest.mark.parametrize("f0", [70.0, 100.0, 220.0, 450.0])
@pytest.mark.parametrize("hnr_db", [0.0, 10.0, 20.0])
def test_harmonicity_is_the_ratio_of_the_harmonics_power_to_the_noises(
    f0: float, hnr_db: float
) -> None:
    measured = tone.harmonicity_db(tone.spectra(voice(f0, hnr_db)[2:-2]), f0s(f0)[2:-2])
    assert np.median(measured) == pytest.approx(hnr_db, abs=1.0)


@pytest.mark.parametrize("wrong", [0.9, 1.1])
def test_an_f0_that_is_a_little_off_does_not_matter(wrong: float) -> None:
    power = tone.spectra(voice(150.0, 15.0))
    right, off = (tone.harmonicity_db(power, f0s(150.0 * w)) for w in (1.0, wrong))
    np.testing.assert_allclose(off, right, atol=1e-9)


def test_the_cepstral_peak_falls_with_noise_and_with_irregular_periods() -> None:
    def middle(hnr_db: float, jitter: float = 0.0) -> float:
        power = tone.spectra(voice(120.0, hnr_db, jitter=jitter)[:20])
        return float(np.median(tone.cepstral_peak_db(power, f0s(120.0)[:20])))

    falling = [middle(hnr) for hnr in (30.0, 20.0, 10.0, 0.0)]
    assert np.all(np.diff(falling) < -1.0)
    assert middle(30.0, jitter=0.03) < middle(30.0) - 3.0


@pytest.mark.parametrize("measure", [tone.harmonicity_db, tone.cepstral_peak_db])
def test_level_and_offset_do_not_matter(measure: object) -> None:
    assert callable(measure)
    frames = voice(130.0, 12.0)
    soft, plain = (tone.spectra(x) for x in (0.01 * frames + 0.3, frames))
    np.testing.assert_allclose(measure(soft, f0s(130.0)), measure(plain, f0s(130.0)), atol=1e-3)


@pytest.mark.parametrize("measure", [tone.harmonicity_db, tone.cepstral_peak_db])
def test_digital_silence_has_no_quality(measure: object) -> None:
    assert callable(measure)
    power = tone.spectra(np.full((3, tone.WINDOW), 0.25))
    assert np.isnan(measure(power, np.full(3, 100.0))).all()


def test_a_pure_sine_reads_the_upper_part_of_the_scale_and_never_beyond() -> None:
    x = np.sin(2 * np.pi * 200.0 * np.arange(FRAMES * tone.WINDOW) / RATE)
    hnr = tone.harmonicity_db(tone.spectra(x.reshape(FRAMES, -1)), f0s(200.0))
    assert hnr.min() > 30.0
    assert hnr.max() <= tone.HNR_LIMIT_DB


def heard(x: F64, cuts: list[int]) -> F64:
    """F0, HNR and CPP per hop, (n, 3), of sound pushed in pieces."""
    stage = Voice(config.Voice(), RATE, 1)
    samples = x.astype(np.float32)[:, None]
    cues = [
        cue
        for a, b in pairwise([0, *cuts, len(x)])
        for cue in stage.push(AudioBlock(a / RATE, samples[a:b], RATE))
    ]
    rows = [(c.f0_hz, c.hnr_db, c.cpp_db) for c in cues + stage.flush()]
    return np.array(rows, np.float64)


def test_the_stage_gives_quality_where_there_is_an_f0_however_the_sound_is_cut() -> None:
    buzz = voice(140.0, 12.0, seed=1).ravel()[: 2 * RATE]
    pause = np.zeros(RATE // 2)
    sound = np.concatenate([pause, buzz, pause, buzz[: RATE // 2]])  # ends in voice
    whole = heard(sound, [])
    np.testing.assert_array_equal(np.isfinite(whole[:, 0]), np.isfinite(whole[:, 1]))
    np.testing.assert_array_equal(np.isfinite(whole[:, 0]), np.isfinite(whole[:, 2]))
    steady = slice(40, 140)  # well inside the first buzz
    assert np.median(whole[steady, 1]) == pytest.approx(12.0, abs=1.5)
    for seed in range(2):
        cuts = np.sort(np.random.default_rng(seed).integers(0, len(sound), 40)).tolist()
        np.testing.assert_allclose(heard(sound, cuts), whole, rtol=1e-9, atol=1e-9)
