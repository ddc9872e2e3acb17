"""Voice profiles: voices whose frames are drawn from known clusters."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cuesense.config import Voice
from cuesense.cues.voiceprint import COEFFICIENTS
from cuesense.errors import ParameterError
from cuesense.state.voices import (
    FIT_LIMIT,
    LEAST_FRAMES,
    LEAST_S,
    MARGIN,
    MOST_FRAMES,
    Enrolment,
    Fit,
    VoiceProfile,
    enrol,
)
from cuesense.types import F64, VoiceCue


def frames(who: int, n: int, seed: int = 0) -> F64:
    """Frames of a voice: eight vowels that all voices share, each moved as the voice has it."""
    vowels = np.random.default_rng(7).normal(0, 2.0, (8, COEFFICIENTS))
    moved = vowels + np.random.default_rng(100 + who).normal(0, 1.0, (8, COEFFICIENTS))
    rng = np.random.default_rng([who, seed])
    drawn: F64 = moved[rng.integers(0, 8, n)] + rng.normal(0, 0.7, (n, COEFFICIENTS))
    return drawn


def profile(who: int, seconds: float = 8.0) -> VoiceProfile:
    return VoiceProfile(frames(who, int(seconds * 40)), seconds)


def cue(speech: float, cepstrum: F64 | None) -> VoiceCue:
    return VoiceCue(0.0, 0, speech, 120.0, 0.9, -20.0, 5.0, False, cepstrum=cepstrum)


def mean_fit(fit: Fit, who: int) -> F64:
    return np.asarray(np.mean([fit(x) for x in frames(who, 200, seed=1)], axis=0))


def test_each_voice_fits_its_own_profile_and_a_stranger_fits_none() -> None:
    fit = Fit((profile(0), profile(1)))
    a, b, stranger = (mean_fit(fit, who) for who in (0, 1, 2))
    assert a[0] > 1 > 0 > a[1]
    assert b[1] > 1 > 0 > b[0]
    assert stranger.max() < 0.3 * min(a[0], b[1])


def test_a_frame_cannot_rule() -> None:
    fit = Fit((profile(0), profile(1)))
    for x in (np.full(COEFFICIENTS, 50.0), frames(0, 1)[0]):
        assert np.isfinite(fit(x)).all()
        assert np.abs(fit(x)).max() <= 2 * FIT_LIMIT


def test_one_known_voice_leaves_the_other_at_nothing() -> None:
    fit = Fit((None, profile(1)))
    assert fit.known == (False, True)
    assert mean_fit(fit, 1)[0] == 0.0
    assert mean_fit(fit, 1)[1] == pytest.approx(MARGIN, abs=0.2)
    assert mean_fit(fit, 0)[1] < -0.5
    assert mean_fit(fit, 2)[1] < -0.5


@pytest.mark.parametrize("seconds", [4.0, 60.0, 600.0])
def test_however_much_was_enrolled_ones_own_voice_fits_and_the_others_does_not(
    seconds: float,
) -> None:
    collected = (Enrolment(), Enrolment())
    for who in (0, 1):
        for x in frames(who, int(seconds * 25)):
            collected[who].push(x, 0.04)
    fit = Fit((collected[0].profile(), collected[1].profile()))
    for who in (0, 1):
        own, others = mean_fit(fit, who)[[who, 1 - who]]
        assert own > 0.5
        assert others < -0.5
    one = Fit((collected[0].profile(), None))
    assert mean_fit(one, 0)[0] == pytest.approx(MARGIN, abs=0.2)


@pytest.mark.parametrize(
    "little",
    [profile(0, LEAST_S - 0.5), VoiceProfile(frames(0, LEAST_FRAMES - 1), 8.0)],
    ids=["seconds", "frames"],
)
def test_too_little_voice_says_nothing(little: VoiceProfile) -> None:
    fit = Fit((little, None))
    assert fit.known == (False, False)
    assert not fit(frames(0, 1)[0]).any()


def test_a_steady_tone_enrolled_as_a_voice_does_no_harm() -> None:
    tone = VoiceProfile(np.full((200, COEFFICIENTS), 1.5), 8.0)
    for profiles in ((tone, None), (tone, profile(1)), (tone, tone)):
        assert np.isfinite(Fit(profiles)(frames(1, 1)[0])).all()


def test_enrolment_is_bounded_and_spread_over_the_whole_time() -> None:
    collected = Enrolment()
    for i in range(5 * MOST_FRAMES):
        collected.push(np.full(COEFFICIENTS, float(i)), 0.04)
    found = collected.profile()
    assert MOST_FRAMES / 2 <= len(found.cepstra) <= MOST_FRAMES
    assert found.seconds == pytest.approx(5 * MOST_FRAMES * 0.04)
    at = found.cepstra[:, 0]
    assert np.diff(at).max() <= 2 * np.diff(at).min()
    assert at[0] < 0.02 * at[-1]


def test_an_enrolment_goes_on_where_a_profile_ended() -> None:
    collected = Enrolment(profile(0))
    collected.push(frames(0, 1)[0], 0.04)
    assert collected.seconds == pytest.approx(8.04)
    assert len(collected.profile().cepstra) == len(profile(0).cepstra) + 1


def test_only_speech_is_enrolled() -> None:
    x = frames(0, 4)
    cues = [cue(0.9, x[0]), cue(0.1, x[1]), cue(0.9, None), cue(0.9, np.full(COEFFICIENTS, np.nan))]
    found = enrol(cues, Voice())
    np.testing.assert_array_equal(found.cepstra, x[:1])
    assert found.seconds == pytest.approx(0.016)


def test_a_profile_survives_being_saved_as_json() -> None:
    saved = profile(0).to_dict()
    again = VoiceProfile.from_dict(json.loads(json.dumps(saved)))
    np.testing.assert_allclose(again.cepstra, profile(0).cepstra, atol=1e-3)
    assert again.seconds == 8.0


def test_a_voice_never_heard_can_be_saved() -> None:
    again = VoiceProfile.from_dict(Enrolment().profile().to_dict())
    assert again.cepstra.shape == (0, COEFFICIENTS)
    assert Fit((again, again)).known == (False, False)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"seconds": 8.0},
        {"cepstra": [[1.0, 2.0]], "seconds": 8.0},
        {"cepstra": [[np.nan] * COEFFICIENTS], "seconds": 8.0},
        {"cepstra": [[0.0] * COEFFICIENTS], "seconds": -1.0},
        {"cepstra": "x", "seconds": 8.0},
        None,
    ],
)
def test_a_damaged_profile_is_refused(damaged: object) -> None:
    with pytest.raises(ParameterError):
        VoiceProfile.from_dict(damaged)
