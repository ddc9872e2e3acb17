"""Against a slow reading of the definitions, and on talks whose listener follows or does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from cuesense.config import Entrainment
from cuesense.dyad.entrainment import (
    FEATURES,
    MEASURES,
    Exchanges,
    correlation,
    courses,
    entrainment,
    following,
    proximity,
)
from cuesense.errors import ParameterError
from cuesense.types import F64, Event, Person

SETTINGS = Entrainment()
RATE_HZ = 25.0
USUAL = {"A": (200.0, -30.0, 4.0), "B": (110.0, -26.0, 5.0)}
SPREAD = (2.0, 3.0, 0.5)  # semitones, dB, syllables/s
Columns = dict[Person, dict[str, F64]]


def talk(
    rng: np.random.Generator, turns: int, gain: float
) -> tuple[F64, Columns, list[Event], dict[str, F64]]:
    """Return t, both voices, turns, and the (turns,) deviation of each turn by feature.

    B's turns follow A's by `gain`; A's follow nobody's. Half of the ticks of a turn are unvoiced.
    """
    lengths, gaps = rng.uniform(2.0, 9.0, turns), rng.uniform(0.1, 0.6, turns)
    starts = np.cumsum(np.concatenate(([1.0], (lengths + gaps)[:-1])))
    deviation = rng.normal(size=(3, turns))
    deviation[:, 1::2] *= np.sqrt(1.0 - gain**2)
    deviation[:, 1::2] += gain * deviation[:, ::2][:, : turns // 2]
    t = np.arange(0.0, starts[-1] + lengths[-1] + 1.0, 1.0 / RATE_HZ)
    columns: Columns = {
        "A": {c: np.full(len(t), np.nan) for c in FEATURES.values()},
        "B": {c: np.full(len(t), np.nan) for c in FEATURES.values()},
    }
    events = []
    for k in range(turns):
        who: Person = "A" if k % 2 == 0 else "B"
        start, end = float(starts[k]), float(starts[k] + lengths[k])
        offset = float(gaps[k - 1]) if k else float("nan")
        events.append(Event(start, end, who, "turn", offset))
        voiced = (t >= start) & (t < end) & (rng.random(len(t)) < 0.5)
        f0, level, pace = USUAL[who]
        columns[who]["f0_hz"][voiced] = f0 * 2 ** (SPREAD[0] * deviation[0, k] / 12)
        columns[who]["loudness_db"][voiced] = level + SPREAD[1] * deviation[1, k]
        columns[who]["syllable_rate"][voiced] = pace + SPREAD[2] * deviation[2, k]
    return t, columns, events, dict(zip(FEATURES, deviation, strict=True))


def slowly(before: F64, after: F64, t: F64) -> Mapping[str, float]:
    """Return the three measures, term by term as they are defined."""
    n = len(t)
    nearer = []
    for k in range(n):
        others = [abs(before[j] - after[k]) for j in range(n) if j != k]
        nearer.append(sum(others) / (n - 1) - abs(before[k] - after[k]))
    near = [-abs(before[k] - after[k]) for k in range(n)]
    return {
        "proximity": sum(nearer) / n,
        "convergence": float(np.corrcoef(near, t)[0, 1]),
        "synchrony": float(np.corrcoef(before, after)[0, 1]),
    }


def test_measures_equal_their_definitions_on_a_talk() -> None:
    t, columns, events, truth = talk(np.random.default_rng(1), 61, gain=0.4)
    found = entrainment(t, columns, events, SETTINGS, np.random.default_rng(0))
    assert set(found) == {"A", "B"}
    for person, first in (("B", 1), ("A", 2)):
        own = found[person]  # type: ignore[index]
        assert own.exchanges == dict.fromkeys(FEATURES, 30)
        for i, (name, d) in enumerate(truth.items()):
            # The median over all voiced ticks is what deviations are from.
            ends, answers = d[first - 1 :: 2][:30], d[first::2][:30]
            usual = {
                p: np.nanmedian(
                    12 * np.log2(columns[p]["f0_hz"] / USUAL[p][0])
                    if name == "pitch"
                    else columns[p][FEATURES[name]] - USUAL[p][i]
                )
                for p in ("A", "B")
            }
            other = "A" if person == "B" else "B"
            before = SPREAD[i] * ends - usual[other]
            after = SPREAD[i] * answers - usual[person]
            at = np.array([e.t for e in events[first::2]])[:30]
            for measure, value in slowly(before, after, at).items():
                got = own.measures[name][measure].value
                assert got == pytest.approx(value, abs=1e-9), (person, name, measure)


def test_fast_sums_equal_slow_ones_for_many_series() -> None:
    rng = np.random.default_rng(2)
    before, after, t = rng.normal(size=17), rng.normal(size=(5, 17)).round(1), np.arange(17.0)
    before[3] = before[4] = after[0, 0]  # ties
    expected = [slowly(before, row, t) for row in after]
    assert proximity(before, after) == pytest.approx([e["proximity"] for e in expected])
    assert correlation(before, after) == pytest.approx([e["synchrony"] for e in expected])
    assert np.isnan(correlation(t, np.ones(17)))
    with pytest.raises(ParameterError, match="at least 2"):
        proximity(before[:1], before[:1])


def test_only_who_follows_is_found_to_follow() -> None:
    t, columns, events, _ = talk(np.random.default_rng(3), 100, gain=0.7)
    found = entrainment(t, columns, events, SETTINGS, np.random.default_rng(0))
    assert ("pitch", "synchrony") in found["B"].found
    assert ("level", "proximity") in found["B"].found
    synchrony = found["B"].measures["pace"]["synchrony"]
    assert synchrony.high < 0.4 < synchrony.value
    assert found["A"].found == ()


def test_only_the_edges_of_turns_count() -> None:
    """20-s turns: the last 5 s of A's and the first 5 s of B's agree, the rest does not."""
    rng = np.random.default_rng(5)
    t = np.arange(0.0, 800.0, 1.0 / RATE_HZ)
    columns: Columns = {
        "A": {c: np.full(len(t), np.nan) for c in FEATURES.values()},
        "B": {c: np.full(len(t), np.nan) for c in FEATURES.values()},
    }
    events = []
    for k, value in enumerate(np.repeat(rng.normal(size=20), 2)):
        who: Person = "A" if k % 2 == 0 else "B"
        start = 20.0 * k
        events.append(Event(start, start + 20.0, who, "turn", 0.0 if k else float("nan")))
        inside = (t >= start) & (t < start + 20.0)
        edge = inside & ((t >= start + 15.0) if who == "A" else (t < start + 5.0))
        columns[who]["loudness_db"][inside] = -30.0 + 5.0 * rng.normal()
        columns[who]["loudness_db"][edge] = -30.0 + value
    found = entrainment(t, columns, events, SETTINGS, np.random.default_rng(0))["B"]
    assert found.measures["level"]["synchrony"].value == pytest.approx(1.0)
    assert found.exchanges == {"pitch": 0, "level": 20, "pace": 0}
    assert np.isnan(found.measures["pitch"]["synchrony"].p)


@pytest.mark.parametrize("drift", [0.0, 3.0])
@pytest.mark.parametrize("likeness", [0.0, 0.6])
def test_strangers_are_rarely_found_to_follow(drift: float, likeness: float) -> None:
    """Also if both get louder in the course of the talk, and turns are like the one before."""
    rng, settings = np.random.default_rng(6), Entrainment(draws=199)
    t, talks = np.arange(0.0, 300.0, 10.0), 100
    alarms = np.zeros(len(MEASURES))
    for _ in range(talks):
        x: F64 = rng.normal(size=(2, 30))
        for k in range(1, 30):
            x[:, k] = likeness * x[:, k - 1] + (1 - likeness**2) ** 0.5 * x[:, k]
        x += drift * np.linspace(-0.5, 0.5, 30)
        found = following({"level": Exchanges(t, x[0], x[1])}, settings, rng)
        alarms += [found.measures["level"][m].p <= 0.05 for m in MEASURES]
    assert (alarms <= 13).all(), alarms  # a true rate of 5 % gives more once in 900 runs


def test_without_trend_and_likeness_a_course_is_a_shuffle() -> None:
    rng, t = np.random.default_rng(7), np.arange(20.0)
    x = np.resize([1.0, -1.0, 2.0, -2.0], 20)  # successive ones are unlike: nothing is put back
    drawn = courses(t, x, 50, rng, trend=False)
    assert np.sort(drawn, axis=1) == pytest.approx(np.tile(np.sort(x), (50, 1)))
    assert len(np.unique(drawn, axis=0)) == 50


def test_a_course_keeps_trend_and_likeness() -> None:
    rng, t = np.random.default_rng(8), np.arange(400.0)
    x = 0.01 * t
    for k in range(1, 400):
        x[k] += 0.6 * (x[k - 1] - 0.01 * (k - 1)) + 0.5 * rng.normal()
    drawn = courses(t, x, 200, rng)
    slopes = np.polyfit(t, drawn.T, 1)[0]
    assert slopes.mean() == pytest.approx(np.polyfit(t, x, 1)[0], rel=0.05)
    left = drawn - np.polyfit(t, drawn.T, 1)[0][:, None] * t
    left -= left.mean(axis=1, keepdims=True)
    likeness = (left[:, 1:] * left[:, :-1]).sum(axis=1) / (left**2).sum(axis=1)
    assert likeness.mean() == pytest.approx(0.6, abs=0.1)


def test_too_few_exchanges_say_nothing() -> None:
    t, columns, events, _ = talk(np.random.default_rng(9), 20, gain=0.9)
    found = entrainment(t, columns, events, SETTINGS, np.random.default_rng(0))["B"]
    assert found.reason == "insufficient data: under 15 exchanges"
    assert found.found == ()
    assert np.isnan(found.measures["pitch"]["proximity"].value)
    silent = entrainment(t, columns, [], SETTINGS, np.random.default_rng(0))["A"]
    assert silent.exchanges == dict.fromkeys(FEATURES, 0)
    with pytest.raises(ParameterError, match="equally long"):
        entrainment(t[1:], columns, events, SETTINGS, np.random.default_rng(0))
