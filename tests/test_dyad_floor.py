"""Turns of a session against what was scripted, and against a plain reading of the definitions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from cuesense.config import Turns
from cuesense.dyad.floor import OVERLAPS, floor_passes, peaks, space, summarise
from cuesense.errors import ParameterError
from cuesense.types import F64, Event, Person
from test_dyad_turns import events_of

NAN = float("nan")
SETTINGS = Turns()
RNG = np.random.default_rng


def test_summary() -> None:
    events = events_of([(1, 4), (4.92, 9), (12.52, 15)], [(3.0, 3.4), (9.32, 13.52)])
    summary = summarise(events, 20.0, RNG(0))
    assert summary.turns == {"A": 2, "B": 1}
    assert summary.talk_share["A"] == pytest.approx((8 + 2.48) / (8 + 2.48 + 4.2))
    assert summary.median_offset_s == pytest.approx({"A": -1.0, "B": 0.32})
    assert np.isnan(summary.offset_s["A"].low)  # one offset has no interval
    assert summary.interruptions == {"A": 1, "B": 0}
    assert summary.interrupting["A"].value == 0.5
    assert 0.05 < summary.interrupting["A"].low < 0.5 < summary.interrupting["A"].high < 0.95
    assert summary.backchannels_per_min == pytest.approx({"A": 0.0, "B": 3.0})
    assert summary.silence_share == pytest.approx(1 - (8 + 5.68) / 20)
    assert summary.overlap_share == pytest.approx((0.4 + 1.0) / 20)


def test_summary_of_silence_is_missing_not_zero() -> None:
    summary = summarise([], 10.0, RNG(0))
    assert np.isnan(summary.talk_share["A"])
    assert np.isnan(summary.median_offset_s["B"])
    assert np.isnan(summary.interrupting["A"].value)
    assert summary.silence_share == 1.0
    assert np.isnan(summary.silence.p)
    with pytest.raises(ParameterError, match="duration_s=0"):
        summarise([], 0.0, RNG(0))


def test_overlaps_are_told_apart() -> None:
    events = events_of(
        [(1, 6), (10, 16), (20, 30), (34, 40)],
        [
            (3.0, 3.6),  # mm-hm
            (5.72, 9.8),  # comes in a little early
            (14.8, 19.8),  # takes the floor
            (22.0, 24.0),  # tries to
        ],
        duration_s=42.0,
    )
    found = summarise(events, 42.0, RNG(0)).overlaps
    assert tuple(found) == OVERLAPS
    assert found == {"interruption": 1, "backchannel": 1, "attempt": 1, "passing": 1}


def taking_turns(rng: np.random.Generator, n: int, waits: F64 | None = None) -> list[Event]:
    """Return turns of A and B that alternate; B begins after these waits."""
    t, events = 0.0, []
    for k in range(n):
        offset = 0.2 if waits is None or k % 2 == 0 else float(waits[k // 2])
        start = t + (offset if k else 0.0)
        end = start + rng.uniform(3.0, 9.0)
        person: Person = "AB"[k % 2]  # type: ignore[assignment]
        events.append(Event(start, end, person, "turn", offset if k else NAN))
        t = end
    return events


def test_people_who_take_turns_are_less_silent_than_chance() -> None:
    events = taking_turns(RNG(1), 80)
    found = summarise(events, events[-1].t_end, RNG(0))
    assert found.silence.value == pytest.approx(found.silence_share)
    assert found.silence.p <= 0.05
    assert found.silence.value < found.silence.low < found.silence.median < 0.5


def test_chance_of_silence_is_that_of_speech_moved_by_hand() -> None:
    events = taking_turns(RNG(2), 30)
    length = 0.1 * round(events[-1].t_end / 0.1)
    found = summarise(events, length, RNG(0)).silence
    t = np.arange(round(length / 0.1))
    speech = {
        p: np.any(
            [(t >= round(e.t / 0.1)) & (t < round(e.t_end / 0.1)) for e in events if e.person == p],
            axis=0,
        )
        for p in "AB"
    }
    moved = [np.mean(~speech["A"] & ~np.roll(speech["B"], k)) for k in range(150, len(t) - 149, 10)]
    assert found.median == pytest.approx(np.median(moved), abs=0.01)
    assert found.low == pytest.approx(np.quantile(moved, 0.025), abs=0.015)


def test_the_floor_passes_between_people_only() -> None:
    events = events_of([(1, 4), (6, 9)], [(3.0, 3.4), (9.2, 12.0)])
    assert [(a.person, b.person, round(b.t, 2)) for a, b in floor_passes(events)] == [
        ("A", "B", 9.2)
    ]


# ---- peaks and space -------------------------------------------------------------------------


def test_a_peak_lasts_until_both_are_back() -> None:
    arousal = np.array([0.0, 1.2, 0.8, 0.6, 0.4, 0.8, NAN, 0.0, 0.0, 0.3])
    valence = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -0.8, -1.5, -0.7, 0.0])
    expected = [False, True, True, True, False, False, False, True, True, False]
    assert peaks(arousal, valence, SETTINGS).tolist() == expected
    nothing = np.full(3, NAN)
    assert not peaks(nothing, nothing, SETTINGS).any()


def test_peaks_do_not_look_ahead() -> None:
    rng = RNG(0)
    arousal, valence = rng.normal(size=(2, 300))
    whole = peaks(arousal, valence, SETTINGS)
    for n in (1, 57, 200):
        assert (peaks(arousal[:n], valence[:n], SETTINGS) == whole[:n]).all()


def talk(seed: int, extra_s: float, exchanges: int = 70) -> tuple[list[Event], F64, F64]:
    """Return turns, t, and A's arousal with bouts; B waits `extra_s` longer after these."""
    rng = RNG(seed)
    n = 2 * exchanges
    high = np.repeat(rng.random(n // 4 + 1) < 0.3, 2)[:exchanges]  # bouts of two exchanges
    waits = rng.gamma(2.0, 0.25, exchanges) + extra_s * high
    events = taking_turns(rng, n, waits)
    t = np.arange(0.0, events[-1].t_end, 0.2)
    arousal = rng.normal(0.0, 0.1, len(t))
    for k, e in enumerate(events):
        if e.person == "A" and high[k // 2]:
            arousal[(t >= e.t) & (t <= e.t_end)] += 1.5
    return events, t, arousal


def test_space_that_was_given_is_found() -> None:
    events, t, arousal = talk(3, extra_s=1.0)
    found = space(events, "B", t, arousal, np.full(len(t), NAN), SETTINGS, RNG(0))
    assert found.reason == ""
    assert found.after + found.otherwise == 70
    assert found.difference_s.value == pytest.approx(found.after_s - found.otherwise_s)
    assert 0.6 < found.difference_s.low < found.difference_s.value < found.difference_s.high < 1.4
    assert found.chance.p <= 0.05
    assert found.chance.high < found.difference_s.value
    assert len(found.longest) == 3
    assert all(end - start > found.after_s for start, end in found.longest)


def test_space_equals_a_plain_reading_of_its_definition() -> None:
    events, t, arousal = talk(4, extra_s=0.3)
    found = space(events, "B", t, arousal, np.zeros(len(t)), SETTINGS, RNG(0))
    after: list[float] = []
    otherwise: list[float] = []
    up = False
    state = []
    for a in arousal:
        up = a >= SETTINGS.peak or (up and a >= SETTINGS.peak_off)
        state.append(up)
    for ended, answer in zip(events[::2], events[1::2], strict=True):
        recent = [s for s, at in zip(state, t, strict=True) if -5.0 <= at - ended.t_end <= 0.0]
        (after if any(recent) else otherwise).append(answer.t - ended.t_end)
    assert (found.after, found.otherwise) == (len(after), len(otherwise))
    assert found.after_s == pytest.approx(np.median(after))
    assert found.otherwise_s == pytest.approx(np.median(otherwise))


def test_space_that_was_not_given_is_rarely_found() -> None:
    def alarms() -> Iterator[bool]:
        for seed in range(60):
            events, t, arousal = talk(seed, extra_s=0.0)
            found = space(events, "B", t, arousal, np.zeros(len(t)), SETTINGS, RNG(0))
            yield found.chance.p <= 0.05

    assert sum(alarms()) <= 8  # a true rate of 5 % gives more once in 200 runs


def test_a_partner_who_goes_on_was_given_the_time() -> None:
    events = [
        Event(0.0, 5.0, "A", "turn", NAN),
        Event(8.0, 12.0, "A", "turn", NAN),  # nobody spoke for 3 s
        Event(12.5, 14.0, "B", "turn", 0.5),
    ]
    t = np.arange(0.0, 14.0, 0.2)
    settings = dataclasses.replace(SETTINGS, peak_answers=1)
    found = space(events, "B", t, np.where(t < 5.0, 2.0, 0.0), 0 * t, settings, RNG(0))
    assert (found.after_s, found.otherwise_s) == pytest.approx((3.0, 0.5))
    assert found.longest == ((5.0, 8.0),)


def test_space_needs_waits_of_both_kinds() -> None:
    events, t, arousal = talk(3, extra_s=1.0)
    calm = space(events, "B", t, np.zeros(len(t)), np.zeros(len(t)), SETTINGS, RNG(0))
    assert calm.reason.startswith("insufficient data: under 6 waits after a peak")
    assert calm.after == 0
    assert np.isnan([calm.difference_s.value, calm.chance.p]).all()
    nobody = space([], "B", t, arousal, arousal, SETTINGS, RNG(0))
    assert nobody.reason
    with pytest.raises(ParameterError, match="equally long"):
        space(events, "B", t, arousal[1:], arousal, SETTINGS, RNG(0))
