"""Which bouts are coded: decided by time alone, blind to all that the tool says."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from cuesense.rating import units
from cuesense.rating.units import Unit

RATE_HZ = 5


def drawn(
    seconds: float, *, count: int = 40, unit_s: float = 12.0, from_s: float = 0.0, seed: int = 1
) -> tuple[Unit, ...]:
    """Return the units drawn from ticks at 5 Hz."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rng = np.random.default_rng(seed)
    return units.draw(t, t >= from_s, unit_s=unit_s, count=count, rng=rng)


def test_units_are_of_one_length_in_calibrated_time_and_do_not_overlap() -> None:
    made = drawn(745.4, from_s=45.0)
    assert len(made) == 40
    assert [round(u.end - u.start, 9) for u in made] == [12.0] * 40
    assert made[0].start >= 45.0
    assert made[-1].end <= 745.4 + 1e-6
    assert all(a.end <= b.start + 1e-6 for a, b in itertools.pairwise(made))


def test_what_the_tool_says_has_no_part_in_the_draw() -> None:
    assert set(inspect.signature(units.draw).parameters) == {
        "t",
        "calibrated",
        "unit_s",
        "count",
        "rng",
    }


def test_units_lie_on_one_grid_spread_over_the_whole_session() -> None:
    made = drawn(3600.0)
    steps = np.diff([u.start for u in made]) / 12.0
    assert steps == pytest.approx(np.round(steps))
    assert steps.min() >= 7
    assert steps.max() <= 8
    assert made[0].start < 96
    assert made[-1].end > 3504


def test_each_cell_is_as_likely_as_any_other() -> None:
    times = [u.start for seed in range(2000) for u in drawn(1200.0, count=30, seed=seed)]
    counts = np.bincount(np.round(np.array(times) / 12.0).astype(int), minlength=100)
    assert len(counts) == 100
    # 600 expected of each; a binomial count's SD is 20.
    assert np.abs(counts - 600).max() < 100


def test_a_session_is_drawn_alike_each_time_and_another_seed_otherwise() -> None:
    assert drawn(1200) == drawn(1200)
    assert drawn(1200) != drawn(1200, seed=2)


def test_little_time_gives_few_units_and_none_gives_none() -> None:
    assert len(drawn(30)) == 2
    assert drawn(11) == ()
    assert drawn(300, from_s=1e9) == ()


def test_a_tick_belongs_to_one_unit() -> None:
    t = np.arange(0, 48, 0.2)
    cells = [Unit(i * 12.0, (i + 1) * 12.0) for i in range(4)]
    rows = [units.within(t, cell) for cell in cells]
    assert [(r.start, r.stop) for r in rows] == [(0, 60), (60, 120), (120, 180), (180, 240)]


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
