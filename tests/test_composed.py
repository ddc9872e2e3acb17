"""Composed dyads: what is composed is what the pipeline senses, pixels and samples included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import actors
import composed
import composing
from cuesense import open_source
from cuesense.config import Config
from cuesense.cues import geometry
from cuesense.pipeline import Findings, sense
from cuesense.schema import VALUE_INDEX
from cuesense.types import F64, Sensed


@pytest.fixture(scope="module")
def conversation(
    real_data: Path, face_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[composing.Play, list[Sensed]]:
    """A short composition: a chat, then one bout of a listener who is turned away or nods."""
    folder = tmp_path_factory.mktemp("composed")
    faces = (composed.face("KA"), composed.face("KL"))
    voices = tuple(actors.voice(real_data, *composed.VOICES[name]) for name in ("KA", "KL"))
    partner, listener = voices[0]["angry"][0], voices[1]["baseline neutral"][0]
    chat = composing.Beat(0.0, "baseline neutral", voices[0]["baseline neutral"][0])
    play = composing.Play(
        (
            [chat, composing.Beat(3.0, "baseline rest"), composing.Beat(6.0, "angry", partner)],
            [
                composing.Beat(0.0, "baseline rest"),
                composing.Beat(3.0, "baseline neutral", listener),
                composing.Beat(6.0, "rest"),
                composing.Beat(9.0, "rest", away=True),
            ],
        ),
        [6.5],
        [(6.0, 9.0, "regulating", "angry"), (9.0, 12.0, "disengaged", "angry")],
        12.0,
    )
    paths = composing.stage(folder, play, faces, np.random.default_rng(1))
    with open_source(*paths, offset_s=0.0) as source:
        return play, list(sense(source, Config(), Findings()))


def series(ticks: list[Sensed], seat: int, column: str) -> F64:
    """Return a person's column (n,)."""
    return np.array([s.values[seat][VALUE_INDEX[column]] for s in ticks])


@pytest.mark.real_data
def test_both_are_seen_and_each_voice_is_its_own_persons(
    conversation: tuple[composing.Play, list[Sensed]],
) -> None:
    play, ticks = conversation
    t = np.array([s.t for s in ticks])
    for seat, beats in enumerate(play.beats):
        assert np.isfinite(series(ticks, seat, "box_x")).mean() > 0.98
        speaking = series(ticks, seat, "speaking") > 0.5
        spans = [(b.t, b.t + len(b.sound) / actors.RATE) for b in beats if b.sound is not None]
        said = np.any([(t >= a) & (t < b) for a, b in spans], axis=0)
        # A still's mouth moves little: its first words may be taken for a voice off the picture.
        assert speaking[said].mean() > 0.4
        assert speaking[~said].mean() < 0.15


@pytest.mark.real_data
def test_a_nod_is_sensed_where_it_was_composed(
    conversation: tuple[composing.Play, list[Sensed]],
) -> None:
    _, ticks = conversation
    nods = [e for s in ticks for e in s.events if e.person == "B" and e.kind == "nod"]
    assert any(6.3 < e.t < 7.2 for e in nods)


@pytest.mark.real_data
def test_who_turns_away_is_sensed_as_turned(
    conversation: tuple[composing.Play, list[Sensed]],
) -> None:
    _, ticks = conversation
    t, yaw = np.array([s.t for s in ticks]), series(ticks, 1, "head_yaw_rad")
    assert np.nanmedian(yaw[t > 10]) - np.nanmedian(yaw[t < 9]) > 0.28


@pytest.mark.real_data
@pytest.mark.parametrize(("yaw", "pitch"), [(0.4, 0.0), (0.0, 0.2), (-0.3, -0.2)])
def test_turned_landmarks_have_the_pose_that_was_asked_for(
    real_data: Path, face_model: Path, yaw: float, pitch: float
) -> None:
    mesh = composed.face("KA").mesh[0]
    before, after = (geometry.pose(m, 1.0) for m in (mesh, actors.turned(mesh, yaw, pitch)))
    assert after[1] - before[1] == pytest.approx(yaw, abs=0.06)
    assert after[0] - before[0] == pytest.approx(pitch, abs=0.06)


@pytest.mark.real_data
def test_no_picture_of_the_baseline_is_shown_again(real_data: Path, face_model: Path) -> None:
    for name in ("KA", "M030"):
        runs = composed.face(name).runs
        early = {int(i) for key, some in runs.items() if "baseline" in key for r in some for i in r}
        late = {
            int(i) for key, some in runs.items() if "baseline" not in key for r in some for i in r
        }
        assert early
        assert not early & late


def test_no_face_and_no_voice_is_in_both_halves() -> None:
    people = {half: {n for pair in pairs for n in pair} for half, pairs in composed.HALVES.items()}
    assert not people["development"] & people["report"]
    voices = {half: {composed.VOICES[n] for n in some} for half, some in people.items()}
    assert not voices["development"] & voices["report"]


def test_score_counts_what_is_shown_and_what_is_right() -> None:
    def say(mode: str, label: str) -> composed.Told:
        short = {"m": "mirroring", "r": "regulating", "d": "disengaged", "-": "", "n": "no demand"}
        modes, labels = (np.array([short[c] for c in s], dtype=object) for s in (mode, label))
        return composed.Told(modes, labels, modes, 0.5)

    got = composed.score([say("--mmmmrrdd", "mnmmrnrnrd")], [say("--mmmmrrdd", "mnnnnnnnnn")])
    assert list(got.values()) == pytest.approx([4 / 6, 6 / 8, 4 / 6, 1 / 8, 6 / 10, 1 / 10])
