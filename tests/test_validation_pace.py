"""Pace on real recordings: the level that the validation page shows, with a margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from validation import pace

pytestmark = pytest.mark.real_data


def test_sentences_hold_about_as_many_nuclei_as_syllables(real_data: Path) -> None:
    spoken = pace.utterances(real_data, every=8, chosen=True)
    truth = np.array([u.truth for u in spoken], float)
    counted = np.array([u.counted for u in spoken], float)
    assert len(spoken) > 20
    assert pace.share_of_error(counted, truth) < 0.15
    assert pace.correlation(counted, truth) > 0.9


def test_one_phrase_said_fast_reads_faster_than_said_slowly(real_data: Path) -> None:
    fast, slow = (
        pace.heard(pace.blocks_of(real_data / f"pace/mfa_english_{tempo}.wav"))
        for tempo in ("fast", "slow")
    )
    assert sum(c.nucleus for c in fast) / len(fast) > sum(c.nucleus for c in slow) / len(slow)


@pytest.mark.parametrize("kind", ["", "white", "pink"])
def test_noise_holds_no_syllables(kind: str) -> None:
    assert not any(cue.nucleus for cue in pace.cues_of_sound(pace.nothing(kind)))
