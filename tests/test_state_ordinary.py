"""The most ordinary stretch, where what is ordinary and what is not was planted."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.schema import VALUE_INDEX
from cuesense.state.ordinary import (
    FAMILIES,
    FLOORS,
    Ordinary,
    Seconds,
    Survey,
    activation,
    distances,
    ordinary,
)
from cuesense.types import F64, Reason, Sensed
from test_state_affect import rows

CONFIG = Config()
BASE, RATE = CONFIG.baseline, CONFIG.grid.rate_hz
WIDTH = round(BASE.duration_s)
SEEN = {family: Reason.OK for family in ("face_reason", "voice_reason", "body_reason")}


def usual(n: int, seed: int = 0) -> Seconds:
    """Two people who are as ever for n seconds; every cue has an SD of 3 of its floors."""
    cues = np.random.default_rng(seed).normal(0.0, 3 * FLOORS, (2, n, len(FLOORS)))
    return Seconds(cues, np.ones((2, n)), np.full((2, n), 0.4))


def planted(seconds: Seconds, person: int, start: int, end: int, by: float) -> Seconds:
    """Raise all of a person's cues by so many SD."""
    cues = seconds.cues.copy()
    cues[person, start:end] += by * 3 * FLOORS
    return Seconds(cues, seconds.face, seconds.voice)


def where(seconds: Seconds) -> float:
    found = ordinary(seconds, BASE)
    assert found is not None
    return found.start_s


def overlap(start: float, first: float, last: float) -> float:
    return max(0.0, min(start + WIDTH, last) - max(start, first))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("person", [0, 1])
def test_an_excited_beginning_is_passed_over(person: int, seed: int) -> None:
    start = where(planted(usual(200, seed), person, 0, 60, 3.0))
    assert overlap(start, 0, 60) <= 6


@pytest.mark.parametrize("seed", range(5))
def test_a_short_outburst_is_avoided_although_it_moves_no_median(seed: int) -> None:
    seconds = usual(300, seed)
    for at in (60, 120):
        seconds = planted(seconds, 1, at, at + 6, 5.0)
    start = where(seconds)
    assert overlap(start, 60, 66) + overlap(start, 120, 126) <= 1


@pytest.mark.parametrize("seed", range(5))
def test_a_frozen_stretch_is_not_ordinary_either(seed: int) -> None:
    seconds = usual(400, seed)
    seconds.cues[:, 80:140] = 0.0  # just at everybody's median, and still
    start = where(seconds)
    assert overlap(start, 80, 140) <= WIDTH / 5


def test_both_people_and_all_three_families_weigh_the_same() -> None:
    far = []
    for person in (0, 1):
        for family in FAMILIES:
            cues = np.ones((2, 100, len(FLOORS))) * 3 * FLOORS
            cues[:, ::2] *= -1
            cues[person, :20, family] += 6 * FLOORS[family]
            far.append(distances(cues, 20)[0])
    assert far == pytest.approx([far[0]] * 6)
    assert far[0] > 0


def test_the_distance_of_a_shifted_stretch_in_closed_form() -> None:
    # Every cue alternates between -10 and 10 floors; 20 are added to A's motion for 20 s.
    cues = np.ones((2, 200, len(FLOORS))) * 10 * FLOORS
    cues[:, ::2] *= -1
    motion = FAMILIES[1]
    cues[0, :20, motion] += 20 * FLOORS[motion]
    x = cues[0, :, motion.start] / FLOORS[motion.start]
    spread = 1.4826 * np.median(np.abs(x - np.median(x)))
    expected = (20.0 - np.median(x)) / spread
    assert distances(cues, 20)[0] == pytest.approx(expected**2 / 6)
    # Of the two families of activation it is one; B is as calm as ever.
    up = activation(cues, 20)
    assert up[0, 0] - up[0, 100] == pytest.approx(20.0 / spread / 2)
    assert up[1, 0] == up[1, 100]


@pytest.mark.parametrize("seed", range(5))
def test_where_people_are_mostly_excited_the_calm_is_pointed_out(seed: int) -> None:
    seconds = planted(usual(400, seed), 1, 100, 400, 5.0)
    seconds.cues[1, 100:, 2:4] *= -1  # spectral tilt and HNR fall with activation
    found = ordinary(seconds, BASE)
    assert found is not None
    assert found.start_s >= 90
    assert found.calmer_s is not None
    assert found.calmer_s + WIDTH <= 102
    even = ordinary(usual(400, seed), BASE)
    assert even is not None
    assert even.calmer_s is None


def test_a_stretch_holds_enough_of_both_or_it_is_none() -> None:
    seconds = usual(200)
    seconds.face[1, :150] = 0.0  # B comes late
    start = where(seconds)
    assert seconds.face[1, int(start) : int(start) + WIDTH].sum() >= BASE.min_face_s
    seconds.voice[0, 100:] = 0.0  # and A is silent from then on
    assert ordinary(seconds, BASE) is None
    assert seconds.lacks(0, 45, BASE) == ["B's face (0 s)"]
    assert seconds.lacks(150, 195, BASE) == ["A's voice (0 s)"]


def test_what_the_recording_never_has_is_not_asked_for() -> None:
    heard = planted(usual(200), 0, 0, 60, 3.0)
    heard.face[:] = 0.0
    heard.cues[:, :, FAMILIES[0].stop :] = np.nan  # sound alone
    start = where(heard)
    assert overlap(start, 0, 60) <= 2
    heard.voice[:] = 0.0
    assert ordinary(heard, BASE) is None  # nobody is there


def test_a_recording_shorter_than_the_stretch_has_none() -> None:
    assert ordinary(usual(WIDTH - 1), BASE) is None
    assert ordinary(usual(WIDTH), BASE) == Ordinary(0.0)


def ticks(values: tuple[F64, F64]) -> list[Sensed]:
    both = zip(*values, strict=True)
    return [Sensed(i / RATE, pair, (SEEN, SEEN)) for i, pair in enumerate(both)]


def test_the_survey_counts_what_a_baseline_counts() -> None:
    values = rows(60), rows(60, seed=1)
    values[0][: round(20 * RATE), VALUE_INDEX["f0_hz"]] = np.nan  # A is silent first
    values[1][: round(30 * RATE), VALUE_INDEX["face_quality"]] = 0.1  # B's face is bad
    survey = Survey(RATE)
    for sensed in ticks(values):
        survey.push(sensed)
    seconds = survey.seconds
    assert seconds.cues.shape == (2, 60, len(FLOORS))
    np.testing.assert_allclose(seconds.voice[0], np.arange(60) >= 20)
    np.testing.assert_allclose(seconds.face[1], np.arange(60) >= 30)
    assert np.isnan(seconds.cues[1, :30, FAMILIES[2]]).all()
    assert np.isfinite(seconds.cues[0, 20:]).all()
    # The cue of a second is the median of its smoothed ticks: near what was put in.
    loud = values[1][round(40 * RATE) : round(60 * RATE), VALUE_INDEX["loudness_db"]]
    assert np.median(seconds.cues[1, 40:, 1]) == pytest.approx(np.median(loud), abs=0.7)


def test_excited_ticks_are_passed_over() -> None:
    values = rows(150), rows(150, seed=1)
    loud = slice(0, round(60 * RATE))
    for column, by in (("f0_hz", 1.4), ("loudness_db", 0.6), ("motion_energy", 4.0)):
        values[1][loud, VALUE_INDEX[column]] *= by
    survey = Survey(RATE)
    for sensed in ticks(values):
        survey.push(sensed)
    start = where(survey.seconds)
    assert overlap(start, 0, 60) <= WIDTH / 5
