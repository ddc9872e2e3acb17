"""The bundled sample: what comes out is what was scripted, and a wrong partner is worse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cuesense import Session, schema
from cuesense.config import Dyad
from cuesense.dyad.null import roll_partner, select
from cuesense.state.profile import Profile
from cuesense.summary import features_of
from cuesense.types import F64
from labels import LEAST_SHIFT_S, score, scripted, stance


@pytest.fixture(scope="module")
def truth(sample: Path) -> pd.DataFrame:
    return pd.read_csv(sample.with_name("dyad.truth.csv"))


@pytest.fixture(scope="module")
def script(sample: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(sample.with_name("dyad.truth.json").read_text("utf-8"))
    return loaded


def paired(
    session: Session, truth: pd.DataFrame, person: str, column: str, scripted_as: str = ""
) -> tuple[F64, F64]:
    """Return what was read and what was scripted, at the ticks where something was read."""
    read = session.timeline.of(person, ["t", column])
    played = np.interp(read["t"], truth["t"], truth[f"{person.lower()}_{scripted_as or column}"])
    there = np.isfinite(read[column]) & np.isfinite(played)
    return read[column][there], played[there]


def test_both_people_are_there_all_the_time(sample_session: Session) -> None:
    for person in "AB":
        assert sample_session.meta["coverage"][person]["face"] >= 0.99
    a = sample_session.timeline.of("A", ["box_x"])["box_x"]
    b = sample_session.timeline.of("B", ["box_x"])["box_x"]
    assert np.nanmax(a) < np.nanmin(b)


def test_the_listener_is_found_and_the_reason_is_given(sample_session: Session) -> None:
    assert sample_session.meta["people"]["B"]["role"] == "listener"
    assert "B did" in sample_session.meta["role_reason"]


@pytest.mark.parametrize("person", ["A", "B"])
@pytest.mark.parametrize(
    ("column", "least_r", "slope"),
    [
        ("head_yaw_rad", 0.9, (0.6, 1.4)),
        ("head_pitch_rad", 0.75, (0.5, 1.5)),
        ("head_roll_rad", 0.9, (0.7, 1.3)),
        ("gaze_yaw_rad", 0.7, (0.5, 1.8)),
        ("mouthSmileLeft", 0.7, None),
        ("f0_hz", 0.85, (0.8, 1.2)),
    ],
)
def test_what_was_scripted_is_read(
    sample_session: Session,
    truth: pd.DataFrame,
    person: str,
    column: str,
    least_r: float,
    slope: tuple[float, float] | None,
) -> None:
    scripted_as = "smile" if column.startswith("mouthSmile") else column
    read, played = paired(sample_session, truth, person, column, scripted_as)
    assert np.corrcoef(read, played)[0, 1] >= least_r
    if slope is not None:
        assert slope[0] <= np.polyfit(played, read, 1)[0] <= slope[1]


@pytest.mark.parametrize("person", ["A", "B"])
@pytest.mark.parametrize(("state", "least_r"), [("arousal", 0.6), ("valence", 0.8)])
def test_states_follow_the_script_over_5_s(
    sample_session: Session, truth: pd.DataFrame, person: str, state: str, least_r: float
) -> None:
    read, played = paired(sample_session, truth, person, state)
    whole = len(read) // 125 * 125
    means = [x[:whole].reshape(-1, 125).mean(axis=1) for x in (read, played)]
    assert np.corrcoef(means)[0, 1] >= least_r


def test_states_are_in_units_of_the_persons_own_baseline(
    sample_session: Session, truth: pd.DataFrame, script: dict[str, Any]
) -> None:
    """In each bout the partner's states come out near the scripted SDs, with their sign."""
    for state in ("arousal", "valence"):
        read = sample_session.timeline.of("A", ["t", state])
        for bout in script["segments"]:
            if bout["mode"] not in schema.MODES:
                continue
            inside = (read["t"] >= bout["start"] + 4) & (read["t"] < bout["end"])
            played = truth["t"].between(bout["start"] + 4, bout["end"])
            ratio = np.nanmean(read[state][inside]) / truth.loc[played, f"a_{state}"].mean()
            assert 0.4 <= ratio <= 2.5, (state, bout)


