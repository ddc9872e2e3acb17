from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.features import (
    COLUMN,
    DyadSample,
    extract,
    fading_mean,
    from_evidence,
    to_array,
    to_evidence,
)
from cuesense.dyad.modes import (
    Labels,
    Modes,
    Verdicts,
    judge,
    reasons,
    stances,
)
from cuesense.dyad.simulator import simulate
from cuesense.types import DyadState

CONFIG = Dyad()
DT = 1.0 / CONFIG.rate_hz
MIRROR = {"listener_arousal": 1.6, "listener_valence": -1.2}  # of the partner below
REGULATE = {"listener_arousal": 0.1, "listener_valence": 0.1}


def sample(i: int, **changes: float) -> DyadSample:
    """Sample i of a distressed partner and a listener who mirrors, everything known."""
    values: dict[str, float] = {
        "t": i * DT,
        "partner_arousal": 2.0,
        "partner_valence": -1.5,
        "partner_arousal_sd": 0.1,
        "partner_valence_sd": 0.1,
        "partner_speaking_prob": 0.95,
        "partner_ok": True,
        **MIRROR,
        "listener_arousal_sd": 0.1,
        "listener_valence_sd": 0.1,
        "listener_speaking_prob": 0.05,
        "listener_ok": True,
        "listener_events": float(i % 37 == 0),  # 8.1 a minute
        "listener_gaze_on_partner": 0.75,
        "calibrated": True,
    }
    return DyadSample(**{**values, **changes})  # type: ignore[arg-type]


def last(seconds: float = 40.0, **changes: float) -> DyadState:
    """Return the state after some seconds of the same sample."""
    return Modes(CONFIG).extend([sample(i, **changes) for i in range(round(seconds / DT))])[-1]


def verdicts(
    samples: list[DyadSample], contingency: float, stance: tuple[float, float, float]
) -> Verdicts:
    """Judge samples of somebody with these probabilities."""
    features, _ = extract(to_array(samples), CONFIG)
    n = len(samples)
    return judge(features, np.tile(stance, (n, 1)), np.full(n, contingency), CONFIG)


@pytest.mark.parametrize(
    ("stance", "label", "by_chance"),
    [
        ((0.8, 0.1, 0.1), "mirroring", schema.MOVED),
        ((0.1, 0.8, 0.1), "regulating", schema.CALM),
        ((0.1, 0.1, 0.8), "disengaged", "disengaged"),
        ((0.4, 0.4, 0.2), schema.RESPONDING, schema.INSUFFICIENT),
    ],
)
def test_both_claims_are_needed(
    stance: tuple[float, float, float], label: str, by_chance: str
) -> None:
    samples = [sample(i) for i in range(200)]
    for contingency, expected in ((0.6, label), (0.59, by_chance)):
        found = verdicts(samples, contingency, stance)
        assert schema.LABELS[found.label[-1]] == expected
        why = reasons(CONFIG)[found.reason[-1]]
        if expected in schema.MODES:
            assert why == ""
        elif expected in (schema.MOVED, schema.CALM):
            assert why == "contingency under 60 %"
        else:
            assert why == "no mode above 70 %"
        clear = stances(found.label, found.p, CONFIG)[-1]
        assert clear == (np.argmax(stance) if max(stance) >= 0.7 else -1)


@pytest.mark.parametrize(
    ("changes", "stance"),
    [
        (MIRROR, "mirroring"),
        (
            {
                "listener_arousal": -0.6,
                "listener_valence": -0.05,
                "listener_events": 0.0,
                "listener_gaze_on_partner": 0.2,
            },
            "disengaged",
        ),
    ],
)
def test_textbook_listeners(changes: dict[str, float], stance: str) -> None:
    """A stance is seen at once; that it is about this partner is not shown by one pose."""
    state = last(**changes)
    assert schema.STANCES[state.label] == stance
    assert state.label not in ("mirroring", "regulating")
    assert max(state.p) == state.p[schema.MODES.index(stance)] > 0.7
    assert sum(state.p) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("seconds", "changes", "reason"),
    [
        (9.8, {"calibrated": False, "partner_ok": False}, "under 10 s"),
        (40, {"calibrated": False, "partner_ok": False}, "uncalibrated"),
        (40, {"partner_ok": False, "listener_ok": False}, "coverage of the partner under 60 %"),
        (40, {"listener_ok": False}, "coverage of the listener under 60 %"),
    ],
)
def test_insufficient_says_why(seconds: float, changes: dict[str, float], reason: str) -> None:
    state = last(seconds, **changes)
    assert (state.label, state.reason, state.variant) == ("insufficient", reason, "")
    assert np.isnan(state.p).all()


