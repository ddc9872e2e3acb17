"""Whose voice: scripted mouths, speech and channel levels with known speakers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.cues.dynamics import FaceFeatures
from cuesense.cues.voiceprint import COEFFICIENTS
from cuesense.dyad.turns import Turns
from cuesense.schema import VALUE_INDEX, VALUES
from cuesense.state.attribution import Attribution, Voiced, mouth_log_ratio, transition
from cuesense.state.grid import RawTick
from cuesense.state.people import People
from cuesense.state.voices import VoiceProfile
from cuesense.types import F64, Event, Reason, VoiceCue

RATE = 25.0
CONFIG = Config()


def script(seed: int, seconds: float = 60.0) -> F64:
    """Who speaks at each tick, (n, 2): turns of 1-4 s with pauses, sometimes both."""
    rng = np.random.default_rng(seed)
    speaks = np.zeros((int(seconds * RATE), 2))
    i, who = 0, 0
    while i < len(speaks):
        n = int(rng.uniform(1, 4) * RATE)
        speaks[i : i + n, who] = 1
        if rng.random() < 0.2:
            speaks[max(0, i - 15) : i, who] = 1  # starts before the other has ended
        i += n + int(rng.uniform(0.1, 1.0) * RATE)
        who = 1 - who if rng.random() < 0.7 else who
    return speaks


def mouths(speaks: F64, rng: np.random.Generator) -> F64:
    """Mouth motion, log-normal, smoothed as over a short window."""
    raw = np.where(
        speaks > 0, rng.normal(-0.6, 0.9, speaks.shape), rng.normal(-3.0, 1.2, speaks.shape)
    )
    kernel = np.ones(8) / 8
    smooth: F64 = np.exp(np.stack([np.convolve(c, kernel, "same") for c in raw.T], axis=1))
    return smooth


def ticks(speech: F64, mouth: F64 | None, levels: F64 | None = None) -> list[RawTick]:
    result = []
    for i, heard in enumerate(speech):
        faces: list[FaceFeatures | None] = [None, None]
        for seat in (0, 1):
            if mouth is not None:
                values = np.full(len(VALUES), np.nan)
                values[VALUE_INDEX["mouth_motion"]] = mouth[i, seat]
                faces[seat] = FaceFeatures(i / RATE, seat, values, Reason.OK)
        channels = np.array([-20.0]) if levels is None else levels[i]
        voices = tuple(
            VoiceCue(i / RATE, c, float(heard), 120.0, 0.9, float(level), 5.0, False)
            for c, level in enumerate(channels)
        )
        result.append(
            RawTick(i / RATE, (faces[0], faces[1]), (None, None), voices, (0,) * len(voices))
        )
    return result


Voices = tuple[VoiceProfile | None, VoiceProfile | None]


def timbre(who: int, n: int, seed: int = 0) -> F64:
    """Cepstra of a voice: six vowels that all voices share, each moved as the voice has it."""
    vowels = np.random.default_rng(7).normal(0, 2.0, (6, COEFFICIENTS))
    moved = vowels + np.random.default_rng(100 + who).normal(0, 0.8, (6, COEFFICIENTS))
    rng = np.random.default_rng([who, seed])
    drawn: F64 = moved[rng.integers(0, 6, n)] + rng.normal(0, 0.8, (n, COEFFICIENTS))
    return drawn


def profile(who: int) -> VoiceProfile:
    return VoiceProfile(timbre(who, 300), 8.0)


def sounding(raw: list[RawTick], who: list[int]) -> list[RawTick]:
    """Give the voice of each tick to somebody: 0, 1, or 2 for a stranger."""
    drawn = [timbre(person, len(raw), seed=1) for person in range(3)]
    return [
        replace(tick, voices=tuple(replace(v, cepstrum=drawn[w][i]) for v in tick.voices if v))
        for i, (tick, w) in enumerate(zip(raw, who, strict=True))
    ]


def attribute(
    raw: list[RawTick],
    *,
    faces: bool = True,
    files: tuple[int, ...] = (),
    voices: Voices = (None, None),
) -> tuple[list[Voiced], Attribution]:
    channels = files or (len(raw[0].voices),)
    stage = Attribution(CONFIG.people, CONFIG.voice, RATE, channels, faces=faces, profiles=voices)
    out = [v for tick in raw for v in stage.push(tick)]
    return out + stage.flush(), stage


def scores(out: list[Voiced], speaks: F64) -> tuple[float, float]:
    """Share of single-speaker ticks given to the right person, and to the wrong one."""
    p = np.array([v.speaking for v in out]) > 0.5
    alone = speaks.sum(axis=1) == 1
    who = speaks[alone].argmax(axis=1)
    chosen = p[alone]
    right = chosen[np.arange(len(who)), who] & ~chosen[np.arange(len(who)), 1 - who]
    wrong = chosen[np.arange(len(who)), 1 - who]
    return float(right.mean()), float(wrong.mean())


@pytest.mark.parametrize("seed", range(3))
def test_mouths_tell_who_speaks_on_one_channel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    speaks = script(seed)
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    out, _ = attribute(ticks(speech, mouths(speaks, rng)))
    assert len(out) == len(speaks)
    right, wrong = scores(out, speaks)
    assert right >= 0.9
    assert wrong <= 0.08
    silent = ~speaks.any(axis=1)
    p = np.array([v.speaking for v in out])
    assert (p[silent] > 0.5).mean() < 0.15


def test_a_voice_while_both_mouths_are_still_is_somebody_elses() -> None:
    rng = np.random.default_rng(0)
    still = np.zeros((500, 2))
    speech = np.r_[np.full(100, 0.03), np.full(300, 0.95), np.full(100, 0.03)]
    out, _ = attribute(ticks(speech, mouths(still, rng)))
    middle = out[125:375]
    assert np.mean([v.other > 0.5 for v in middle]) > 0.9
    assert np.mean([max(v.speaking) > 0.5 for v in middle]) < 0.1


@pytest.mark.parametrize("swapped", [False, True])
def test_one_channel_per_person_is_noticed_and_tells_who_speaks(swapped: bool) -> None:
    rng = np.random.default_rng(1)
    speaks = script(5)
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    levels = np.where(speaks > 0, -20.0, -38.0) + rng.normal(0, 3, speaks.shape)
    levels = levels[:, ::-1] if swapped else levels
    # With the channels swapped only the mouths can tell whose is whose.
    out, stage = attribute(ticks(speech, mouths(speaks, rng), levels))
    assert stage.separate
    right, wrong = scores(out[200:], speaks[200:])
    assert right >= 0.93
    assert wrong <= 0.05
    who = speaks[200:].argmax(axis=1)
    channels = np.array([v.channel for v in out[200:]])
    expected = (1, 0) if swapped else (0, 1)
    assert (channels[who == 0, 0] == expected[0]).mean() > 0.95


def test_two_stereo_files_are_one_persons_each() -> None:
    rng = np.random.default_rng(3)
    speaks = script(6)
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    # Each file hears its own person louder, on both of its channels, the second a little more.
    levels = np.where(speaks > 0, -20.0, -38.0)[:, [0, 0, 1, 1]] + [0.0, 3.0, 0.0, 3.0]
    levels += rng.normal(0, 1, levels.shape)
    out, stage = attribute(ticks(speech, None, levels), faces=True, files=(2, 2))
    assert stage.separate
    right, wrong = scores(out[200:], speaks[200:])
    assert right >= 0.93
    assert wrong <= 0.05
    channels = np.array([v.channel for v in out[200:]])
    assert set(channels[:, 0]) <= {0, 1}
    assert set(channels[:, 1]) <= {2, 3}


def test_one_channel_per_person_without_a_picture() -> None:
    rng = np.random.default_rng(4)
    speaks = script(7)
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    levels = np.where(speaks > 0, -20.0, -38.0) + rng.normal(0, 3, speaks.shape)
    out, _ = attribute(ticks(speech, None, levels), faces=False)
    right, wrong = scores(out[250:], speaks[250:])
    assert right >= 0.93
    assert wrong <= 0.05


def test_a_stereo_mix_is_not_taken_for_separate_channels() -> None:
    speaks = script(2)
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    levels = np.random.default_rng(0).normal(-20, 1.0, speaks.shape)
    _, stage = attribute(ticks(speech, mouths(speaks, np.random.default_rng(2)), levels))
    assert not stage.separate


@pytest.mark.parametrize("channels", [1, 2])
def test_a_mix_without_a_picture_is_one_person_and_says_so(channels: int) -> None:
    speech = np.r_[np.full(100, 0.03), np.full(300, 0.95)]
    levels = np.full((len(speech), channels), -20.0)
    out, stage = attribute(ticks(speech, None, levels), faces=False)
    assert np.mean([v.speaking[0] > 0.5 for v in out[130:]]) == 1.0
    assert max(v.speaking[1] for v in out) < 0.01
    assert "one person's" in stage.note


def test_no_sound_is_nan_not_silence() -> None:
    raw = ticks(np.full(50, np.nan), mouths(np.zeros((50, 2)), np.random.default_rng(0)))
    out, _ = attribute(raw)
    assert all(np.isnan(v.speaking).all() for v in out)


def alternate(seed: int) -> tuple[F64, F64, list[int]]:
    """One at a time: who speaks (n, 2), speech (n,), and whose voice is heard."""
    speaks = script(seed)
    speaks[speaks.sum(axis=1) == 2, 1] = 0
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    return speaks, speech, speaks.argmax(axis=1).tolist()


def test_voices_known_from_before_need_no_picture() -> None:
    speaks, speech, who = alternate(8)
    raw = sounding(ticks(speech, None), who)
    out, stage = attribute(raw, faces=False, voices=(profile(0), profile(1)))
    right, wrong = scores(out, speaks)
    assert right >= 0.93
    assert wrong <= 0.05
    assert not stage.note
    swapped, _ = attribute(raw, faces=False, voices=(profile(1), profile(0)))
    right, wrong = scores(swapped, speaks[:, ::-1])
    assert right >= 0.93


def test_the_mouths_enrol_the_voices_which_tell_once_the_mouths_are_hidden() -> None:
    speaks, speech, who = alternate(9)
    mouth = mouths(speaks, np.random.default_rng(9))
    mouth[1000:] = np.nan
    out, stage = attribute(sounding(ticks(speech, mouth), who))
    a, b = stage.profiles
    assert 4.0 < a.seconds < 40.0
    assert 4.0 < b.seconds < 40.0
    right, wrong = scores(out[1000:], speaks[1000:])
    assert right >= 0.9
    assert wrong <= 0.07
    unknown, _ = attribute(ticks(speech, mouth))
    assert scores(unknown[1000:], speaks[1000:])[0] < 0.75  # there is nothing else to go by


@pytest.mark.parametrize("heard", [0, 1, 2])
def test_still_mouths_outweigh_a_voice_that_fits(heard: int) -> None:
    speech = np.r_[np.full(100, 0.03), np.full(300, 0.95)]
    raw = sounding(
        ticks(speech, mouths(np.zeros((400, 2)), np.random.default_rng(0))), [heard] * 400
    )
    out, stage = attribute(raw, voices=(profile(0), profile(1)))
    assert np.mean([v.other > 0.5 for v in out[125:]]) > 0.9
    assert sum(p.seconds for p in stage.profiles) < 17.0  # nothing of it was enrolled


@pytest.mark.parametrize("seat", [0, 1])
def test_with_one_known_voice_and_no_picture_another_voice_is_nobody_of_the_two(seat: int) -> None:
    speech = np.full(400, 0.95)
    voices: Voices = (profile(0), None) if seat == 0 else (None, profile(0))
    own, stage = attribute(sounding(ticks(speech, None), [0] * 400), faces=False, voices=voices)
    assert f"{'AB'[seat]}'s voice alone is known" in stage.note
    assert np.mean([v.speaking[seat] > 0.5 for v in own]) > 0.95
    other, _ = attribute(sounding(ticks(speech, None), [2] * 400), faces=False, voices=voices)
    assert max(v.speaking[1 - seat] for v in own + other) < 0.01
    assert np.mean([v.other > 0.5 for v in other]) > 0.8


def test_after_a_long_session_ones_own_voice_is_still_ones_own() -> None:
    speaks = np.concatenate([alternate(seed)[0] for seed in range(8)])
    speech = np.where(speaks.any(axis=1), 0.95, 0.03)
    mouth = mouths(speaks, np.random.default_rng(0))
    mouth[-1500:] = np.nan
    out, stage = attribute(sounding(ticks(speech, mouth), speaks.argmax(axis=1).tolist()))
    assert min(p.seconds for p in stage.profiles) > 60.0
    right, wrong = scores(out[-1500:], speaks[-1500:])
    assert right >= 0.95
    assert wrong <= 0.05
    said = speaks[-1500:].any(axis=1)
    assert np.mean([v.other > 0.5 for v in np.array(out[-1500:], dtype=object)[said]]) < 0.02


def test_damaged_sound_is_missing_and_leaves_no_trace_in_the_profiles() -> None:
    speaks, speech, who = alternate(9)
    raw = sounding(ticks(speech, mouths(speaks, np.random.default_rng(9))), who)
    nan = np.nan
    nothing = np.full(COEFFICIENTS, nan)
    lost = VoiceCue(0, 0, nan, nan, nan, nan, nan, False, Reason.DROPPED, cepstrum=nothing)
    hurt = [replace(t, voices=(lost,)) if 500 <= i < 700 else t for i, t in enumerate(raw)]
    out, stage = attribute(hurt, voices=(profile(0), profile(1)))
    assert all(np.isnan((*v.speaking, v.other)).all() for v in out[500:700])
    rest = [*out[:500], *out[700:]]
    assert np.isfinite([(*v.speaking, v.other) for v in rest]).all()
    whole, undamaged = attribute(raw, voices=(profile(0), profile(1)))
    for p, more in zip(stage.profiles, undamaged.profiles, strict=True):
        assert np.isfinite(p.cepstra).all()
        assert p.seconds < more.seconds
    assert scores(out[700:], speaks[700:])[0] >= scores(whole[700:], speaks[700:])[0] - 0.02


def test_probabilities_stay_probabilities_and_come_out_the_same_again() -> None:
    speaks, speech, who = alternate(3)
    rng = np.random.default_rng(3)
    wild = 10 ** rng.uniform(-9, 9, speaks.shape)  # a tracker gone mad
    noise = rng.choice([0.0, 1.0, np.nan], len(speech))
    raw = sounding(ticks(noise, wild), who)
    far = np.full(COEFFICIENTS, 1e3)
    strange = [
        replace(t, voices=tuple(replace(v, cepstrum=far) for v in t.voices if v)) if i % 7 else t
        for i, t in enumerate(raw)
    ]
    first, again = (attribute(strange, voices=(profile(0), profile(1)))[0] for _ in range(2))
    p = np.array([(*v.speaking, v.other) for v in first])
    np.testing.assert_array_equal(p, [(*v.speaking, v.other) for v in again])
    np.testing.assert_array_equal(np.isnan(p).any(axis=1), np.isnan(noise))
    assert np.nanmin(p) >= 0.0
    assert np.nanmax(p) <= 1.0 + 1e-9


def told(out: list[Voiced]) -> tuple[list[tuple[Reason, Reason]], list[Event]]:
    """What the user sees: both people's voice reasons at each tick, and the turns."""
    people, turns = People(CONFIG), Turns(CONFIG.turns)
    reasons, events = [], []
    for tick in out:
        values, why = people.push(tick)
        reasons.append((why[0]["voice_reason"], why[1]["voice_reason"]))
        a, b = (float(row[VALUE_INDEX["speaking"]]) for row in values)
        pitch = [np.isfinite(row[VALUE_INDEX["f0_hz"]]) for row in values]
        assert pitch == [not r or r == Reason.UNVOICED for r in reasons[-1]]
        events += turns.push(tick.raw.t, a, b)
    return reasons, events + turns.flush()


