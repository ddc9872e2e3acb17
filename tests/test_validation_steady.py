"""Valence of disturbed pictures of two people, as `benchmarks/validation/steady.py` has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation.steady import Shift, disturbed, sentences, talk, yale


@pytest.fixture(scope="module")
def shifts(real_data: Path) -> list[Shift]:
    return list(disturbed(yale(real_data, ("Y01", "Y02"))))


@pytest.mark.real_data
def test_a_dark_face_is_missing_rather_than_misread(shifts: list[Shift]) -> None:
    dark = [s for s in shifts if s.change.startswith("25 % of the light")]
    assert np.mean([np.isnan(s.after) for s in dark]) >= 0.5


@pytest.mark.real_data
def test_neutral_talk_is_no_expression(real_data: Path) -> None:
    talks = list(talk(sentences(real_data)))
    assert np.median([abs(one.shift) for one in talks]) <= 0.45
    assert min(one.neutral for one in talks) >= 0.85


@pytest.mark.real_data
def test_a_disturbance_stays_within_the_stated_error(shifts: list[Shift]) -> None:
    read = [s for s in shifts if np.isfinite(s.after)]
    within = [s.size <= 2 * s.sd_after for s in read]
    assert len(read) >= 50
    assert np.mean(within) >= 0.8
