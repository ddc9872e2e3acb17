"""What the simulator says of itself, measured on what it gives."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cuesense.dyad.features import to_array
from cuesense.dyad.simulator import (
    DISENGAGED,
    MIRRORING,
    REGULATING,
    SILENT,
    Case,
    Conversation,
    simulate,
)
from cuesense.errors import ParameterError
from cuesense.types import F64

PARTNER, LISTENER = slice(1, 3), slice(7, 9)  # arousal and valence among DyadSample's fields
PARTNER_TALKS, LISTENER_TALKS = 5, 11
FAMILIES = ("first", "second")


@cache
def talks(
    family: str,
    case: Case = "ordinary",
    *,
    count: int = 16,
    minutes: float = 15.0,
    reliability: float = 0.9,
    baseline_sd: float = 0.0,
) -> list[Conversation]:
    return [
        simulate(
            rng,
            family=family,
            case=case,
            minutes=minutes,
            reliability=reliability,
            baseline_sd=baseline_sd,
        )
        for rng in np.random.default_rng(5).spawn(count)
    ]


def correlation(x: F64, y: F64) -> float:
    ok = np.isfinite(x) & np.isfinite(y)
    return float(np.corrcoef(x[ok], y[ok])[0, 1])


def test_a_seed_is_a_conversation() -> None:
    first, again, other = (simulate(np.random.default_rng(s), minutes=2) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.seen, again.seen)
    np.testing.assert_array_equal(first.mode, again.mode)
    assert not np.allclose(first.partner, other.partner)
    assert first.seen.shape == (600, 16)
    np.testing.assert_array_equal(to_array(first.samples), first.seen)
    assert first.samples[5].t == pytest.approx(1.0)
    assert first.samples[0].calibrated is True


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reliability", [0.9, 0.7])
def test_cues_are_as_reliable_as_asked(family: str, reliability: float) -> None:
    found = [
        correlation(c.seen[:, PARTNER][:, i], c.partner[:, i])
        for c in talks(family, reliability=reliability)
        for i in (0, 1)
    ]
    assert np.mean(found) == pytest.approx(reliability, abs=0.03)


def test_a_perfect_cue_is_the_truth() -> None:
    c = simulate(np.random.default_rng(0), minutes=2, reliability=1.0, baseline_sd=0.0, dropout=0.0)
    np.testing.assert_allclose(c.seen[:, PARTNER], c.partner)
    np.testing.assert_allclose(c.seen[:, LISTENER], c.listener)


@pytest.mark.parametrize("family", FAMILIES)
def test_baseline_error_and_gaps(family: str) -> None:
    wrong, missing = [], []
    for c in talks(family, count=60, minutes=4, reliability=1.0, baseline_sd=0.3):
        for columns, state in ((PARTNER, c.partner), (LISTENER, c.listener)):
            off = c.seen[:, columns] - state
            wrong.append(np.nanmean(off, axis=0))
            assert np.nanstd(off, axis=0) == pytest.approx(0.0, abs=1e-9)
            missing.append(np.isnan(off[:, 0]).mean())
        assert (c.seen[:, [3, 4, 9, 10]] == 0.3).all()
    assert np.std(wrong) == pytest.approx(0.3, rel=0.2)
    assert np.mean(missing) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("family", FAMILIES)
def test_arousal_errs_more_without_the_voice(family: str) -> None:
    ratios = []
    for c in talks(family):
        off = c.seen[:, PARTNER] - c.partner
        speaks = c.seen[:, PARTNER_TALKS] > 0.5
        spread = [[np.nanstd(off[s, i]) for i in (0, 1)] for s in (speaks, ~speaks)]
        ratios.append(np.divide(spread[1], spread[0]))
    arousal, valence = np.mean(ratios, axis=0)
    assert arousal == pytest.approx(SILENT, rel=0.1)
    assert valence == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_listener_follows_and_does_not_lead(family: str) -> None:
    """Steps of the truth, mirrored: the lag found is that drawn, plus the response's own."""
    drawn, found = [], []
    for c in talks(family, count=24):
        x, y = np.diff(c.partner[:, 1]), np.diff(c.listener[:, 1])
        inside = c.mode[1:] == MIRRORING
        if inside.mean() < 0.15:
            continue
        lags = np.arange(-25, 26)
        r = [correlation(np.where(inside, np.roll(x, k), np.nan), y) for k in lags]
        drawn.append(c.lag_s[1])
        found.append(0.2 * lags[np.argmax(r)])
    assert min(drawn) >= 0.3
    assert max(drawn) <= 3.0
    assert np.median(np.subtract(found, drawn)) == pytest.approx(0.4, abs=0.4)
    assert correlation(np.array(drawn), np.array(found)) > 0.8


