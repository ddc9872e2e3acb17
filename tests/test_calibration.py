"""A baseline chosen from the whole of a recording, and profiles that are saved and used again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conftest import cut
from cuesense import Config, Session, analyze, calibration, open_source, profiles, schema
from cuesense.calibration import Stretch
from cuesense.config import Baseline
from cuesense.errors import ParameterError
from cuesense.folder import FILES
from cuesense.pipeline import Findings, appraise, sense, settle
from cuesense.session import keep
from cuesense.state.affect import AROUSAL, PersonAffect
from cuesense.state.ordinary import Survey
from cuesense.tape import Tape
from cuesense.types import Moment, Reason, Role, Sensed
from test_state_affect import rows
from test_state_ordinary import BASE, CONFIG, RATE, planted, ticks, usual

SHORT = Config(baseline=Baseline(duration_s=5.0, min_face_s=2.0, min_voice_s=0.3))
STATES = [schema.VALUE_INDEX[name] for name in ("arousal", "valence", "gaze_on_partner")]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of profiles."""
    monkeypatch.setenv(profiles.FOLDER_VARIABLE, str(tmp_path / "profiles"))
    return tmp_path / "profiles"


@pytest.fixture(scope="module")
def talk(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 12 s of the sample: both people speak."""
    return cut(sample, 12.0, tmp_path_factory.mktemp("talk") / "talk.mp4")


@pytest.fixture(scope="module")
def sensed(talk: Path) -> tuple[list[Sensed], Findings]:
    """What is sensed of it, and what was learned by that."""
    findings = Findings()
    with open_source(talk) as source:
        return list(sense(source, SHORT, findings)), findings


def states(moments: list[Moment]) -> np.ndarray:
    return np.array([[p.values[STATES] for p in m.people] for m in moments])


# ---- what is asked for ---------------------------------------------------------------------------


def test_what_can_be_wished_for() -> None:
    assert calibration.wish("auto", CONFIG) == "auto"
    assert calibration.wish("60:105", CONFIG) == (60.0, 105.0)
    assert calibration.wish((10, 40.5), CONFIG) == (10.0, 40.5)


@pytest.mark.parametrize(
    "baseline", ["", "best", "60", "60:", "105:60", "-5:60", "1:20:40", "nan:60", "0:inf", (1.0,)]
)
def test_what_cannot(baseline: str) -> None:
    with pytest.raises(ParameterError, match="must be auto or START:END in seconds, such as"):
        calibration.wish(baseline, CONFIG)


def test_too_short_or_too_late_a_stretch() -> None:
    for baseline in ("10:20", "10:700"):
        with pytest.raises(ParameterError, match=f"'{baseline}' must be 15 to 600 s long"):
            calibration.wish(baseline, CONFIG)
    with pytest.raises(ParameterError, match=r"'60:105' must end within .* 100 s long"):
        calibration.within((60.0, 105.0), 100.0)
    calibration.within((60.0, 105.0), 105.0)
    calibration.within((60.0, 105.0), float("nan"))  # not known yet
    calibration.within("auto", 5.0)


def test_the_most_ordinary_stretch_needs_no_note() -> None:
    seconds = planted(usual(200), 0, 0, 60, 3.0)
    stretch = calibration.choose("auto", seconds, 200.4, CONFIG)
    assert (stretch.how, stretch.notes) == ("auto", ())
    assert stretch.start_s >= 55
    assert stretch.end_s - stretch.start_s == BASE.duration_s


def test_a_far_calmer_stretch_is_named() -> None:
    seconds = planted(usual(400), 1, 100, 400, 5.0)
    seconds.cues[1, 100:, 2] *= -1  # spectral tilt falls with activation
    stretch = calibration.choose("auto", seconds, 400.0, CONFIG)
    assert stretch.start_s >= 90
    (note,) = stretch.notes
    named = calibration.wish(note.split("--baseline ")[1].split()[0], CONFIG)
    assert isinstance(named, tuple)
    assert named[1] <= 102


def test_whatever_is_not_as_it_was_asked_for_is_noted() -> None:
    seconds = usual(200)
    seconds.face[0, 100:] = 0.0
    given = calibration.choose((120.0, 165.0), seconds, 200.4, CONFIG)
    assert (given.start_s, given.end_s, given.how) == (120.0, 165.0, "given")
    assert "little of A's face (0 s)" in given.notes[0]

    whole = calibration.choose("auto", usual(30), 30.2, CONFIG)
    assert (whole.start_s, whole.end_s, whole.how) == (0.0, 30.2, "auto")
    assert "hardly longer than a baseline (45 s), or shorter: all of it is taken" in whole.notes[0]

    seconds.face[1, :130] = 0.0  # never both
    start = calibration.choose("auto", seconds, 200.4, CONFIG)
    assert (start.start_s, start.end_s, start.how) == (0.0, 45.0, "start")
    assert "no 45 s of the recording hold enough" in start.notes[0]
    assert "little of B's face (0 s)" in start.notes[1]


# ---- what is learned -----------------------------------------------------------------------------


def test_what_is_learned_from_a_stretch_is_what_its_baseline_gives() -> None:
    values = rows(120), rows(120, seed=1)
    stretch = Stretch(30.0, 75.0, "given")
    a, b = calibration.learn(ticks(values), CONFIG, stretch)
    there = Config(baseline=Baseline(start_s=30.0, duration_s=45.0))
    for person, learned in zip(values, (a, b), strict=True):
        stage = PersonAffect(there)
        for i, row in enumerate(person):
            stage.push(i / RATE, row.copy(), Reason.OK)
        assert stage.profile == learned
    assert a != b


@pytest.mark.parametrize("stretch", [Stretch(75.0, 120.0, "auto"), Stretch(0.0, 120.0, "auto")])
def test_a_stretch_may_end_with_the_recording(stretch: Stretch) -> None:
    values = rows(120), rows(120, seed=1)
    for profile in calibration.learn(ticks(values), CONFIG, stretch):
        assert profile.arousal.mean is not None
        assert profile.expression is not None
        assert len(profile.arousal.cues) == len(AROUSAL)
        assert len(profile.gaze) == 2


def test_a_very_short_recording_teaches_nothing() -> None:
    values = rows(2), rows(2, seed=1)
    for profile in calibration.learn(ticks(values), CONFIG, Stretch(0.0, 2.0, "auto")):
        assert profile.arousal.mean is None
        assert profile.expression is None


def test_who_is_too_seldom_there_stays_unknown() -> None:
    values = rows(120), rows(120, seed=1)
    values[1][round(10 * RATE) :] = np.nan
    a, b = calibration.learn(ticks(values), CONFIG, Stretch(0.0, 120.0, "auto"))
    assert a.expression is not None
    assert b.expression is None


# ---- a recording ---------------------------------------------------------------------------------


def test_states_from_the_first_second_and_the_same_with_saved_profiles(
    sensed: tuple[list[Sensed], Findings], tmp_path: Path
) -> None:
    ticks, learned = sensed
    findings = Findings(end_s=learned.end_s, voices=learned.voices)
    with Tape(tmp_path / "tape", tmp_path) as tape:
        moments = list(settle(ticks, tape, "auto", SHORT, findings))
    assert findings.stretch is not None
    assert (findings.stretch.how, findings.stretch.notes) == ("auto", ())
    assert np.isfinite(states(moments)[25:]).mean() > 0.95
    assert Role.UNDECIDED not in {p.role for m in moments for p in m.people}
    assert "in the recording" in findings.role_reason

    keep(findings, SHORT, ("anna", "ben"), replace=False)
    given = profiles.load_both(("anna", "ben"))
    for person, voice in zip(given, learned.voices or (), strict=True):
        assert person is not None
        assert person.learned_s == 5.0
        assert person.voice is None or person.voice.seconds == voice.seconds
    again = list(appraise(ticks, SHORT, Findings(given=given), profiles.known(given)[0]))
    np.testing.assert_array_equal(states(again), states(moments))


def test_a_stretch_beyond_the_end_is_refused(
    sensed: tuple[list[Sensed], Findings], tmp_path: Path
) -> None:
    ticks, learned = sensed
    findings = Findings(end_s=learned.end_s)
    with Tape(tmp_path / "tape", tmp_path) as tape, pytest.raises(ParameterError, match="12 s"):
        next(settle(ticks, tape, (60.0, 105.0), SHORT, findings))


def test_the_first_stretch_gives_the_baseline_of_a_single_pass(
    sensed: tuple[list[Sensed], Findings], tmp_path: Path
) -> None:
    ticks, learned = sensed
    once, twice = Findings(), Findings(end_s=learned.end_s)
    single = states(list(appraise(ticks, SHORT, once)))
    with Tape(tmp_path / "tape", tmp_path) as tape:
        double = states(list(settle(ticks, tape, (0.0, 5.0), SHORT, twice)))
    assert once.profiles == twice.profiles
    known = np.isfinite(single)
    assert known.any()
    np.testing.assert_array_equal(double[known], single[known])


def test_the_survey_of_a_recording_fits_it(sensed: tuple[list[Sensed], Findings]) -> None:
    survey = Survey(SHORT.grid.rate_hz)
    for tick in sensed[0]:
        survey.push(tick)
    seconds = survey.seconds
    assert seconds.cues.shape[1] in (11, 12)
    assert seconds.face.mean() > 0.9
    assert (seconds.voice.sum(axis=1) > 1.0).all()


def test_analyze_finds_shows_and_saves_a_baseline(clip: Path, tmp_path: Path, place: Path) -> None:
    session = analyze(
        clip,
        out=tmp_path / "out",
        config=SHORT,
        baseline="auto",
        save_profiles=[("left", "anna"), ("right", "ben")],
    )
    assert {p.name for p in session.path.iterdir()} <= set(FILES)  # the tape is gone
    for person in "AB":
        about = session.meta["baseline"][person]
        assert about["how"] == "auto"
        assert about["end_s"] == about["start_s"] + 5.0 <= 6.0
        assert about["complete"]
        assert session.meta["coverage"][person]["state"] > 0.95
    text = (session.path / "session.json").read_text(encoding="utf-8")
    assert "cepstra" not in text
    assert "most ordinary stretch of the recording" in session.report.read_text(encoding="utf-8")
    assert profiles.names() == ["anna", "ben"]

    again = analyze(
        clip,
        out=tmp_path / "again",
        config=SHORT,
        use_profiles=[("left", "anna"), ("B", "ben")],
    )
    for person in "AB":
        about = again.meta["baseline"][person]
        assert (about["how"], about["start_s"]) == ("profile", None)
        assert about["usual"] == session.meta["baseline"][person]["usual"]
        ours, theirs = (s.timeline.of(person, ["valence", "arousal"]) for s in (again, session))
        np.testing.assert_array_equal(ours["valence"], theirs["valence"])
        # Whose voice it is is known a little better now.
        both = np.isfinite(ours["arousal"]) & np.isfinite(theirs["arousal"])
        assert both.mean() > 0.95
        assert np.median(np.abs(ours["arousal"] - theirs["arousal"])[both]) < 0.1
    assert "the saved profile “anna”" in again.report.read_text(encoding="utf-8")


def test_what_cannot_be_saved_is_said_before_the_work_or_after_it(
    clip: Path, tmp_path: Path, place: Path
) -> None:
    place.mkdir()
    (place / "profile-anna.json").write_text(json.dumps({"version": 1}), encoding="utf-8")
    with pytest.raises(ParameterError, match="'anna' is there already"):
        analyze(clip, out=tmp_path / "out", save_profiles=[("left", "anna")])
    with pytest.raises(ParameterError, match="'anna' is damaged"):
        analyze(clip, out=tmp_path / "out", use_profiles=[("left", "anna")])
    assert not (tmp_path / "out").exists()
    # 6 s with a baseline of 45 s: nothing is learned, but the analysis is there.
    with pytest.raises(ParameterError, match="'ben' is not saved: too little"):
        analyze(clip, out=tmp_path / "out", save_profiles=[("left", "ben")])
    assert Session(tmp_path / "out").meta["baseline"]["A"]["how"] == "start"
    assert profiles.names() == ["anna"]
