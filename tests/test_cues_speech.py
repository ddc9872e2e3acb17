"""What joins into the probability of speech, and the rhythm of laughter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from cuesense.cues import speech


def voiced(runs: Sequence[tuple[int, int]], n: int = 200) -> npt.NDArray[np.bool_]:
    """Voiced runs as (first hop, length)."""
    mask = np.zeros(n, np.bool_)
    for start, length in runs:
        mask[start : start + length] = True
    return mask


def bout(step: int, length: int, calls: int, start: int = 20) -> npt.NDArray[np.bool_]:
    return voiced([(start + k * step, length) for k in range(calls)])


def test_voicing_tips_a_doubt_and_overrules_nothing() -> None:
    model = np.array([0.4, 0.4, 0.005, 0.995])
    heard, _ = speech.joined(model, np.ones(4))
    assert (heard[:2] > 0.7).all()
    assert heard[2] < 0.1
    silent, _ = speech.joined(model, np.zeros(4))
    assert silent[0] < 0.4
    assert silent[3] > 0.95
    ends, _ = speech.joined(np.array([0.0, 1.0]), np.zeros(2))
    assert 0 < ends[0] < ends[1] < 1


def test_a_vowel_speaks_for_what_follows_it_for_an_eighth_of_a_second() -> None:
    voicing = np.zeros(40)
    voicing[10:12] = 1.0
    heard, _ = speech.joined(np.full(40, 0.4), voicing)
    np.testing.assert_array_equal(np.flatnonzero(heard >= 0.5), np.arange(10, 12 + speech.RECENT))


def test_splitting_the_hops_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    model, voicing = rng.random(60), rng.random(60)
    mask = bout(12, 4, 5)[:160]
    whole, _ = speech.joined(model, voicing)
    laugh, _ = speech.laughs(mask)
    assert laugh.any()
    for cut in (0, 1, 5, 30, 59):
        first, state = speech.joined(model[:cut], voicing[:cut])
        rest, _ = speech.joined(model[cut:], voicing[cut:], state)
        np.testing.assert_allclose(np.concatenate([first, rest]), whole, atol=1e-12)
    for cut in range(0, 160, 7):
        first_laugh, known = speech.laughs(mask[:cut])
        rest_laugh, _ = speech.laughs(mask[cut:], known)
        np.testing.assert_array_equal(np.concatenate([first_laugh, rest_laugh]), laugh)


@pytest.mark.parametrize(("step", "length"), [(9, 3), (12, 4), (12, 6), (20, 2)])
def test_even_short_calls_are_a_laugh_from_the_third_on(step: int, length: int) -> None:
    laugh, _ = speech.laughs(bout(step, length, 5))
    third, last = 20 + 2 * step, 20 + 4 * step
    assert not laugh[: third + length].any()
    assert laugh[third + length : last + length].all()
    assert not laugh[last + speech.BEAT[1] + 1 :].any()


@pytest.mark.parametrize(
    "mask",
    [
        bout(12, 4, 2),  # too few calls
        bout(14, 9, 6),  # vowels
        bout(25, 4, 6),  # too slow
        bout(7, 3, 8),  # too fast
        voiced([(20, 4), (32, 4), (51, 4), (62, 4), (82, 4)]),  # uneven
        voiced([(20, 4), (32, 4), (44, 12), (60, 4), (72, 4)]),  # a vowel between
        np.zeros(200, np.bool_),
        np.ones(200, np.bool_),
    ],
    ids=["few", "vowels", "slow", "fast", "uneven", "broken", "silence", "hum"],
)
def test_what_is_not_even_short_and_repeated_is_no_laugh(mask: npt.NDArray[np.bool_]) -> None:
    assert not speech.laughs(mask)[0].any()


def test_a_long_vowel_ends_a_laugh() -> None:
    mask = bout(12, 4, 4)
    mask[66:90] = True
    laugh, _ = speech.laughs(mask)
    assert laugh[60]
    assert not laugh[66 + speech.CALL :].any()
