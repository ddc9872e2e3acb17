"""The measures against faces whose points were moved by known amounts."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.cues.measures import measures
from cuesense.schema import MEASURES
from cuesense.types import F64


@pytest.fixture
def face() -> F64:
    return np.random.default_rng(0).normal(size=(468, 3))


def changed(face: F64, points: tuple[int, ...], axis: int, by: float) -> dict[str, float]:
    moved = face.copy()
    moved[list(points), axis] += by
    change = measures(moved) - measures(face)
    return {n: d for n, d in zip(MEASURES, change, strict=True) if abs(d) > 1e-12}


@pytest.mark.parametrize(
    ("points", "axis", "change"),
    [
        ((61, 291), 1, {"lip_corners": 0.1}),
        ((291,), 0, {"mouth_width": 0.1, "mouth_shift": 0.05}),
        ((61,), 0, {"mouth_width": -0.1, "mouth_shift": 0.05}),
        ((291,), 1, {"lip_corners": 0.05, "mouth_tilt": 0.1}),
        ((159, 386, 158, 385), 1, {"upper_lids": 0.1}),
        ((285,), 0, {"brow_gap": 0.1}),
        ((13,), 1, {"upper_lip_red": -0.1, "lips_apart": 0.1}),
        ((33, 263), 1, {}),  # the outer corners of the eyes, which sink when the eyes close
    ],
)
def test_a_point_that_moves_changes_its_measures_alone(
    face: F64, points: tuple[int, ...], axis: int, change: dict[str, float]
) -> None:
    assert changed(face, points, axis, 0.1) == pytest.approx(change)


def test_where_the_face_is_changes_nothing(face: F64) -> None:
    assert measures(face + np.array([0.3, -0.2, 0.1])) == pytest.approx(measures(face))


def test_without_a_face_there_are_none() -> None:
    assert np.isnan(measures(np.full((468, 3), np.nan))).all()
