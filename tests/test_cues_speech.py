"""What joins into the probability of speech."""

from __future__ import annotations

import numpy as np

from cuesense.cues import speech


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
    whole, _ = speech.joined(model, voicing)
    for cut in (0, 1, 5, 30, 59):
        first, state = speech.joined(model[:cut], voicing[:cut])
        rest, _ = speech.joined(model[cut:], voicing[cut:], state)
        np.testing.assert_allclose(np.concatenate([first, rest]), whole, atol=1e-12)
