"""States against cues with known shifts; people who come late are calibrated late."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.schema import MEASURES, VALUE_INDEX, VALUES
from cuesense.state.affect import AROUSAL, PersonAffect
from cuesense.types import F64, Reason

CONFIG = Config()
RATE = CONFIG.grid.rate_hz


def rows(seconds: float, seed: int = 0) -> F64:
    """Rows of a calm person: every cue a slow fluctuation around its usual value."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE)
    values = np.full((n, len(VALUES)), np.nan)
    values[:, VALUE_INDEX["face_quality"]] = 1.0
    usual = {
        "f0_hz": 120.0,
        "loudness_db": -25.0,
        "spectral_tilt_db": 12.0,
        "hnr_db": 12.0,
        "motion_energy": 0.02,
    }
    for cue in AROUSAL:
        slow = np.convolve(rng.normal(size=n + 50), np.ones(51) / np.sqrt(51), "valid")
        middle = usual.get(cue.column, 0.3)
        values[:, VALUE_INDEX[cue.column]] = middle * np.exp(0.1 * slow)
    white = rng.normal(size=(n + 50, len(MEASURES)))
    slow = np.apply_along_axis(np.convolve, 0, white, np.ones(51) / np.sqrt(51), "valid")
    values[:, [VALUE_INDEX[f"shape_{name}"] for name in MEASURES]] = 0.01 * slow
    for turn in ("pitch", "yaw", "roll"):
        values[:, VALUE_INDEX[f"head_{turn}_rad"]] = 0.0
    values[:, VALUE_INDEX["gaze_yaw_rad"]] = rng.normal(0.1, 0.02, n)
    values[:, VALUE_INDEX["gaze_pitch_rad"]] = rng.normal(-0.1, 0.02, n)
    return values


def play(values: F64, reason: Reason = Reason.OK) -> tuple[F64, list[tuple[Reason, Reason]]]:
    stage = PersonAffect(CONFIG)
    why = [stage.push(i / RATE, row, reason) for i, row in enumerate(values)]
    return values, why


def column(values: F64, name: str) -> F64:
    return values[:, VALUE_INDEX[name]]


def test_uncalibrated_until_the_baseline_is_complete() -> None:
    values, why = play(rows(60))
    start = round(CONFIG.baseline.duration_s * RATE)
    assert np.isnan(column(values, "arousal")[:start]).all()
    assert {w[0] for w in why[50:start]} == {Reason.UNCALIBRATED}
    for state in ("arousal", "valence"):
        assert np.isfinite(column(values, state)[start + 50 :]).all()


def test_a_calm_person_stays_near_0_with_a_spread_near_1() -> None:
    # A baseline of 45 s is about 15 independent values: each person's zero is off by some tenths.
    played = [play(rows(150, seed))[0] for seed in range(5)]
    after = [column(values, "arousal")[1200:] for values in played]
    assert abs(np.mean([np.median(a) for a in after])) < 0.6
    assert 0.7 < np.mean([a.std() for a in after]) < 1.6
    face = [column(values, "valence")[1200:] for values in played]
    assert abs(np.mean([np.median(a) for a in face])) < 0.6
    assert np.mean([a.std() for a in face]) < 1.6


def test_more_of_everything_is_arousal_and_a_smile_is_valence() -> None:
    values = rows(120)
    late = slice(round(80 * RATE), None)
    for cue in AROUSAL:
        less = cue.weight < 0 or cue.column == "loudness_db"  # whose numbers are below 0
        values[late, VALUE_INDEX[cue.column]] *= 0.8 if less else 1.25
    smile = {"lip_corners": 0.06, "mouth_width": 0.1, "cheeks": 0.03, "lip_corners_depth": -0.06}
    for name, by in smile.items():
        values[late, VALUE_INDEX[f"shape_{name}"]] += by
    values, _ = play(values)
    assert np.mean(column(values, "arousal")[round(90 * RATE) :]) > 1.5
    assert np.mean(column(values, "valence")[round(90 * RATE) :]) > 1.5


@pytest.mark.parametrize(
    ("column_name", "activated"),
    [("f0_hz", 1.25), ("loudness_db", 0.6), ("spectral_tilt_db", 0.7), ("hnr_db", 0.7)],
)
def test_each_cue_of_an_activated_voice_is_arousal(column_name: str, activated: float) -> None:
    values = rows(120)
    values[round(80 * RATE) :, VALUE_INDEX[column_name]] *= activated
    values, _ = play(values)
    late = column(values, "arousal")[round(90 * RATE) :]
    assert late.mean() > column(values, "arousal")[round(50 * RATE) : round(80 * RATE)].mean() + 0.5


