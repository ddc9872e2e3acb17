"""Closed eyes on photographs of people, as `benchmarks/validation/eyes.py` measures them."""

from __future__ import annotations

from pathlib import Path

import pytest

from validation.eyes import OPEN, closed, yale


@pytest.mark.real_data
def test_closed_eyes_are_told_from_open_ones(real_data: Path) -> None:
    faces = yale(real_data)
    assert closed(faces, ("normal",)).value >= 0.97
    assert closed(faces, OPEN).value >= 0.96
