"""Turn-taking on scripted speech: what was scripted must come out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.dyad.turns import Turns
from cuesense.errors import ParameterError
from cuesense.types import Event

RATE_HZ = 25.0
Spans = list[tuple[float, float]]


def speech(spans: Spans, duration_s: float) -> np.ndarray:
    """Return the speaking probability per tick of (start, end) spans in multiples of 40 ms."""
    t = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return np.where(
        np.any([(t >= a - 1e-9) & (t < b - 1e-9) for a, b in spans], axis=0), 0.95, 0.05
    )


def events_of(a: Spans, b: Spans, duration_s: float = 20.0) -> list[Event]:
    """Run the stage on a script and return its events in order of their starts."""
    stage = Turns(Config().turns)
    p_a = speech(a or [(-1, -1)], duration_s)
    p_b = speech(b or [(-1, -1)], duration_s)
    events = []
    for i, (x, y) in enumerate(zip(p_a, p_b, strict=True)):
        events += stage.push(i / RATE_HZ, x, y)
    return sorted(events + stage.flush(), key=lambda e: (e.t, e.kind))


def told(events: list[Event]) -> list[tuple[str, str, float, float]]:
    """Return (kind, person, start, end), rounded to 10 ms."""
    return [(e.kind, e.person, round(e.t, 2), round(e.t_end, 2)) for e in events]


def test_alternating_turns_and_their_gaps() -> None:
    events = events_of([(1, 4), (7, 9)], [(4.2, 6.8)])
    assert told(events) == [
        ("turn", "A", 1.0, 4.0),
        ("turn", "B", 4.2, 6.8),
        ("turn", "A", 7.0, 9.0),
    ]
    assert [e.value for e in events] == pytest.approx([np.nan, 0.2, 0.2], nan_ok=True, abs=1e-9)


def test_pauses_within_a_turn_are_bridged_and_long_ones_end_it() -> None:
    events = events_of([(1, 2.4), (2.52, 4), (5.2, 6.6), (8.2, 10)], [])
    assert told(events) == [("turn", "A", 1.0, 6.6), ("turn", "A", 8.2, 10.0)]
    assert np.isnan(events[1].value)  # the floor did not pass


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        ((3.0, 3.4), "within the other's speech"),
        ((4.12, 4.6), "in the other's pause"),
        ((3.8, 4.4), "over the end of the other's utterance"),
    ],
)
def test_backchannel(listener: tuple[float, float], why: str) -> None:
    events = events_of([(1, 4), (4.92, 9)], [listener])
    assert [e for e in told(events) if e[0] != "overlap"] == [
        ("turn", "A", 1.0, 9.0),
        ("backchannel", "B", *listener),
    ], why


def test_short_answer_that_nobody_talks_over_is_a_turn() -> None:
    events = events_of([(1, 4), (8, 10)], [(4.32, 4.8)])
    assert told(events) == [
        ("turn", "A", 1.0, 4.0),
        ("turn", "B", 4.32, 4.8),
        ("turn", "A", 8.0, 10.0),
    ]


def test_short_start_of_a_longer_turn_is_not_a_backchannel() -> None:
    events = events_of([(1, 4)], [(4.32, 4.72), (5.12, 8)])
    assert told(events) == [("turn", "A", 1.0, 4.0), ("turn", "B", 4.32, 8.0)]


def test_backchannel_is_told_while_the_other_talks_on() -> None:
    stage = Turns(Config().turns)
    p_a, p_b = speech([(0, 20)], 20), speech([(3.0, 3.4)], 20)
    told_at = [
        i / RATE_HZ
        for i in range(len(p_a))
        for e in stage.push(i / RATE_HZ, p_a[i], p_b[i])
        if e.kind == "backchannel"
    ]
    assert told_at == pytest.approx([3.6])  # its end and min_pause_s


def test_interruption_takes_the_floor_and_overlap_is_timed() -> None:
    events = events_of([(1, 6)], [(5, 9)])
    assert told(events) == [
        ("turn", "A", 1.0, 6.0),
        ("overlap", "", 5.0, 6.0),
        ("turn", "B", 5.0, 9.0),
    ]
    assert events[2].value == pytest.approx(-1.0)
    assert events[2].detail == "interruption"


def test_long_remark_inside_the_others_turn_has_no_offset() -> None:
    events = events_of([(1, 9), (9.4, 12)], [(4, 6)])
    assert told(events) == [
        ("turn", "A", 1.0, 12.0),
        ("overlap", "", 4.0, 6.0),
        ("turn", "B", 4.0, 6.0),
    ]
    assert np.isnan(events[2].value)
    assert events[2].detail == "within"


def test_both_fall_silent_at_once() -> None:
    events = events_of([(1, 5)], [(3, 5)])
    assert told(events) == [
        ("turn", "A", 1.0, 5.0),
        ("overlap", "", 3.0, 5.0),
        ("turn", "B", 3.0, 5.0),
    ]


def test_speech_at_the_end_is_closed() -> None:
    assert told(events_of([(1, 5)], [], duration_s=3.0)) == [("turn", "A", 1.0, 2.96)]


def test_blips_hovering_and_missing_values_make_no_turn() -> None:
    stage = Turns(Config().turns)
    p = np.full(250, 0.05)
    p[50:52] = 0.9  # 80 ms
    p[100:150] = 0.55  # between the thresholds, from below
    p[180:200] = np.nan
    events = [e for i in range(250) for e in stage.push(i / RATE_HZ, p[i], 0.0)]
    assert events + stage.flush() == []


def test_hysteresis_holds_speech_between_the_thresholds() -> None:
    stage = Turns(Config().turns)
    p = np.full(150, 0.05)
    p[25:50], p[50:100] = 0.9, 0.45
    events = [e for i in range(150) for e in stage.push(i / RATE_HZ, p[i], 0.0)]
    assert told(events + stage.flush()) == [("turn", "A", 1.0, 4.0)]


@pytest.mark.parametrize("seed", range(5))
def test_random_speech_is_conserved(seed: int) -> None:
    """Every utterance of either person ends up in exactly one turn or backchannel."""
    rng = np.random.default_rng(seed)
    spans: list[Spans] = [[], []]
    for person in spans:
        t = 0.0
        while t < 580:
            start = t + 0.24 + 0.04 * float(rng.integers(0, 60))
            t = start + 0.12 + 0.04 * float(rng.integers(0, 80))
            person.append((start, t))
    events = events_of(spans[0], spans[1], 600.0)
    for name, person in zip("AB", spans, strict=True):
        own = [e for e in events if e.person == name]
        for start, end in person:
            holders = [e for e in own if e.t <= start + 1e-6 and end <= e.t_end + 1e-6]
            assert len(holders) == 1
        assert {round(e.t, 2) for e in own} <= {round(s, 2) for s, _ in person}
    assert sum(e.kind == "backchannel" for e in events) > 20


def test_time_must_advance() -> None:
    stage = Turns(Config().turns)
    stage.push(1.0, 0.0, 0.0)
    with pytest.raises(ParameterError, match="later than the tick before"):
        stage.push(1.0, 0.0, 0.0)


def test_shorter_backchannel_limit_makes_it_a_turn() -> None:
    settings = dataclasses.replace(Config().turns, backchannel_s=0.3)
    stage = Turns(settings)
    p_a, p_b = speech([(1, 9)], 12), speech([(3.0, 3.4)], 12)
    events = [e for i in range(len(p_a)) for e in stage.push(i / RATE_HZ, p_a[i], p_b[i])]
    assert "backchannel" not in {e.kind for e in events + stage.flush()}
