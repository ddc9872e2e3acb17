"""Speech or not on real recordings: the level of the validation page, with a margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation import speech
from validation.sounds import SOUNDS

pytestmark = pytest.mark.real_data


@pytest.mark.parametrize(
    ("noise", "snr_db", "least", "gain"),
    [("clean", np.inf, 0.97, -0.003), ("pink", 0.0, 0.94, 0.0)],
)
def test_speech_is_told_from_none_and_better_in_noise_than_by_the_model_alone(
    real_data: Path, noise: str, snr_db: float, least: float, gain: float
) -> None:
    some = list(speech.clips(real_data))[::5]
    results = speech.results_in(some, speech.Condition(noise, snr_db))
    everyone = np.arange(len(results))
    ours = speech.area(results, lambda r: r.ours)(everyone)
    assert ours > least
    assert ours > gain + speech.area(results, lambda r: r.model)(everyone)
    if noise == "clean":
        for of in speech.EDGES.values():
            errors = [abs(e) for r in results if r.clip.corpus != "laryngograph" for e in of(r)]
            assert len(errors) > 8
            assert np.median(errors) < 0.08


def test_recorded_laughter_passes_no_more_than_it_did(real_data: Path) -> None:
    assert speech.real_laughter(real_data) < 0.8


@pytest.mark.parametrize("name", ["breath", "cough", "typing", "music"])
def test_other_sounds_are_no_speech(name: str) -> None:
    sound = (0.03 * SOUNDS[name](10 * speech.RATE, speech.RATE, 7)).astype(np.float32)
    assert np.mean(speech.stage(sound)[1] >= 0.5) < 0.05