def test_level_counts_less_than_another_cue() -> None:
    rise = []
    for name in ("loudness_db", "spectral_tilt_db"):
        cue = next(c for c in AROUSAL if c.column == name)
        values = rows(120)
        values[:, VALUE_INDEX[name]] = 0.0  # so steady that the floor is its SD
        values[round(80 * RATE) :, VALUE_INDEX[name]] = 4 * cue.floor * np.sign(cue.weight)
        arousal = column(play(values)[0], "arousal")
        early, late = slice(round(50 * RATE), round(80 * RATE)), slice(round(90 * RATE), None)
        rise.append(arousal[late].mean() - arousal[early].mean())
    assert 0.5 < rise[0] / rise[1] < 0.95


def test_somebody_who_comes_after_the_baseline_is_calibrated_later() -> None:
    values = rows(140)
    values[: round(60 * RATE)] = np.nan
    values, why = play(values)
    known = np.isfinite(column(values, "arousal"))
    first = int(np.argmax(known)) / RATE
    assert 62.9 <= first < 60 + CONFIG.baseline.min_face_s + 5
    assert known[round((first + 1) * RATE) :].all()
    assert why[-1] == (Reason.OK, Reason.OK)


def test_level_alone_is_no_arousal() -> None:
    values = rows(100)
    for cue in AROUSAL:
        if cue.column != "loudness_db":
            values[round(60 * RATE) :, VALUE_INDEX[cue.column]] = np.nan
    values, _ = play(values)
    assert np.isnan(column(values, "arousal")[round(63 * RATE) :]).all()


def test_a_face_that_may_be_somebody_elses_counts_for_nothing() -> None:
    values, why = play(rows(60), Reason.REASSOCIATED)
    assert np.isnan(column(values, "valence")).all()
    assert np.isnan(column(values, "gaze_on_partner")).all()
    assert why[-1][1] is Reason.REASSOCIATED


def test_fewer_cues_are_less_certain() -> None:
    values = rows(100)
    late = slice(round(70 * RATE), None)
    for name in ("f0_hz", "loudness_db", "spectral_tilt_db", "hnr_db"):
        values[late, VALUE_INDEX[name]] = np.nan
    values, _ = play(values)
    error = column(values, "arousal_sd")
    assert error[-1] > 1.05 * error[round(60 * RATE)] > 0


def test_a_bad_picture_is_less_certain_and_a_worse_one_counts_for_nothing() -> None:
    values = rows(100)
    values[round(70 * RATE) :, VALUE_INDEX["face_quality"]] = 0.5
    values[round(90 * RATE) :, VALUE_INDEX["face_quality"]] = 0.1
    values, why = play(values)
    error = column(values, "valence_sd")
    assert error[round(80 * RATE)] > error[round(60 * RATE)] + 0.5
    assert np.isnan(error[-1])
    assert why[-1][1] is Reason.BLURRED


def test_gaze_rests_near_its_usual_target_or_not() -> None:
    values = rows(100)
    values[round(70 * RATE) : round(72 * RATE), VALUE_INDEX["gaze_yaw_rad"]] += 0.6
    values, _ = play(values)
    on = column(values, "gaze_on_partner")
    assert np.isnan(on[: round(44 * RATE)]).all()
    assert (on[round(70 * RATE) : round(72 * RATE)] == 0).all()
    assert on[round(73 * RATE) :].mean() > 0.95


def test_the_lens_is_told_from_the_partner() -> None:
    values = rows(100)
    values[:, VALUE_INDEX["gaze_yaw_rad"]] += 0.5
    lens, away = slice(round(70 * RATE), round(72 * RATE)), slice(round(80 * RATE), None)
    values[lens, VALUE_INDEX["gaze_yaw_rad"]] = 0.05
    values[away, VALUE_INDEX["gaze_yaw_rad"]] = -0.7
    values, _ = play(values)
    partner, camera = (column(values, f"gaze_on_{target}") for target in ("partner", "camera"))
    before = slice(round(60 * RATE), round(69 * RATE))
    assert partner[before].mean() > 0.95
    assert camera[before].max() == 0
    assert (camera[lens] == 1).all()
    assert (partner[lens] == 0).all()
    assert partner[away].max() == camera[away].max() == 0
