"""Which bouts are coded: blind to the tool's boundaries, each of its answers among them."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from cuesense.rating import units
from cuesense.rating.units import ANSWERS, CANNOT_TELL, Unit

RATE_HZ = 5


def drawn(
    labels: list[str], *, count: int = 40, unit_s: float = 12.0, from_s: float = 0.0, seed: int = 1
) -> tuple[np.ndarray, tuple[Unit, ...]]:
    """Ticks (s) of these labels at 5 Hz, and the units drawn from them."""
    t = np.arange(len(labels)) / RATE_HZ
    rng = np.random.default_rng(seed)
    made = units.draw(t, labels, t >= from_s, unit_s=unit_s, count=count, rng=rng)
    return t, made


def spells(*parts: tuple[str, float]) -> list[str]:
    return [label for label, seconds in parts for _ in range(round(seconds * RATE_HZ))]


def test_units_are_of_one_length_in_calibrated_time_and_do_not_overlap() -> None:
    labels = spells(("insufficient", 45), ("mirroring", 400), ("regulating", 300.4))
    _, made = drawn(labels, from_s=45.0)
    assert len(made) == 40
    assert [round(u.end - u.start, 9) for u in made] == [12.0] * 40
    assert made[0].start >= 45.0
    assert made[-1].end <= 745.4 + 1e-6
    assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(made))


def test_boundaries_do_not_follow_the_tools_labels() -> None:
    one, other = spells(("mirroring", 700)), spells(*[("mirroring", 7), ("regulating", 7)] * 50)
    starts = [
        {round((u.start - drawn(labels)[1][0].start) % 12.0, 6) % 12.0 for u in drawn(labels)[1]}
        for labels in (one, other)
    ]
    assert starts == [{0.0}, {0.0}], "all lie on one grid of 12 s, wherever labels change"


def test_rare_answers_occur_and_weights_lead_back_to_the_sessions_time() -> None:
    labels = spells(("regulating", 1200), ("mirroring", 72), ("disengaged", 36), ("no demand", 600))
    t, made = drawn(labels)
    answers = units.tool_answers(t, labels, made)
    counts = Counter(answers)
    assert counts["disengaged"] >= 2
    assert counts["mirroring"] >= 5
    assert counts["regulating"] <= 18, "shared out evenly, not by time"
    weights = np.array([u.weight for u in made])
    share = sum(w for w, a in zip(weights, answers, strict=True) if a == "regulating")
    assert share / weights.sum() == pytest.approx(1200 / 1908, abs=0.02)
    assert weights.sum() == pytest.approx(1908 // 12)


def test_a_session_is_drawn_alike_each_time_and_another_seed_otherwise() -> None:
    labels = spells(("regulating", 1200))
    assert drawn(labels)[1] == drawn(labels)[1]
    assert drawn(labels)[1] != drawn(labels, seed=2)[1]


def test_little_time_gives_few_units_and_none_gives_none() -> None:
    assert len(drawn(spells(("regulating", 30)))[1]) == 2
    assert drawn(spells(("regulating", 11)))[1] == ()
    assert drawn(spells(("regulating", 300)), from_s=1e9)[1] == ()


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        (["mirroring"] * 3 + ["regulating"] * 2, "mirroring"),
        (["mirroring"] * 2 + ["regulating"] * 2, CANNOT_TELL),
        (["insufficient"] * 3 + ["regulating"] * 2, CANNOT_TELL),
        (["no demand"], "no demand"),
        (["responding"] * 2 + ["insufficient"] * 2 + ["disengaged"] * 3, CANNOT_TELL),
        ([], CANNOT_TELL),
    ],
)
def test_the_tools_answer_is_its_most_frequent_one(labels: list[str], answer: str) -> None:
    assert units.tool_answer(labels) == answer


def test_a_tick_belongs_to_one_unit() -> None:
    t = np.arange(0, 48, 0.2)
    cells = [Unit(i * 12.0, (i + 1) * 12.0, 1.0) for i in range(4)]
    rows = [units.within(t, cell) for cell in cells]
    assert [(r.start, r.stop) for r in rows] == [(0, 60), (60, 120), (120, 180), (180, 240)]


@pytest.mark.parametrize(
    ("sizes", "count", "shares"),
    [
        ([100, 3, 50], 40, {(19, 3, 18), (18, 3, 19)}),
        ([2, 2], 40, {(2, 2)}),
        ([5], 3, {(3,)}),
        ([9, 9, 9], 1, {(1, 0, 0), (0, 1, 0), (0, 0, 1)}),
        ([], 5, {()}),
    ],
)
def test_units_are_shared_out_evenly(
    sizes: list[int], count: int, shares: set[tuple[int, ...]]
) -> None:
    seen = {tuple(units.allot(sizes, count, np.random.default_rng(i))) for i in range(20)}
    assert seen <= shares
    assert len(seen) == len(shares)


def test_each_rater_has_an_order_of_their_own_that_stays() -> None:
    anna, ben = (units.order_for(name, 7, 40) for name in ("anna", "ben"))
    assert sorted(anna) == sorted(ben) == list(range(40))
    assert anna != ben
    assert anna == units.order_for("anna", 7, 40)
    # A different seed of the same session would give another one.
    assert anna != units.order_for("anna", 8, 40)


def test_the_seed_is_that_of_the_recording() -> None:
    meta = {"source": {"sha256": ["ab"]}, "created": "2026-11-23"}
    assert units.seed_of(meta) == units.seed_of({**meta, "created": "2027-01-01"})
    live = {"source": {"sha256": []}, "created": "2026-11-23"}
    assert units.seed_of(live) != units.seed_of({**live, "created": "2027-01-01"})


def test_the_answers_are_the_tools_modes_and_two_more() -> None:
    assert ANSWERS == ("mirroring", "regulating", "disengaged", "no demand", "cannot tell")