@pytest.mark.parametrize(("channels", "seconds", "late_s"), [(1, 3.0, 1.4), (2, 1.0, 0.2)])
def test_two_voices_at_once_are_an_overlap(channels: int, seconds: float, late_s: float) -> None:
    """On one channel, only mouths that both move for a second or more tell that it is not one."""
    n = round(seconds * RATE)
    speaks = np.zeros((500, 2))
    speaks[50:200, 0] = speaks[225:300, 1] = speaks[325:450, 0] = speaks[450 - n : 495, 1] = 1
    mouth = np.where(speaks > 0, 0.6, 0.03)
    levels = np.where(speaks > 0, -20.0, -38.0)[:, :channels] if channels > 1 else None
    out, _ = attribute(ticks(np.where(speaks.any(axis=1), 0.95, 0.03), mouth, levels))
    reasons, events = told(out)
    both = slice(450 - n + round(late_s * RATE), 445)
    why = (Reason.OVERLAP, Reason.OVERLAP) if channels == 1 else (Reason.OK, Reason.OK)
    assert np.mean([r == why for r in reasons[both]]) > 0.8
    assert np.mean([r == (Reason.OK, Reason.SILENT) for r in reasons[335:360]]) > 0.9
    found = [e for e in events if e.kind == "overlap"]
    assert len(found) == 1
    assert found[0].t == pytest.approx(18.0 - seconds, abs=late_s)
    assert found[0].t_end == pytest.approx(18.0, abs=0.3)


def test_a_voice_that_is_nobodys_is_said_to_be_another_and_no_turn() -> None:
    speech = np.r_[np.full(50, 0.03), np.full(200, 0.95), np.full(50, 0.03)]
    out, _ = attribute(ticks(speech, np.full((300, 2), 0.03)))
    reasons, events = told(out)
    other = (Reason.OTHER_VOICE, Reason.OTHER_VOICE)
    assert np.mean([r == other for r in reasons[75:230]]) > 0.9
    assert all(r == (Reason.SILENT, Reason.SILENT) for r in reasons[:25])
    assert not events


def test_an_unseen_mouth_says_nothing_and_motion_speaks_for_speech() -> None:
    assert mouth_log_ratio(np.nan) == 0.0
    ratios = [mouth_log_ratio(m) for m in (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 10.0)]
    assert ratios == sorted(ratios)
    assert ratios[1] < 0 < ratios[-1]


def test_transition_rows_are_distributions() -> None:
    np.testing.assert_allclose(transition(RATE).sum(axis=1), 1.0)
    assert (transition(RATE) >= 0).all()
