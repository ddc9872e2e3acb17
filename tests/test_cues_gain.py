"""Automatic gain control is told from talk whose effort, level and room noise are known."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cuesense.cues.gain import LEAST_PHRASES, GainWatch
from cuesense.types import VoiceCue

STEP_S = 0.016


def talk(
    *, control: float = 0.0, room_db: float = -70.0, room_sd: float = 0.0, phrases: int = 24
) -> list[tuple[VoiceCue, int]]:
    """Cues of two people in turn, 12 semitones apart, 1 dB louder per semitone of effort.

    `control` is the share of a phrase's level that the microphone takes back.
    """
    rng = np.random.default_rng(3)
    out: list[tuple[VoiceCue, int]] = []

    def add(speech: float, f0: float, level: float, tilt: float, speaker: int) -> None:
        cue = VoiceCue(len(out) * STEP_S, 0, speech, f0, 1.0, level, tilt, False)
        out.append((cue, speaker))

    for phrase in range(phrases):
        speaker, effort = phrase % 2, rng.normal(0, 4.0)
        f0 = 110.0 * 2 ** (speaker + effort / 12)
        gain = -control * effort
        room = room_db + room_sd * rng.standard_normal()
        for _ in range(60):
            add(0.95, f0, -30.0 + effort + gain + rng.normal(0, 2), 10.0, speaker)
        for _ in range(40):
            add(0.05, np.nan, room + gain + rng.normal(0, 0.5), 10.0, speaker)
    add(0.95, 110.0, -30.0, 10.0, 0)
    return out


def watched(cues: list[tuple[VoiceCue, int]]) -> GainWatch:
    watch = GainWatch(STEP_S)
    for cue, speaker in cues:
        watch.push(cue, speaker)
    return watch


def test_a_fixed_gain_is_not_suspected_and_its_figures_are_those_of_the_talk() -> None:
    watch = watched(talk())
    assert not watch.suspected
    assert watch.note == ""
    assert watch.evidence.phrases == 24
    assert watch.evidence.level_slope == pytest.approx(1.0, abs=0.05)
    assert watch.evidence.floor_slope == pytest.approx(0.0, abs=0.05)


def test_a_room_whose_noise_comes_and_goes_is_no_gain_control() -> None:
    assert not watched(talk(room_sd=4.0)).suspected


@pytest.mark.parametrize("control", [0.5, 0.9])
def test_a_gain_that_takes_effort_back_moves_the_floor(control: float) -> None:
    watch = watched(talk(control=control))
    assert watch.evidence.floor_moves
    assert watch.evidence.floor_slope == pytest.approx(-control, abs=0.1)
    assert "gain control suspected" in watch.note


def test_a_level_that_was_evened_out_is_deaf_even_where_pauses_are_steady() -> None:
    cues = [
        (cue, speaker)
        for (cue, speaker), (steady, _) in zip(talk(control=0.9), talk(), strict=True)
        for cue in [cue if cue.speech > 0.5 else steady]
    ]
    watch = watched(cues)
    assert watch.evidence.deaf
    assert not watch.evidence.floor_moves
    assert "dB per semitone" in watch.note


def monotone(cues: list[tuple[VoiceCue, int]]) -> list[tuple[VoiceCue, int]]:
    """The same talk in a voice that tells nothing of its effort but the level."""
    return [
        (replace(cue, f0_hz=110.0 * (1 + speaker), spectral_tilt_db=10.0), speaker)
        if np.isfinite(cue.f0_hz)
        else (cue, speaker)
        for cue, speaker in cues
    ]


def test_a_floor_that_loud_phrases_set_back_is_told_without_knowing_the_effort() -> None:
    watch = watched(monotone(talk(control=0.5)))
    assert watch.evidence.effort_spread == pytest.approx(0.0, abs=1e-6)
    assert watch.evidence.change_level == pytest.approx(-np.sqrt(0.5), abs=0.25)
    assert watch.evidence.floor_moves
    assert "moves by" in watch.note
    for room_sd in (0.0, 4.0):
        assert not watched(monotone(talk(room_sd=room_sd))).suspected


def test_a_floor_that_is_known_in_every_other_pause_has_no_change() -> None:
    cues, pauses = [], 0
    for (before, _), (cue, speaker) in pairwise(talk(control=0.5)):
        pauses += before.speech < 0.5 < cue.speech
        gated = cue.speech < 0.5 and pauses % 2
        cues.append((replace(cue, loudness_db=-120.0) if gated else cue, speaker))
    evidence = watched(monotone(cues)).evidence
    assert evidence.phrases >= LEAST_PHRASES
    assert np.isnan(evidence.change_level)
    assert not evidence.floor_moves


def test_digital_silence_in_the_pauses_and_few_phrases_tell_nothing() -> None:
    assert watched(talk(control=0.9, room_db=-120.0)).evidence.phrases == 0
    few = watched(talk(control=0.9, phrases=LEAST_PHRASES - 1))
    assert few.evidence.phrases == LEAST_PHRASES - 1
    assert not few.suspected


def test_cues_without_sound_are_passed_over() -> None:
    nan = float("nan")
    watch = GainWatch(STEP_S)
    for cue, speaker in talk():
        watch.push(cue, speaker)
        watch.push(VoiceCue(cue.t, 0, nan, nan, nan, nan, nan, False), None)
    assert watch.evidence == watched(talk()).evidence
