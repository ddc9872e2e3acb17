"""Saved profiles: kept whole, for this user alone, in their folder and nowhere else."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cuesense import profiles
from cuesense.cues.voiceprint import COEFFICIENTS
from cuesense.errors import OutputError, ParameterError
from cuesense.profiles import Saved
from cuesense.state.affect import PersonAffect
from cuesense.state.profile import Profile
from cuesense.state.voices import VoiceProfile
from test_state_affect import rows
from test_state_profile import CONFIG, play


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of profiles, which is not there yet."""
    folder = tmp_path / "within" / "profiles"
    monkeypatch.setenv(profiles.FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture(scope="module")
def anna() -> Saved:
    stage = PersonAffect(CONFIG)
    play(stage, rows(60))
    cepstra = np.random.default_rng(0).normal(size=(100, COEFFICIENTS)).round(3)
    return Saved("anna", stage.profile, VoiceProfile(cepstra, 12.5), "2026-11-23T10:00:00", 45.0)


def test_what_is_loaded_is_what_was_saved(place: Path, anna: Saved) -> None:
    assert profiles.names() == []
    path = profiles.save(anna)
    assert profiles.names() == ["anna"]
    again = profiles.load("anna")
    assert (again.usual, again.made, again.learned_s) == (anna.usual, anna.made, anna.learned_s)
    assert again.voice is not None
    assert anna.voice is not None
    np.testing.assert_array_equal(again.voice.cepstra, anna.voice.cepstra)
    assert again.voice.seconds == 12.5
    assert [p.name for p in place.iterdir()] == [path.name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_nobody_else_may_read_a_profile(place: Path, anna: Saved) -> None:
    before = os.umask(0)
    try:
        path = profiles.save(anna)
        profiles.save(anna, replace=True)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_a_profile_is_replaced_only_if_told(place: Path, anna: Saved) -> None:
    path = profiles.save(anna)
    before = path.read_bytes()
    with pytest.raises(ParameterError, match=r"'anna' is there already; .*--replace-profile"):
        profiles.save(replace(anna, made="later"))
    assert path.read_bytes() == before
    profiles.save(replace(anna, made="later"), replace=True)
    assert profiles.load("anna").made == "later"


def test_too_short_a_voice_is_not_kept_and_a_stranger_not_at_all(place: Path, anna: Saved) -> None:
    short = VoiceProfile(np.ones((3, COEFFICIENTS)), 0.1)
    profiles.save(replace(anna, voice=short))
    assert profiles.load("anna").voice is None
    with pytest.raises(ParameterError, match="'ben' is not saved: too little"):
        profiles.save(Saved("ben", Profile(), anna.voice, anna.made, 45.0))
    assert profiles.names() == ["anna"]


def test_deleted_is_gone(place: Path, anna: Saved) -> None:
    path = profiles.save(anna)
    assert profiles.delete("anna") == path
    assert list(place.iterdir()) == []
    for ask in (profiles.load, profiles.delete):
        with pytest.raises(ParameterError, match="profile='anna' is not there"):
            ask("anna")


@pytest.mark.parametrize(
    "name",
    ["", "..", "../anna", "a/b", "a\\b", "/etc/passwd", "a.b", "a\0b", "~", "a b", "a:b", "x" * 41],
)
def test_a_name_cannot_leave_the_folder(place: Path, name: str) -> None:
    place.mkdir(parents=True)
    outside = place.parent / "profile-anna.json"
    outside.write_text("{}", encoding="utf-8")
    for ask in (profiles.load, profiles.delete, profiles.path):
        with pytest.raises(ParameterError, match="letters, digits"):
            ask(name)
    assert outside.exists()


@pytest.mark.parametrize("name", ["José", "李雷", "con", "anna_2-b"])
def test_other_names_will_do(place: Path, anna: Saved, name: str) -> None:
    profiles.save(replace(anna, name=name))
    assert profiles.load(name).usual == anna.usual
    assert len(profiles.names()) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: "", "damaged"),
        (lambda c: c[: len(c) // 2], "damaged"),
        (lambda c: "[]", "version None, this cuesense reads 1"),
        (lambda c: c.replace('"version": 1', '"version": 2'), "version 2"),
        (lambda c: json.dumps(json.loads(c) | {"usual": {}}), "damaged"),
        (lambda c: json.dumps(json.loads(c) | {"learned_s": None}), "damaged"),
        (lambda c: json.dumps(json.loads(c) | {"voice": {"cepstra": [[1.0]]}}), "damaged"),
        (lambda c: c.replace('"sd": ', '"sd": -'), "damaged"),
    ],
)
def test_a_damaged_profile_says_what_to_do(
    place: Path,
    anna: Saved,
    change: object,
    says: str,
) -> None:
    path = profiles.save(anna)
    assert callable(change)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ParameterError, match="profiles delete anna") as caught:
        profiles.load("anna")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    profiles.delete("anna")  # the remedy works


def test_a_profile_that_cannot_be_written_leaves_the_earlier_one(place: Path, anna: Saved) -> None:
    path = profiles.save(anna)
    before = path.read_bytes()
    path.unlink()
    path.mkdir()  # a file cannot take a folder's place
    with pytest.raises(OutputError, match="CUESENSE_PROFILES"):
        profiles.save(anna, replace=True)
    assert [p.name for p in place.iterdir()] == [path.name]
    path.rmdir()
    path.write_bytes(before)
    assert profiles.load("anna").usual == anna.usual


def test_whose_is_whose() -> None:
    assert profiles.of_people([("left", "anna"), ("B", "ben")]) == ("anna", "ben")
    assert profiles.of_people([("right", "ben")]) == (None, "ben")
    for pairs, says in (
        ([("left", "anna"), ("A", "ben")], "second profile for A"),
        ([("left", "anna"), ("right", "anna")], "given to both"),
        ([("middle", "anna")], "must begin with"),
        ([("left", "../anna")], "letters, digits"),
    ):
        with pytest.raises(ParameterError, match=says):
            profiles.of_people(pairs)
