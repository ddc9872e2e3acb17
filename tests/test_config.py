from __future__ import annotations

from pathlib import Path

import pytest

from cuesense.config import Config
from cuesense.errors import CuesenseError, ParameterError


def test_defaults_survive_a_round_trip_through_toml(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(Config().to_toml(), encoding="utf-8")
    assert Config.load(path) == Config()


def test_a_value_is_put_over_its_default_and_changes_the_hash() -> None:
    config = Config.from_dict(
        {"baseline": {"duration_s": 30}, "dyad": {"mirroring": {"gain_arousal": [0.9, 0.1]}}}
    )
    assert config.baseline.duration_s == 30.0
    assert config.dyad.mirroring.gain_arousal == (0.9, 0.1)
    assert config.dyad.regulating == Config().dyad.regulating
    assert config.hash != Config().hash


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"base": {}}, ["unknown config key 'base'", "baseline"]),
        ({"baseline": {"seconds": 3}}, ["unknown config key 'baseline.seconds'", "duration_s"]),
        ({"baseline": 3}, ["baseline=3 must be a table"]),
        ({"baseline": {"duration_s": "long"}}, ["baseline.duration_s='long'", "number"]),
        ({"baseline": {"duration_s": 1}}, ["baseline.duration_s=1.0", "between 5 and 600"]),
        ({"baseline": {"duration_s": True}}, ["baseline.duration_s=True"]),
        ({"baseline": {"start_s": -1}}, ["baseline.start_s=-1.0", "between 0 and inf"]),
        ({"baseline": {"start_s": float("nan")}}, ["baseline.start_s=nan", "finite"]),
        ({"faces": {"depth": 1.5}}, ["faces.depth=1.5", "whole number"]),
        ({"people": {"listener": "me"}}, ["people.listener='me'", "auto, left, right, A, B"]),
        ({"people": {"listener": 1}}, ["people.listener=1"]),
        ({"dyad": {"mirroring": {"gaze": [1]}}}, ["dyad.mirroring.gaze=[1]", "number"]),
        ({"dyad": {"mirroring": {"gain_arousal": [1]}}}, ["list of 2 numbers"]),
    ],
)
def test_a_wrong_tree_says_what_must_be(tree: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        Config.from_dict(tree)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("content", ["[baseline\n", b"\xff\xfe\x00"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ParameterError, match="not valid TOML"):
        Config.load(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        Config.load(tmp_path / "none.toml")


def test_errors_are_both_ours_and_the_builtin() -> None:
    assert issubclass(ParameterError, CuesenseError)
    assert issubclass(ParameterError, ValueError)
