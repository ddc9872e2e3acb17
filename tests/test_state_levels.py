"""Which channel is whose: scripted levels of two channels."""

from __future__ import annotations

import numpy as np
import pytest

from cuesense.config import Voice
from cuesense.state.levels import SEPARATE_AFTER_S, Cues, Levels, loudest
from cuesense.types import F64, VoiceCue

RATE = 25.0
MOUTHS = (np.array([2.0, -2.0]), np.array([-2.0, 2.0]))
"""Log ratios while A and while B speaks."""


def cues(*levels: float) -> Cues:
    return tuple(
        VoiceCue(0.0, i, 0.9, 120.0, 0.9, level, 5.0, False) for i, level in enumerate(levels)
    )


def heard(
    quiet: float,
    *,
    swapped: bool = False,
    channels: tuple[int, ...] = (2,),
    settings: Voice | None = None,
) -> Levels:
    """Levels that heard A and B in turn, each 20 dB down in their own channel, or `quiet` dB."""
    levels = Levels(settings or Voice(), channels, RATE)
    for tick in range(200):
        who = tick // 25 % 2
        heard = (-20.0, quiet) if who == 0 else (quiet, -20.0)
        levels.score(cues(*(heard[::-1] if swapped else heard)), 0.9, MOUTHS[who])
    return levels


def score(levels: Levels, *at: float) -> F64:
    found = levels.score(cues(*at), 0.9, np.zeros(2))
    assert found is not None
    return found


def test_a_channel_each_tells_a_from_b_and_both() -> None:
    levels = heard(-40.0)
    assert levels.separate
    assert score(levels, -20.0, -40.0).argmax() == 0
    assert score(levels, -40.0, -20.0).argmax() == 1
    assert score(levels, -20.0, -20.0).argmax() == 2
    assert levels.channels(cues(-20.0, -40.0)) == (0, 1)


def test_the_mouths_tell_which_channel_is_whose() -> None:
    levels = heard(-40.0, swapped=True)
    assert score(levels, -20.0, -40.0).argmax() == 1
    assert levels.channels(cues(-20.0, -40.0)) == (1, 0)


def test_two_recordings_need_no_telling() -> None:
    levels = heard(-40.0, swapped=True, channels=(1, 1))
    assert score(levels, -20.0, -40.0).argmax() == 0
    assert levels.channels(cues(-20.0, -40.0)) == (0, 1)


def test_digital_silence_is_a_level_and_no_speech_is_none() -> None:
    levels = heard(np.nan)
    assert levels.separate
    assert np.isfinite(score(levels, -20.0, np.nan)).all()
    assert score(levels, np.nan, -20.0).argmax() == 1
    for speech in (0.1, np.nan):
        assert levels.score(cues(-20.0, -40.0), speech, np.zeros(2)) is None
    assert levels.score((None, *cues(-20.0)), 0.9, np.zeros(2)) is None


def test_equal_levels_are_a_mix_of_which_the_louder_channel_is_read() -> None:
    levels = heard(-22.0)
    assert not levels.separate
    assert levels.score(cues(-20.0, -22.0), 0.9, np.zeros(2)) is None
    assert levels.channels(cues(-20.0, -22.0)) == (0, 0)
    assert levels.channels(cues(np.nan, -22.0)) == (1, 1)


def test_nothing_is_decided_on_a_moment_of_speech() -> None:
    levels = Levels(Voice(), (2,), RATE)
    for tick in range(int(SEPARATE_AFTER_S * RATE) - 1):
        levels.score(cues(*((-20.0, -40.0) if tick % 2 else (-40.0, -20.0))), 0.9, np.zeros(2))
    assert not levels.separate


@pytest.mark.parametrize(("setting", "quiet"), [("separate", -22.0), ("mix", -40.0)])
def test_the_setting_overrules(setting: str, quiet: float) -> None:
    levels = heard(quiet, settings=Voice(channels=setting))
    assert levels.separate == (setting == "separate")


def test_one_channel_says_nothing_and_no_channel_is_the_first() -> None:
    one = Levels(Voice(channels="separate"), (1,), RATE)
    assert not one.separate
    assert one.score(cues(-20.0), 0.9, np.zeros(2)) is None
    assert loudest((), range(0)) == 0
