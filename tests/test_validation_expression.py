"""The shipped head on three people's acted faces, over the baseline of their other neutral ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation.expression import CONTRASTS, Case, area, jaffe, odds

PEOPLE = ("KA", "KL", "KR")


@pytest.fixture(scope="module")
def cases(real_data: Path) -> list[Case]:
    return list(jaffe(real_data, PEOPLE))


@pytest.mark.real_data
@pytest.mark.parametrize(("pair", "least"), list(zip(CONTRASTS, (0.95, 0.94), strict=True)))
def test_classes_are_told_apart(cases: list[Case], pair: tuple[str, str], least: float) -> None:
    assert area(cases, odds(cases, pair), pair).value >= least


@pytest.mark.real_data
def test_valence_of_happy_faces_is_above_that_of_negative_ones(cases: list[Case]) -> None:
    valence = np.array([case.valence for case in cases])
    truth = np.array([case.truth for case in cases])
    assert np.median(valence[truth == "happy"]) > 3
    assert np.median(valence[truth == "negative"]) < -1
    assert abs(np.median(valence[truth == "neutral"])) < 0.75