def test_regulating_without_demand_is_no_demand() -> None:
    calm = {"partner_arousal": 0.7, "partner_valence": -0.7}
    state = last(**calm, listener_arousal=-0.15, listener_valence=0.35)
    assert (state.label, state.reason) == ("no demand", "partner within 0.75 SD of baseline")
    assert np.isfinite(state.p).all()
    assert last(**calm | {"partner_valence": -0.8}, **REGULATE).label != "no demand"


def test_variants() -> None:
    assert last().variant == "escalating"  # steady distress, mirrored
    assert last(**REGULATE).variant == ""
    pleased = {"partner_valence": 1.5, "listener_valence": 1.2}
    assert last(**pleased).variant == "sharing"
    falling = [
        sample(i, partner_arousal=3.0 - 0.02 * i * DT, listener_arousal=2.2) for i in range(200)
    ]
    state = Modes(CONFIG).extend(falling)[-1]
    assert state.label == schema.MOVED
    assert state.variant == ""
    assert state.evidence["partner_slope"] == pytest.approx(-0.02, abs=1e-3)


def test_evidence_is_what_the_schema_says() -> None:
    evidence = last().evidence
    assert set(evidence) == {c.name for c in schema.EVIDENCE}
    assert evidence["partner_arousal"] == pytest.approx(2.0)
    assert evidence["event_rate"] == pytest.approx(8.1, abs=3.0)
    assert evidence["gaze_on_partner"] == pytest.approx(0.75)
    assert evidence["coverage_listener"] == 1.0
    assert evidence["looks"] == 0.75
    assert 0 < evidence["contingency"] < 0.6


def test_the_strongest_competing_explanation_is_told() -> None:
    assert last(seconds=5).rival == ""  # nothing is said yet
    assert last().rival == "too little yet"


def test_partner_is_delayed_and_listener_is_not() -> None:
    def steps(i: int) -> DyadSample:
        new = i >= 100
        return sample(i, partner_arousal=float(new), listener_arousal=float(new))

    features, _ = extract(to_array([steps(i) for i in range(130)]), CONFIG)
    assert (features.partner[:, 0] > 1e-9).argmax() == 103  # 0.6 s later
    assert (features.listener[:, 0] > 1e-9).argmax() == 100


def test_what_comes_after_a_gap_is_not_held_up_by_what_came_before() -> None:
    x = np.concatenate([np.full(100, 3.0), np.full(100, np.nan), np.full(40, -1.0)])
    y, _ = fading_mean(x, 0.05, 0.6)
    assert y[99] == pytest.approx(3.0)
    assert np.isnan(y[120:205]).all()  # the gap, and until enough is there again
    assert y[-1] == pytest.approx(-1.0, abs=0.05)


def test_splits_do_not_matter() -> None:
    rng = np.random.default_rng(3)
    config = dataclasses.replace(CONFIG, min_p=0.6)
    seen = simulate(rng, minutes=6.0, reliability=0.8).seen
    samples = [DyadSample(**dict(zip(COLUMN, row, strict=True))) for row in seen.tolist()]
    whole = Modes(config).extend(samples)
    assert len({s.label for s in whole}) >= 4
    stage, i, pieces = Modes(config), 0, []
    while i < len(samples):
        size = int(rng.integers(1, 30))
        pieces += stage.extend(samples[i : i + size])
        i += size
    single = Modes(config)
    for other in (pieces, [single.push(s) for s in samples]):
        assert [(s.t, s.label, s.reason, s.variant, s.rival) for s in other] == [
            (s.t, s.label, s.reason, s.variant, s.rival) for s in whole
        ]
        for a, b in zip(other, whole, strict=True):
            np.testing.assert_allclose(a.p, b.p, rtol=1e-6)
            np.testing.assert_allclose(
                [*a.evidence.values()], [*b.evidence.values()], rtol=1e-6, atol=1e-9
            )


def test_label_waits_for_calibration_and_goes_with_it() -> None:
    samples = [sample(i, calibrated=i >= 150) for i in range(300)]
    labels = [s.label for s in Modes(CONFIG).extend(samples)]
    assert set(labels[:150]) == {"insufficient"}
    assert labels[150] == schema.MOVED


def test_features_come_back_from_their_evidence() -> None:
    features, _ = extract(to_array([sample(i) for i in range(80)]), CONFIG)
    again = from_evidence(features.t, to_evidence(features))
    for field in dataclasses.fields(features):
        np.testing.assert_allclose(getattr(again, field.name), getattr(features, field.name))


def test_stretches_of_one_label_are_events_without_gaps() -> None:
    stage, events = Labels(), []
    played = ["insufficient"] * 3 + ["mirroring"] * 4 + ["no demand"]
    for i, label in enumerate(played):
        events += stage.push(i * 0.2, label)
    events += stage.flush()
    assert [e.detail for e in events] == ["insufficient", "mirroring", "no demand"]
    assert [e.t for e in events] == pytest.approx([0.0, 0.6, 1.4])
    assert [e.t_end for e in events] == pytest.approx([0.6, 1.4, 1.4])
    assert Labels().flush() == []
