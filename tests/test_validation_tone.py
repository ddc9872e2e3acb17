"""Volume and tone on real recordings: the level that the validation page shows, with a margin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def tone() -> ModuleType:
    pytest.importorskip("parselmouth", reason="a peer that only the benchmarks install")
    pytest.importorskip("opensmile", reason="a peer that only the benchmarks install")
    from validation import tone

    return tone


def test_voice_quality_goes_with_the_peers(real_data: Path, tone: ModuleType) -> None:
    corpora, _, by_name = tone.utterances(real_data, every=4)
    assert len(corpora) > 25
    for ours, theirs, least in (
        ("hnr", "hnr praat", 0.85),
        ("cpp", "cpp praat", 0.93),
        ("tilt", "tilt smile", 0.92),
    ):
        r = abs(np.corrcoef(by_name[ours], by_name[theirs])[0, 1])
        assert r > least, (ours, r)


def test_gain_control_is_noticed_and_a_fixed_gain_is_not_taken_for_it(
    real_data: Path, tone: ModuleType
) -> None:
    found = tone.gain_sessions(real_data, actors=1)
    for kind, cases in found.items():
        if kind.startswith("no gain control"):
            assert not any(finding for _, finding in cases), kind
        else:
            assert all(finding for _, finding in cases), kind
