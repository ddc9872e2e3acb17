"""Alignment of two recordings by their sound, on pairs whose offset is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from cuesense.capture.align import MIN_CONFIDENCE, RATE, align, soundtrack
from cuesense.types import F32, AudioBlock


def talk(seconds: float, seed: int) -> F32:
    """Noise in syllables: about 4 bursts a second, irregular, with pauses."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    envelope = np.repeat(rng.gamma(0.5, 1.0, n // 800 + 1), 800)[:n]
    smooth = signal.lfilter([0.01], [1, -0.99], envelope)
    sound: F32 = (rng.normal(size=n) * smooth).astype(np.float32)
    return sound


def heard(x: F32, *, gain: float, noise: float, echo_s: float, seed: int) -> F32:
    """Return `x` as a device far away hears it; `noise` is relative to the sound."""
    rng = np.random.default_rng(seed)
    n = max(1, round(echo_s * RATE))
    room = 0.06 * rng.normal(size=n) * np.exp(-6.9 * np.arange(n) / n)
    room[0] = 1
    wet = signal.fftconvolve(x, room)[: len(x)]
    noisy: F32 = np.float32(gain) * (wet + noise * wet.std() * rng.normal(size=len(x)))
    return noisy.astype(np.float32)


@pytest.mark.parametrize("offset_s", [-8.0131, -0.25, 0.0, 0.013, 3.217, 21.5])
@pytest.mark.parametrize(("noise", "echo_s"), [(0.0, 0.0), (0.3, 0.2), (0.7, 0.6)])
def test_offset_within_ten_milliseconds(offset_s: float, noise: float, echo_s: float) -> None:
    whole = talk(45, seed=1)
    shift = round(offset_s * RATE)
    first, second = whole[max(0, -shift) :], whole[max(0, shift) :]
    found = align(
        heard(first, gain=0.1, noise=noise, echo_s=echo_s, seed=2),
        heard(second, gain=3.0, noise=noise, echo_s=echo_s, seed=3),
    )
    assert found.offset_s == pytest.approx(offset_s, abs=0.010)
    assert found.confidence >= MIN_CONFIDENCE


def test_clock_drift_gives_the_offset_of_the_middle() -> None:
    whole = talk(130, seed=4)
    drift = 1e-4
    seen = np.arange(100 * RATE) * (1 + drift) + 6 * RATE
    second = np.interp(seen, np.arange(len(whole)), whole).astype(np.float32)
    found = align(whole[: 110 * RATE], second)
    assert found.offset_s == pytest.approx(6 + 50 * drift, abs=0.010)


@pytest.mark.parametrize("seed", range(10))
def test_unrelated_sound_has_no_confidence(seed: int) -> None:
    assert align(talk(30, seed), talk(40, 100 + seed)).confidence < MIN_CONFIDENCE


@pytest.mark.parametrize("other", [np.zeros(10 * RATE, np.float32), np.ones(50, np.float32)])
def test_silence_and_snippets_have_no_confidence(other: F32) -> None:
    assert align(talk(10, 0), other).confidence == 0
    assert align(other, talk(10, 0)).confidence == 0


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_soundtrack_keeps_time_through_gaps_and_missing_samples(rate: int) -> None:
    def beep(t: float) -> AudioBlock:
        n = rate // 50
        sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(n) / rate).astype(np.float32)
        return AudioBlock(t, np.stack([sine, sine], axis=1), rate)

    lost = AudioBlock(0.52, np.full((rate // 50, 2), np.nan, np.float32), rate)
    track = soundtrack([beep(0.5), lost, beep(2.0), beep(9.0)], limit_s=5.0)
    assert np.isfinite(track).all()
    loud = np.flatnonzero(np.abs(track) > 0.1) / RATE
    assert loud[0] == pytest.approx(0.5, abs=0.002)
    assert loud[loud < 1][-1] == pytest.approx(0.52, abs=0.002)
    assert loud[loud > 1][0] == pytest.approx(2.0, abs=0.002)
    assert loud[-1] == pytest.approx(2.02, abs=0.002)


def test_soundtrack_of_nothing_is_empty() -> None:
    assert soundtrack([]).shape == (0,)
