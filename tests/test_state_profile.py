"""A person's usual: learned in a baseline, kept as plain numbers, used again from the start."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.errors import ParameterError
from cuesense.schema import VALUE_INDEX
from cuesense.state.affect import PersonAffect
from cuesense.state.profile import Profile
from cuesense.types import F64, Reason
from test_state_affect import rows

CONFIG = Config()
STATES = [VALUE_INDEX[name] for name in ("arousal", "valence", "gaze_on_partner")]


def play(stage: PersonAffect, values: F64) -> F64:
    for i, row in enumerate(values):
        stage.push(i / CONFIG.grid.rate_hz, row, Reason.OK)
    return values[:, STATES]


@pytest.fixture(scope="module")
def learned() -> Profile:
    stage = PersonAffect(CONFIG)
    play(stage, rows(60))
    assert stage.calibrated
    return stage.profile


def test_a_known_person_needs_no_baseline(learned: Profile) -> None:
    stage = PersonAffect(CONFIG, learned)
    assert stage.calibrated
    assert stage.missing == ()
    later = rows(20, seed=1)
    states = play(stage, later)
    assert np.isfinite(states[1:]).all()
    assert stage.profile == learned  # what is known is not learned anew


def test_a_profile_survives_being_kept(learned: Profile) -> None:
    kept = json.loads(json.dumps(learned.to_dict(), allow_nan=False))
    assert Profile.from_dict(kept) == learned


def test_a_profile_from_before_a_cue_was_added_still_serves(learned: Profile) -> None:
    kept = learned.to_dict()
    del kept["arousal"]["cues"]["hnr_db"]
    stage = PersonAffect(CONFIG, Profile.from_dict(kept))
    assert stage.calibrated
    states = play(stage, rows(60, seed=3))
    assert np.isfinite(states[1:]).all()
    assert set(stage.profile.arousal.cues) == set(learned.arousal.cues)


def test_what_a_profile_lacks_is_learned_in_the_baseline(learned: Profile) -> None:
    silent = Profile(expression=learned.expression, gaze=learned.gaze)
    stage = PersonAffect(CONFIG, silent)
    assert not stage.calibrated
    states = play(stage, rows(60, seed=2))
    start = round(CONFIG.baseline.duration_s * CONFIG.grid.rate_hz)
    assert np.isnan(states[:start, 0]).all()
    assert np.isfinite(states[1:, 1]).all()
    assert np.isfinite(states[start + 50 :, 0]).all()


@pytest.mark.parametrize("damage", [{}, {"arousal": None}, None, [1]])
def test_a_damaged_profile_is_refused(damage: object) -> None:
    with pytest.raises(ParameterError, match="delete it and save it anew"):
        Profile.from_dict(damage)


def test_a_zero_must_have_a_spread(learned: Profile) -> None:
    kept = learned.to_dict()
    kept["arousal"]["mean"]["sd"] = 0.0
    with pytest.raises(ParameterError, match="SD above 0"):
        Profile.from_dict(kept)