@pytest.mark.parametrize("family", FAMILIES)
def test_modes_do_what_they_are_called(family: str) -> None:
    """In the partner's distress a mirroring listener goes along, a regulating one is warmer."""
    shown: dict[int, list[F64]] = {MIRRORING: [], REGULATING: [], DISENGAGED: []}
    for c in talks(family):
        distress = (c.partner[:, 1] < -1.0) & (c.partner[:, 0] > 0.5)
        for mode, levels in shown.items():
            if (here := distress & (c.mode == mode)).any():
                levels.append(c.listener[here].mean(axis=0))
        assert (c.answers == (c.mode != DISENGAGED)).all()
    mirroring, regulating, disengaged = (np.mean(shown[m], axis=0) for m in range(3))
    assert mirroring[0] > 0.6
    assert mirroring[1] < -0.6
    assert regulating[0] < 0.2
    assert regulating[1] > 0.0
    assert disengaged[0] < 0.0
    assert abs(disengaged[1]) < 0.3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_partner_is_another_sessions_and_nothing_else(family: str) -> None:
    here = talks(family)
    true: list[float] = []
    wrong: list[float] = []
    for i, c in enumerate(here):
        swapped = c.with_partner(here[i - 1])
        np.testing.assert_array_equal(swapped[:, 7:], c.seen[:, 7:])
        np.testing.assert_array_equal(swapped[:, 1:7], here[i - 1].seen[:, 1:7])
        mirrored = c.mode == MIRRORING
        for series, r in ((c.seen, true), (swapped, wrong)):
            r.append(correlation(np.where(mirrored, series[:, 2], np.nan), series[:, 8]))
    assert np.mean(true) > 0.4
    assert abs(np.mean(wrong)) < 0.15
    with pytest.raises(ParameterError, match="other has 300 ticks, must have 4500"):
        here[0].with_partner(simulate(np.random.default_rng(0), minutes=1))


@pytest.mark.parametrize("family", FAMILIES)
def test_sessions_share_no_phase(family: str) -> None:
    """Different sessions' partners do not rise and fall together."""
    for channel in (0, 1):
        series = [c.partner[:, channel] for c in talks(family, count=60, minutes=4)]
        pairs = np.atleast_2d(np.corrcoef(series))[np.triu_indices(60, 1)]
        assert abs(pairs.mean()) < 0.03
        assert 0.1 < pairs.std() < 0.4


@pytest.mark.parametrize("family", FAMILIES)
def test_two_people_take_turns_unless_one_talks_over(family: str) -> None:
    for case, low, high in (("ordinary", 0.0, 0.06), ("talks over", 0.3, 0.7)):
        both = [
            (c.seen[:, [PARTNER_TALKS, LISTENER_TALKS]] > 0.5).all(axis=1).mean()
            for c in talks(family, case, count=6)
        ]
        assert low <= np.mean(both) <= high


@pytest.mark.parametrize("family", FAMILIES)
def test_cases_that_do_not_answer(family: str) -> None:
    cases: tuple[Case, ...] = ("calm by nature", "third thing", "talks over")
    for case in cases:
        for c in talks(family, case, count=6):
            assert not c.answers.any()
    calm = talks(family, "calm by nature", count=6)
    assert np.mean([c.listener[:, 0].mean() for c in calm]) < -0.4
    assert np.mean([c.listener.std() for c in calm]) < 0.6
    together = [
        correlation(c.partner[:, 1], c.listener[:, 1]) for c in talks(family, "third thing")
    ]
    assert np.mean(together) > 0.4  # without either following the other


@pytest.mark.parametrize("family", FAMILIES)
def test_smiles_only_goes_along_with_pleasure_only(family: str) -> None:
    for c in talks(family, "smiles only", count=6):
        assert c.answers.all()
        x, y = np.roll(c.partner[:, 1], round(5 * c.lag_s[1])), c.listener[:, 1]
        assert correlation(x[x > 0], y[x > 0]) > 0.3
        assert abs(correlation(x[x < -0.5], y[x < -0.5])) < 0.3


@pytest.mark.parametrize("family", FAMILIES)
def test_nods_come_after_the_partners_pauses_while_engaged(family: str) -> None:
    """Events per tick in the 3 s after a pause begins, against all ticks."""
    ratio: dict[bool, list[float]] = {True: [], False: []}
    for c in talks(family, count=24):
        speaks = c.seen[:, PARTNER_TALKS] > 0.5
        starts = np.flatnonzero(speaks[:-1] & ~speaks[1:])
        after = np.zeros(len(speaks), bool)
        for k in range(3, 16):
            after[np.minimum(starts + k, len(speaks) - 1)] = True
        for engaged, ratios in ratio.items():
            here = c.answers == engaged
            nods = c.seen[here, 13]
            if nods.sum() >= 10:
                ratios.append(nods[after[here]].mean() / nods.mean())
    assert np.mean(ratio[True]) > 1.15
    assert np.mean(ratio[False]) < np.mean(ratio[True]) - 0.1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"family": "third"}, "family='third' must be one of first, second"),
        ({"case": "odd"}, "case='odd' must be one of ordinary, "),
        ({"reliability": 0.0}, r"reliability=0 must be in \(0, 1\]"),
        ({"dropout": 1.0}, r"dropout=1 must be in \[0, 1\)"),
        ({"baseline_sd": -1.0}, "baseline_sd=-1 must be >= 0"),
        ({"minutes": 0.0}, "minutes=0 must hold two ticks"),
    ],
)
def test_what_is_not_possible_is_said(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        simulate(np.random.default_rng(0), **changes)  # type: ignore[arg-type]
