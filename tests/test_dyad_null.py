from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.features import COLUMN, DyadSample, extract
from cuesense.dyad.modes import Modes
from cuesense.dyad.null import WrongPartner, rolled, wrong_partner
from cuesense.dyad.response import Response
from cuesense.dyad.simulator import Conversation, simulate
from cuesense.types import F64

CONFIG = Dyad()
PARTNER = [i for name, i in COLUMN.items() if name.startswith("partner_")]


def talk(seed: int, minutes: float = 12.0) -> Conversation:
    return simulate(np.random.default_rng(seed), minutes=minutes, family="second")


def null(seen: F64, config: Dyad = CONFIG) -> WrongPartner:
    return wrong_partner(extract(seen, config)[0], seen, config)


def test_true_partners_are_answered_and_strangers_are_not() -> None:
    """The contingency beats its rolls for true partners, for strangers only as chance has it."""
    true, stranger = [], []
    for seed in range(6):
        own, other = talk(seed), talk(100 + seed)
        mine, theirs = null(own.seen), null(own.with_partner(other))
        assert mine.contingency is not None
        assert theirs.contingency is not None
        assert mine.contingency.true > mine.contingency.median
        true.append(mine.contingency.p)
        stranger.append(theirs.contingency.p)
    assert np.median(true) <= 0.05
    assert np.mean(stranger) > 0.2


def test_shares_are_those_of_the_estimator() -> None:
    own = talk(2)
    result = null(own.seen)
    samples = [DyadSample(**dict(zip(COLUMN, row, strict=True))) for row in own.seen.tolist()]
    states = Modes(CONFIG).extend(samples)
    labels = [s.label for s in states if s.t >= CONFIG.min_time_s]
    for label in schema.LABELS:
        assert result.of_total[label].true == pytest.approx(labels.count(label) / len(labels))
    p = np.array([s.p for s in states if s.label not in (schema.NO_DEMAND, schema.INSUFFICIENT)])
    clear = p[p.max(axis=1) >= CONFIG.min_p].argmax(axis=1)
    for k, mode in enumerate(schema.MODES):
        assert result.of_labelled[mode].true == pytest.approx(np.mean(clear == k))
    assert result.contingency is not None
    about = Response(CONFIG.rate_hz).extend(own.seen).contingency
    assert result.contingency.true == pytest.approx(about[-len(labels) :].mean())
    assert sum(a.true for a in result.of_total.values()) == pytest.approx(1.0)
    assert result.labelled_s == pytest.approx(len(clear) / CONFIG.rate_hz)
    assert result.rolls == CONFIG.null_rolls
    assert result.reason == ""


def test_a_roll_is_the_conversation_with_the_partner_so_much_later() -> None:
    seen, start, shift = talk(5, minutes=4.0).seen, 200, 321
    later = seen.copy()
    later[start:, PARTNER] = np.roll(seen[start:, PARTNER], shift, axis=0)
    stance, about = rolled(seen, start, np.array([0, shift]), CONFIG)
    for k, x in enumerate((seen, later)):
        verdict = Response(CONFIG.rate_hz).extend(x)
        np.testing.assert_allclose(stance[:, k], verdict.stance[start:], rtol=1e-6)
        np.testing.assert_allclose(about[:, k], verdict.contingency[start:], rtol=1e-6)
    assert np.abs(about[:, 0] - about[:, 1]).max() > 0.05


def test_p_counts_the_rolls_that_reach_the_session() -> None:
    result = null(talk(1).seen)
    for against in [*result.of_labelled.values(), *result.of_total.values()]:
        assert against.low <= against.median <= against.high
        assert 1 / 40 <= against.p <= 1
        if against.true > against.high:
            assert against.p <= 3 / 40
        if against.true < against.low:
            assert against.p >= 38 / 40


def test_partner_who_comes_round_in_a_cycle_cannot_be_made_wrong() -> None:
    seen = talk(0, minutes=5.0).seen
    x = 2.0 * np.sin(2 * np.pi * np.arange(len(seen)) / 150)  # 30 s
    columns: dict[str, F64 | float] = {
        "partner_arousal": x,
        "partner_valence": -x,
        "partner_ok": 1.0,
        "listener_arousal": 0.8 * x,
        "listener_valence": -0.8 * x,
        "listener_ok": 1.0,
    }
    for name, column in columns.items():
        seen[:, COLUMN[name]] = column
    result = null(seen)
    assert result.repeats > 0.95
    assert "repeats" in result.reason


@pytest.mark.parametrize(
    ("column", "count", "reason"),
    [
        ("", 200, "under 45 s calibrated"),
        ("calibrated", 2000, "under 45 s calibrated"),
        ("partner_ok", 2000, "a clear stance for under 30 s"),
    ],
)
def test_too_little_is_said_and_gives_no_number(column: str, count: int, reason: str) -> None:
    seen = talk(3).seen[:count].copy()
    if column:
        seen[:, COLUMN[column]] = 0.0
    result = null(seen)
    assert result.reason == f"insufficient data: {reason}"
    assert result.of_labelled == {}
    assert result.contingency is None


def test_short_sessions_get_few_rolls() -> None:
    config = dataclasses.replace(CONFIG, null_labelled_s=5.0)
    result = null(talk(4, minutes=2.0).seen, config)
    assert result.rolls == 21  # 80 s of shifts at 4 s and over, and the first
