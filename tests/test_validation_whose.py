"""Whose voice, on real recordings: what the validation page says, with a margin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cuesense import open_source, run
from cuesense.types import VoiceCue
from validation import sources, whose

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def meetings(real_data: Path) -> list[whose.Talk]:
    return [whose.meeting(real_data, name) for name in whose.MEETINGS]


def test_meetings_are_told_apart_by_voices_enrolled_in_another_one(
    meetings: list[whose.Talk],
) -> None:
    cases = list(whose.across(meetings, whose.ENROL_S))
    found = [trial for case in cases for trial in case.trials()]
    assert whose.share(found, "wrong") <= 0.04
    assert whose.share(found, "right") >= 0.62
    assert whose.share(found, "both") + whose.share(found, "other") <= 0.06
    for case in cases:
        speech, missed, false, confused, quiet = case.errors()
        assert confused / speech <= 0.1
        assert false / speech <= 0.05
        assert quiet / missed >= 0.5  # the reference counts pauses as speech


def test_a_concatenation_is_told_apart(real_data: Path) -> None:
    talk = whose.concatenation(real_data)
    found = list(whose.within(talk, ("B", "C"), whose.ENROL_S).trials())
    assert whose.share(found, "wrong") <= 0.05
    assert whose.share(found, "right") >= 0.9


def test_a_session_with_known_voices_says_what_its_stages_say(
    real_data: Path, meetings: list[whose.Talk]
) -> None:
    one, other = meetings
    a, b = (one.profile(one.first(who, whose.ENROL_S)) for who in one.people)
    with open_source(real_data / "diarization" / "ami_dev01.flac") as source:
        moments = list(run(source, voices=(a, b)))
    alone = [v.speaking for v in whose.attributed(other, (a, b))]
    n = min(len(alone), len(moments))
    speaking = np.array([[p["speaking"] for p in m.people] for m in moments[:n]])
    agree = (speaking > 0.5) == (np.array(alone[:n]) > 0.5)
    assert agree.mean() > 0.99
    assert (speaking > 0.5).any(axis=0).all()


def test_two_still_mouths_are_not_given_a_strangers_voice(real_data: Path) -> None:
    talk = whose.concatenation(real_data)
    voices = tuple(talk.profile(talk.first(who, whose.ENROL_S)) for who in ("B", "C"))
    path = real_data / "diarization" / "pyaudio_diarizationExample.wav"
    stranger = sources.sound(path)[0][round(34.5 * 16_000) : round(41.9 * 16_000)]
    listener = real_data / "two_person" / "vico_real" / "cte53x3i02lo.mp4"
    given, heard = whose.off_camera(listener, stranger, (voices[0], voices[1]))
    assert heard > 3.0
    assert given / heard <= 0.15


def test_the_cepstra_come_with_the_cues(meetings: list[whose.Talk]) -> None:
    cues: tuple[VoiceCue, ...] = meetings[0].cues
    assert all(c.cepstrum is not None and np.isfinite(c.cepstrum).all() for c in cues)