@pytest.mark.parametrize("person", ["A", "B"])
def test_speech_is_given_to_who_speaks(
    sample_session: Session, truth: pd.DataFrame, person: str
) -> None:
    speaking, played = paired(sample_session, truth, person, "speaking")
    assert ((speaking > 0.5) == (played > 0.5)).mean() >= 0.95


@pytest.mark.parametrize("person", ["A", "B"])
def test_blinks_and_nods_are_found(
    sample_session: Session, script: dict[str, Any], person: str
) -> None:
    events = sample_session.events.to_pandas()
    for kind, least in (("blink", 0.75), ("nod", 0.5)):
        mine = events[(events["person"] == person) & (events["kind"] == kind)]["t"].to_numpy()
        played = np.array(script["people"][person][f"{kind}s"])
        assert np.mean([np.abs(mine - t).min() < 0.6 for t in played]) >= least, kind
        # Speech and sway also move heads: some nods more, but no detector that always fires.
        assert len(mine) <= 2 * len(played) + 8, kind


def test_bouts_are_labelled_as_scripted_and_a_wrong_partner_is_worse(
    sample_session: Session, sample: Path
) -> None:
    state = sample_session.state.to_arrow()
    features = features_of(state)
    mode = scripted(sample.with_name("dyad.truth.json"), features.t)
    label = state.column("label").to_pylist()
    true = score(np.array([schema.STANCES.get(name, "") for name in label], dtype=object), mode)
    assert true["given"] >= 0.5
    assert true["right"] >= 0.8
    for name in schema.MODES:
        assert true[f"right_{name}"] >= 0.6, name

    config = Dyad()
    calibrated = np.flatnonzero(features.calibrated)
    rows = slice(int(calibrated[0]), int(calibrated[-1]) + 1)
    features, mode = select(features, rows), mode[rows]
    least = round(LEAST_SHIFT_S * config.rate_hz)
    wrong = [
        score(stance(roll_partner(features, int(k)), config), mode)["right"]
        for k in np.linspace(least, len(mode) - least, 20)
    ]
    assert np.nanmedian(wrong) <= true["right"] - 0.2


def test_an_answer_is_claimed_only_where_it_is_shown(sample_session: Session) -> None:
    """A manner is named before it is shown whom it answers, and that it waits is said."""
    state = sample_session.state.to_pandas()
    shown = state["label"].isin(["mirroring", "regulating", schema.RESPONDING])
    least = Dyad().min_contingency
    assert (state.loc[shown, "contingency"] >= least).all()
    manner = state["label"].isin([schema.CALM, schema.MOVED])
    assert manner.any()
    assert (state.loc[manner, "contingency"] < least).all()
    assert set(state.loc[manner, "reason"]) == {"contingency under 60 %"}
    assert (state.loc[manner | shown, "rival"] != "").all()


def test_a_few_sentences_are_said_after_the_baseline_each_in_the_mode_it_is_for(
    sample_session: Session,
) -> None:
    events = sample_session.events.to_pandas()
    said = events[events["kind"] == "advice"]
    assert 2 <= len(said) <= 6, "mostly nothing is said"
    assert said["t"].min() > sample_session.meta["baseline"]["B"]["end_s"]
    assert np.diff(said["t"]).min() >= 20.0
    assert set(said["person"]) == {"B"}
    state = sample_session.state.to_pandas(["t", "label"])
    at = np.searchsorted(state["t"], said["t"] + 1e-6) - 1
    assert set(state["label"].to_numpy()[at]) <= {*schema.STANCES, schema.RESPONDING}


def test_what_is_usual_for_each_is_kept(sample_session: Session) -> None:
    usual = [Profile.from_dict(sample_session.meta["baseline"][person]["usual"]) for person in "AB"]
    for profile in usual:
        assert profile.expression is not None
        assert set(profile.gaze) == {"gaze_yaw_rad", "gaze_pitch_rad"}
    assert usual[0].arousal.cues["f0_hz"] != usual[1].arousal.cues["f0_hz"]
