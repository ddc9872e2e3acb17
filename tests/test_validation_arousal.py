"""Vocal arousal of two speakers' acted sentences, as `benchmarks/validation/arousal.py` has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation.arousal import corpus, of_auc, scored

PEOPLE = ("03", "08")


@pytest.mark.real_data
def test_activated_voices_stand_above_calm_ones(real_data: Path, tmp_path: Path) -> None:
    clips = [clip for clip in corpus(real_data, "emodb") if clip.speaker in PEOPLE]
    found = scored(clips, tmp_path)
    assert np.isfinite(found.score).all()
    assert of_auc(found).value >= 0.9
