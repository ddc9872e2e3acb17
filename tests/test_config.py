from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cuesense.config import Config, Grid
from cuesense.errors import CuesenseError, ParameterError


def test_defaults_survive_a_round_trip_through_toml(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(Config().to_toml(), encoding="utf-8")
    assert Config.load(path) == Config()


def test_a_value_is_put_over_its_default_and_changes_the_hash() -> None:
    config = Config.from_dict({"baseline": {"duration_s": 30}, "dyad": {"demand": 0.5}})
    assert config.baseline.duration_s == 30.0
    assert config.dyad == dataclasses.replace(Config().dyad, demand=0.5)
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
        ({"baseline": {"start_s": -1}}, ["baseline.start_s=-1.0", "must be >= 0"]),
        ({"baseline": {"start_s": float("nan")}}, ["baseline.start_s=nan", "finite"]),
        ({"faces": {"depth": 1.5}}, ["faces.depth=1.5", "whole number"]),
        ({"people": {"listener": "me"}}, ["people.listener='me'", "auto, left, right, A, B"]),
        ({"people": {"listener": 1}}, ["people.listener=1"]),
        ({"dyad": {"demand": [1]}}, ["dyad.demand=[1]", "number"]),
    ],
)
def test_a_wrong_tree_says_what_must_be(tree: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ParameterError) as caught:
        Config.from_dict(tree)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def tree_of(name: str, value: object) -> dict[str, object]:
    """Return the tree that holds `value` under a dotted name."""
    section, _, rest = name.partition(".")
    return {section: tree_of(rest, value) if rest else value}


POSITIVE = """
faces.sweep_s faces.search_s voice.pace_window_s people.motion_window_s people.gaze_radius_rad
body.nod_rad body.nod_low_hz body.nod_high_hz grid.max_age_s affect.z_limit synchrony.window_s
synchrony.step_s synchrony.min_duration_s dyad.smoothing_s
dyad.events_s dyad.coverage_s dyad.slope_s dyad.null_shift_s
dyad.null_rolls dyad.settle_bouts
""".split()
SHARES = """
faces.detection_score voice.voicing voice.voicing_off voice.speech turns.speech_on
turns.speech_off synchrony.max_missing dyad.min_coverage
""".split()
INNER_SHARES = ["faces.min_face"]


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        *((name, 0, "must be > 0") for name in POSITIVE),
        *((name, bad, "must be between 0 and 1") for name in SHARES for bad in (-0.1, 1.1)),
        *(
            (name, bad, "must be strictly between 0 and 1")
            for name in INNER_SHARES
            for bad in (0, 1)
        ),
        ("synchrony.surrogates", 198, "must be >= 199"),
        ("synchrony.lag_s", -1, "must be >= 0"),
        ("faces.workers", 3, "must be between 0 and 2"),
    ],
)
def test_a_number_that_no_stage_can_work_with(name: str, value: float, rule: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Config.from_dict(tree_of(name, value))
    words = str(caught.value)
    assert words.startswith(f"{name}=")
    assert words.endswith(rule)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [
        ("voice.f0_floor_hz", 770, "voice.f0_ceiling_hz=800"),
        ("body.nod_low_hz", 6.5, "body.nod_high_hz=6.5"),
        ("voice.voicing_off", 0.6, "voice.voicing=0.55"),
        ("turns.speech_off", 0.7, "turns.speech_on=0.6"),
        ("synchrony.band_face_s", 6, "synchrony.lag_s=5"),
        ("synchrony.window_s", 0.4, "dyad.rate_hz=5"),
        ("synchrony.step_s", 0.05, "dyad.rate_hz=5"),
        ("synchrony.min_duration_s", 35, "synchrony.lag_s = 35"),
        ("dyad.settle_from_s", 21, "dyad.settle_to_s=20"),
        ("grid.rate_hz", 12, "dyad.rate_hz=5"),
    ],
)
def test_a_number_that_does_not_go_with_another(name: str, value: float, other: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Config.from_dict(tree_of(name, value))
    assert str(caught.value).startswith(f"{name}={value} must be ")
    assert other in str(caught.value)


def test_the_dyads_rate_must_divide_the_grids() -> None:
    with pytest.raises(ParameterError, match=r"grid\.rate_hz=25 .* multiple of dyad\.rate_hz=4"):
        Config.from_dict({"dyad": {"rate_hz": 4}})
    both = Config.from_dict({"grid": {"rate_hz": 10}, "dyad": {"rate_hz": 2.5}})
    assert (both.grid.rate_hz, both.dyad.rate_hz) == (10.0, 2.5)


def test_values_set_in_code_are_checked_too() -> None:
    with pytest.raises(ParameterError, match=r"grid\.rate_hz=0"):
        dataclasses.replace(Config(), grid=Grid(rate_hz=0.0))


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
