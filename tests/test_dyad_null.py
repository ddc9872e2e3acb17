from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.features import DyadSample, extract, to_array
from cuesense.dyad.modes import Modes
from cuesense.dyad.null import WrongPartner, wrong_partner
from cuesense.dyad.response import Response
from dyad_simulator import Conversation, converse, smoothed_noise_sd


def talk(seed: int, minutes: float = 8.0) -> tuple[Conversation, Dyad]:
    config = dataclasses.replace(Dyad(), null_rolls=39)
    rng = np.random.default_rng(seed)
    conversation = converse(rng, minutes=minutes, reliability=0.9, baseline_sd=0.3, config=config)
    sd = smoothed_noise_sd(conversation.noise_sd, config)
    return conversation, dataclasses.replace(config, sigma_arousal=sd, sigma_valence=sd)


def null(samples: list[DyadSample], config: Dyad) -> WrongPartner:
    seen = to_array(samples)
    return wrong_partner(extract(seen, config)[0], seen, config)


def with_partner(samples: list[DyadSample], other: list[DyadSample]) -> list[DyadSample]:
    """Return the listener of `samples` with the partner of `other`."""
    return [
        dataclasses.replace(
            a,
            partner_arousal=b.partner_arousal,
            partner_valence=b.partner_valence,
            partner_ok=b.partner_ok,
        )
        for a, b in zip(samples, other, strict=True)
    ]


def test_true_partner_explains_the_listener_and_a_stranger_does_not() -> None:
    """The fit beats the rolls for every true partner, and for strangers only as chance has it."""
    true, stranger = [], []
    for seed in range(6):
        own, config = talk(seed)
        other, _ = talk(100 + seed)
        mine = null(own.samples, config)
        theirs = null(with_partner(own.samples, other.samples), config)
        assert mine.fit is not None
        assert theirs.fit is not None
        assert mine.fit.true > mine.fit.high
        true.append(mine.fit.p)
        stranger.append(theirs.fit.p)
    assert max(true) <= 0.05
    assert np.mean(stranger) > 0.2


def test_shares_are_those_of_the_estimator() -> None:
    own, config = talk(2)
    result = null(own.samples, config)
    states = Modes(config).extend(own.samples)
    labels = [s.label for s in states if s.t >= config.min_time_s]
    named = [schema.STANCES[label] for label in labels if label in schema.STANCES]
    for mode in schema.MODES:
        share = result.of_labelled[mode].true
        assert share == pytest.approx(named.count(mode) / len(named), abs=0.02)
    for label in schema.LABELS:
        assert result.of_total[label].true == pytest.approx(labels.count(label) / len(labels))
    assert result.contingency is not None
    about = Response(config.rate_hz).samples(own.samples).contingency
    assert result.contingency.true == pytest.approx(about[-len(labels) :].mean())
    assert sum(a.true for a in result.of_total.values()) == pytest.approx(1.0)
    assert result.labelled_s == pytest.approx(len(named) / config.rate_hz)
    assert result.rolls == 39
    assert result.reason == ""


def test_p_counts_the_rolls_that_reach_the_session() -> None:
    result = null(talk(1)[0].samples, talk(1)[1])
    for against in [*result.of_labelled.values(), *result.of_total.values()]:
        assert against.low <= against.median <= against.high
        assert 1 / 40 <= against.p <= 1
        if against.true > against.high:
            assert against.p <= 3 / 40
        if against.true < against.low:
            assert against.p >= 38 / 40


def test_partner_who_comes_round_in_a_cycle_cannot_be_made_wrong() -> None:
    config = Dyad()
    blank = talk(0, minutes=0.5)[0].samples[0]

    def cycle(i: int) -> DyadSample:
        x = 2.0 * np.sin(2 * np.pi * i / 150)  # 30 s
        return dataclasses.replace(
            blank,
            t=i / config.rate_hz,
            partner_arousal=x,
            partner_valence=-x,
            partner_ok=True,
            listener_arousal=0.8 * x,
            listener_valence=-0.8 * x,
            listener_ok=True,
        )

    result = null([cycle(i) for i in range(1500)], config)
    assert result.repeats > 0.95
    assert "repeats" in result.reason


@pytest.mark.parametrize(
    ("change", "count", "reason"),
    [
        ({}, 200, "under 45 s calibrated"),
        ({"calibrated": False}, 2000, "under 45 s calibrated"),
        ({"partner_ok": False}, 2000, "a clear stance for under 30 s"),
    ],
)
def test_too_little_is_said_and_gives_no_number(
    change: dict[str, bool], count: int, reason: str
) -> None:
    own, config = talk(3)
    samples = [dataclasses.replace(s, **change) for s in own.samples[:count]]
    result = null(samples, config)
    assert result.reason == f"insufficient data: {reason}"
    assert result.of_labelled == {}
    assert result.fit is None


def test_short_sessions_get_few_rolls() -> None:
    own, config = talk(4, minutes=2.0)
    config = dataclasses.replace(config, null_labelled_s=5.0)
    result = null(own.samples, config)
    assert result.rolls == 21  # 80 s of shifts at 4 s and over, and the first
