"""Stance and contingency: streams, gaps, nulls, and what they reach on simulated people."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest

from cuesense import schema
from cuesense.dyad.contingency import LATE_S, LINKS, Contingency
from cuesense.dyad.features import COLUMN
from cuesense.dyad.memory import Memory
from cuesense.dyad.modes import contingency_columns
from cuesense.dyad.response import (
    CALM,
    CLAIMS,
    DISENGAGED,
    MIRRORING,
    MOVED,
    REGULATING,
    RESPONDING,
    UNCLEAR,
    Response,
    Verdict,
    claims,
    rival,
)
from cuesense.dyad.simulator import Case, Conversation, simulate
from cuesense.types import F64

RATE_HZ = 5.0
AFFECT = ("arousal", "valence")
PARTNER = [i for name, i in COLUMN.items() if name.startswith("partner_")]


@cache
def talks(case: Case = "ordinary", count: int = 12, minutes: float = 12.0) -> list[Conversation]:
    return [
        simulate(rng, minutes=minutes, family="second", case=case, reliability=0.9)
        for rng in np.random.default_rng(77).spawn(count)
    ]


def together(here: list[Conversation], partner: int = 0) -> F64:
    """Return (n, sessions, fields), each with the partner of `partner` sessions further on."""
    there = [*here[partner:], *here[:partner]]
    pairs = zip(here, there, strict=True)
    return np.stack([a.with_partner(b) if partner else a.seen for a, b in pairs], axis=1)


def fields(verdict: Verdict) -> list[F64]:
    return [np.asarray(getattr(verdict, f.name)) for f in dataclasses.fields(verdict)]


def test_pieces_give_what_the_whole_gives() -> None:
    rng = np.random.default_rng(2)
    seen = simulate(rng, minutes=3, family="second", dropout=0.3).seen
    whole = Response(RATE_HZ).extend(seen)
    stage, pieces, i = Response(RATE_HZ), [], 0
    while i < len(seen):
        size = int(rng.integers(1, 40))
        pieces.append(stage.extend(seen[i : i + size]))
        i += size
    for parts, expected in zip(zip(*map(fields, pieces), strict=True), fields(whole), strict=True):
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-9, atol=1e-12)


def test_samples_and_arrays_are_one() -> None:
    talk = simulate(np.random.default_rng(3), minutes=0.2)
    whole = Response(RATE_HZ).samples(talk.samples)
    stage = Response(RATE_HZ)
    single = [stage.push(s) for s in talk.samples]
    assert [float(v.contingency[0]) for v in single] == pytest.approx(list(whole.contingency))


def test_many_conversations_at_once_are_each_on_their_own() -> None:
    here = talks()[:3]
    many = Response(RATE_HZ).extend(together(here)[:900])
    for i, talk in enumerate(here):
        alone = Response(RATE_HZ).extend(talk.seen[:900])
        for a, b in zip(fields(many), fields(alone), strict=True):
            np.testing.assert_allclose(a[:, i], b, rtol=1e-9, atol=1e-12)


def test_a_wrong_partner_is_this_partner_some_time_ago() -> None:
    seen = talks()[0].seen[:1500]
    found = Contingency(RATE_HZ).extend(seen)
    ticks = round(LATE_S[0] * RATE_HZ)
    late = seen.copy()
    late[ticks:, PARTNER] = seen[:-ticks, PARTNER]
    late[:ticks, PARTNER] = np.nan
    expected = Contingency(RATE_HZ).extend(late)
    there = round((60 + LATE_S[0]) * RATE_HZ)
    assert np.isnan(found.wrong[: there - 1, 0]).all()
    np.testing.assert_allclose(found.wrong[there:, 0], expected.z[there:], atol=1e-9)


def test_nothing_seen_says_nothing() -> None:
    seen = talks()[0].seen[:1500].copy()
    seen[:, 1:15] = np.nan
    verdict = Response(RATE_HZ).extend(seen)
    assert (verdict.evidence == 0).all()
    assert np.isfinite(verdict.stance).all()
    assert not np.isin(verdict.claim, [MIRRORING, REGULATING, RESPONDING]).any()


def test_without_states_there_is_no_stance() -> None:
    """Not before the first ones are there, and not long after the last."""
    seen = talks()[0].seen[:2400].copy()
    states = [COLUMN[f"{who}_{c}"] for who in ("partner", "listener") for c in AFFECT]
    missing = slice(*(COLUMN[n] for n in ("listener_ok", "calibrated")))
    for rows in (slice(0, 600), slice(1400, None)):
        seen[rows, states] = np.nan
        seen[rows, missing] = 0.0
        seen[rows, COLUMN["listener_gaze_on_partner"]] = np.nan
    stance = Response(RATE_HZ).extend(seen).stance
    np.testing.assert_allclose(stance[:600], np.broadcast_to(stance[0], (600, 3)), atol=0.02)
    assert stance[600:1400].max() > 0.8
    assert stance[-1].max() < 0.5


def test_a_partner_who_is_not_seen_is_not_a_partner_at_rest() -> None:
    """Whoever is moved while the partner is hidden has not shown not to mirror."""
    seen = talks()[0].seen[:600].copy()
    seen[:, PARTNER] = np.nan
    seen[:, [COLUMN[f"listener_{c}"] for c in AFFECT]] = 2.0
    seen[:, COLUMN["listener_gaze_on_partner"]] = np.nan
    seen[:, COLUMN["listener_ok"]] = 0.0
    stance = Response(RATE_HZ).extend(seen).stance
    np.testing.assert_allclose(stance[-1], stance[0], atol=0.02)


def test_a_person_is_learned() -> None:
    """Who is livelier than others by nature is mistaken at first, and less later."""
    mode = np.stack([c.mode for c in talks()], axis=1)
    seen = together(talks())
    lively = seen.copy()
    lively[..., COLUMN["listener_arousal"]] += 1.0
    right = [Response(RATE_HZ).extend(x).stance.argmax(axis=-1) == mode for x in (seen, lively)]
    lost = right[0].mean(axis=1) - right[1].mean(axis=1)
    assert lost[2400:].mean() < 0.05
    assert lost[2400:].mean() < lost[:600].mean()


def test_the_stance_on_people_it_was_not_fitted_on() -> None:
    mode = np.stack([c.mode for c in talks()], axis=1)
    stance = Response(RATE_HZ).extend(together(talks())).stance[150:]
    true, found = mode[150:], stance.argmax(axis=-1)
    hits = [np.mean(true[found == k] == k) for k in range(3)]
    recalls = [np.mean(found[true == k] == k) for k in range(3)]
    assert min(hits) > 0.6
    assert min(recalls) > 0.6
    sure = stance.max(axis=-1)
    assert abs(np.mean(true == found) - sure.mean()) < 0.08, "it is about as sure as it is right"


def test_a_gap_leaves_what_was_found_and_adds_nothing() -> None:
    seen = talks()[1].seen.copy()
    seen[2400:2700, 1:15] = np.nan  # a minute
    whole = Contingency(RATE_HZ).extend(seen).z
    assert np.isfinite(whole).all()
    np.testing.assert_allclose(whole[2690], whole[2430], atol=0.35)


def test_an_error_of_the_baseline_does_not_matter() -> None:
    seen = talks()[2].seen
    moved = seen.copy()
    moved[:, COLUMN["listener_arousal"]] += 1.0
    a, b = (Contingency(RATE_HZ).extend(x).z[-1] for x in (seen, moved))
    i = [k for k, name in enumerate(LINKS) if "to arousal" in name]
    np.testing.assert_allclose(a[i], b[i], atol=0.15)


def test_slow_strangers_give_links_of_no_size() -> None:
    wrong = Contingency(RATE_HZ).extend(together(talks(), 1)).z[-1]
    assert np.abs(wrong.mean(axis=0)).max() < 0.6
    assert wrong.std(axis=0).max() < 1.5


@pytest.mark.parametrize(
    ("stance", "contingency", "said"),
    [
        ((0.9, 0.05, 0.05), 0.9, MIRRORING),
        ((0.05, 0.9, 0.05), 0.9, REGULATING),
        ((0.05, 0.05, 0.9), 0.9, DISENGAGED),
        ((0.05, 0.05, 0.9), 0.1, DISENGAGED),
        ((0.5, 0.4, 0.1), 0.9, RESPONDING),
        ((0.05, 0.9, 0.05), 0.5, CALM),
        ((0.9, 0.05, 0.05), 0.5, MOVED),
        ((0.5, 0.4, 0.1), 0.5, UNCLEAR),
    ],
)
def test_a_mode_is_said_where_both_claims_hold(
    stance: tuple[float, float, float], contingency: float, said: int
) -> None:
    got = claims(np.array([stance]), np.array([contingency]))
    assert CLAIMS[got[0]] == CLAIMS[said]


def test_the_columns_are_the_links_over_all_bands() -> None:
    verdict = Response(RATE_HZ).extend(talks()[0].seen)
    columns = contingency_columns(verdict)
    assert set(columns) == {"contingency", "contingency_by_chance", "lead", *schema.LINKS}
    links = np.stack([columns[name] for name in schema.LINKS])
    np.testing.assert_allclose(links.sum(axis=0), verdict.evidence.sum(axis=-1))
    there = np.isfinite(columns["contingency_by_chance"])
    assert there.argmax() == round(90 * RATE_HZ) - 1
    assert there[round(90 * RATE_HZ) :].all()


@pytest.mark.parametrize(
    ("contingency", "chance", "lead", "said"),
    [
        (0.5, [0.1, 0.2, np.nan], 0.3, "too little yet"),
        (0.5, [np.nan, np.nan], -0.3, "too little yet"),
        (0.5, [0.1, 0.6, 0.1], -0.3, "own manner"),
        (0.7, [0.9, 0.9, 0.9], 0.3, "mirroring"),
        (0.7, [0.1, 0.2, 0.1], -0.3, "something else"),
    ],
)
def test_the_rival_says_what_else_it_could_be(
    contingency: float, chance: list[float], lead: float, said: str
) -> None:
    assert rival(np.array([0.1, 0.85, 0.05]), contingency, np.array(chance), lead) == said
    assert said in schema.RIVALS


def test_where_both_follow_a_third_thing_the_partner_does_not_lead() -> None:
    """Sessions of the family that nothing was fitted on."""
    at = round(600 * RATE_HZ)
    leads = [
        Response(RATE_HZ).extend(np.stack([c.seen for c in talks(case)], axis=1)).lead[at]
        for case in ("ordinary", "third thing")
    ]
    ordinary, third = leads
    assert np.median(ordinary) > 0.02
    assert abs(np.median(third)) < np.median(ordinary)
    assert (ordinary > 0).mean() >= (third > 0).mean() + 0.2


def test_true_partners_are_told_from_wrong_ones() -> None:
    """Twelve sessions of the family that was not fitted on; the benchmark has the figures."""
    here = talks()
    true, wrong = (Response(RATE_HZ).extend(together(here, k)) for k in (0, 1))
    at = round(600 * RATE_HZ)
    pairs = true.contingency[at][:, None] > wrong.contingency[at][None, :]
    assert pairs.mean() > 0.85
    shown = [np.mean(v.claim[at:] <= REGULATING) for v in (true, wrong)]
    assert shown[1] < 0.5 * shown[0]
    mode = np.stack([c.mode for c in here], axis=1)
    named = true.claim <= REGULATING
    assert np.mean(true.claim[named] == mode[named]) > 0.8


def test_who_is_calm_by_nature_is_not_said_to_regulate() -> None:
    verdict = Response(RATE_HZ).extend(together(talks("calm by nature")))
    assert np.mean(verdict.claim == REGULATING) < 0.15


def test_memory_forgets_and_delays() -> None:
    memory = Memory(RATE_HZ)
    memory.begin()
    x = np.concatenate((np.ones(200), np.full(100, np.nan)))
    assert memory.mean(np.ones(300), 4.0)[-1] == pytest.approx(1.0)
    held = memory.present(x, 4.0, 0.1)
    assert held[199] == held[230] == pytest.approx(1.0)  # what was there, while it weighs enough
    assert held[-1] == 0.0
    late = memory.delay(np.arange(300.0), 1.0)
    assert late[4] == 0.0
    np.testing.assert_array_equal(late[5:], np.arange(295.0))
