"""Periodicity and voicing, on sound whose period is known."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.cues import pitch
from cuesense.cues.prosody import RATE
from cuesense.types import F64

T = np.arange(-pitch.REACH, pitch.REACH) / RATE
CENTRE = np.array([pitch.REACH])


def vowel(f0: float, rise: float = 0.0) -> F64:
    """A buzz, just long enough for one hop; F0 rises by `rise` Hz per second."""
    phase = 2 * np.pi * (f0 * T + rise * T**2 / 2)
    return np.asarray(sum(np.sin(k * phase) / k for k in range(1, 8)))


@pytest.mark.parametrize("f0", [47.0, 60.0, 110.0, 220.0, 450.0, 1000.0])
def test_a_vowel_repeats_itself_after_its_period(f0: float) -> None:
    assert pitch.periodicity(vowel(f0), CENTRE, np.array([f0]))[0] > 0.99


@pytest.mark.parametrize("error", [0.9, 1.1])
def test_the_period_need_not_be_exact(error: float) -> None:
    f0 = np.array([150.0 * error])
    assert pitch.periodicity(vowel(150.0, rise=200.0), CENTRE, f0)[0] > 0.95


def test_noise_and_silence_do_not_repeat_themselves() -> None:
    noise = np.random.default_rng(0).standard_normal(100_000)
    centres = np.arange(pitch.REACH, len(noise) - pitch.REACH, 500)
    repeats = pitch.periodicity(noise, centres, np.full(len(centres), 120.0))
    assert np.median(repeats) < 0.5
    silence = np.zeros(2 * pitch.REACH)
    assert pitch.periodicity(silence, CENTRE, np.array([120.0]))[0] == 0.0


def test_periodicity_falls_with_the_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((60, 2 * pitch.REACH))
    medians = [
        np.median(
            [
                pitch.periodicity(vowel(200.0) + share * n, CENTRE, np.array([200.0]))[0]
                for n in noise
            ]
        )
        for share in (0.1, 1.0, 3.0, 10.0)
    ]
    assert medians[0] > 0.99
    assert (np.diff(medians) < -0.02).all()
    assert medians[-1] < pitch.NEUTRAL


def test_hops_together_are_as_each_alone() -> None:
    sound = np.random.default_rng(2).standard_normal(4000).cumsum()
    centres, f0 = pitch.REACH + 256 * np.arange(10), np.linspace(50.0, 900.0, 10)
    together = pitch.periodicity(sound, centres, f0)
    alone = [pitch.periodicity(sound, centres[[i]], f0[[i]])[0] for i in range(10)]
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert together.std() > 0.01


def test_level_and_offset_do_not_show() -> None:
    frame = vowel(180.0, rise=500.0)
    f0 = np.array([180.0])
    plain = pitch.periodicity(frame, CENTRE, f0)
    quiet = pitch.periodicity(0.01 * frame + 0.3, CENTRE, f0)
    np.testing.assert_allclose(quiet, plain, atol=1e-6)


def test_periodicity_decides_where_the_model_doubts_and_never_against_it() -> None:
    doubt, sure = np.full(2, 0.5), np.array([0.03, 0.97])
    low, high = pitch.voicing(doubt, np.array([0.2, 1.0]))
    assert low < 0.4 < 0.55 < high
    np.testing.assert_allclose(pitch.voicing(doubt, np.full(2, pitch.NEUTRAL)), 0.5, atol=1e-6)
    for repeats in (0.0, 1.0):
        np.testing.assert_allclose(pitch.voicing(sure, np.full(2, repeats)), sure, atol=0.03)
    ends = pitch.voicing(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    np.testing.assert_allclose(ends, [0.0, 1.0], atol=1e-4)


def test_hysteresis_holds_a_voiced_stretch_and_splits_nowhere() -> None:
    values = np.array([0.4, 0.54, 0.55, 0.4, 0.35, 0.34, 0.5, 0.9, 0.36, 0.1])
    whole, state = pitch.voiced(values, on=0.55, off=0.35)
    assert whole.tolist() == [False, False, True, True, True, False, False, True, True, False]
    assert state is False
    for cut in range(len(values)):
        first, state = pitch.voiced(values[:cut], on=0.55, off=0.35)
        rest, _ = pitch.voiced(values[cut:], on=0.55, off=0.35, state=state)
        np.testing.assert_array_equal(np.concatenate([first, rest]), whole)
