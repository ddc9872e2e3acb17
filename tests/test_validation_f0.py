"""F0 and voicing against the laryngograph: the level of the validation page, with a margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cuesense import config
from cuesense.cues.voice import HOP_S
from validation import f0

pytestmark = pytest.mark.real_data


def test_the_score_knows_false_missed_and_gross() -> None:
    truth = np.array([0.0, 0.0, 100.0, 100.0, 200.0])
    one = f0.Utterance("rl000", "rl", np.zeros(1, np.float32), 16_000, truth)
    voiced = np.array([True, False, False, True, True])
    heard = f0.Heard(voiced, np.array([90.0, np.nan, np.nan, 101.0, 100.0]))
    scores = f0.score([(one, heard)])
    i = np.array([0])
    assert scores.gross_percent(i) == 50.0
    assert scores.voicing_percent(i) == 40.0
    assert scores.right_percent(i) == pytest.approx(100 / 3)


def test_hops_are_put_on_other_times_by_straight_lines() -> None:
    hops = f0.Hops(
        np.arange(4.0, dtype=np.float64) * HOP_S,
        np.array([np.nan, 100.0, 400.0, np.nan]),
        np.array([0.1, 0.9, 0.9, 0.1]),
    )
    times = np.array([0.25, 0.75, 1.5, 2.25, 2.75]) * HOP_S
    heard = f0.at(times, hops, 0.55, 0.35)
    assert heard.voiced.tolist() == [False, True, True, True, False]
    np.testing.assert_allclose(heard.f0[1:4], [100.0, 200.0, 400.0])


@pytest.mark.parametrize(
    ("noise", "snr_db", "gross", "voicing", "right"),
    [("clean", np.inf, 1.0, 5.0, 89.0), ("pink", 0.0, 1.5, 11.0, 76.0)],
)
def test_f0_and_voicing_are_right(
    real_data: Path,
    noise: str,
    snr_db: float,
    gross: float,
    voicing: float,
    right: float,
) -> None:
    settings = config.Voice()
    condition = f0.Condition(noise, snr_db)
    answers = []
    for seed, one in enumerate(list(f0.utterances(real_data))[::3]):
        heard = f0.hops(f0.disturbed(real_data, one, condition, seed), one.rate)
        answers.append((one, f0.at(one.times, heard, settings.voicing, settings.voicing_off)))
    scores = f0.score(answers)
    i = np.arange(len(scores.names))
    assert scores.gross_percent(i) < gross
    assert scores.voicing_percent(i) < voicing
    assert scores.right_percent(i) > right
    if noise == "clean":
        assert scores.median_hz(scores.of("rl")) < 1.1
        assert scores.median_hz(scores.of("sb")) < 2.7
