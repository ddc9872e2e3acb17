from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from cuesense import schema
from cuesense.config import Dyad
from cuesense.dyad.features import (
    DyadSample,
    Features,
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
    mode_log_likelihood,
    posterior,
    stances,
)
from cuesense.types import DyadState
from dyad_simulator import converse, macro_f1, smoothed_noise_sd

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


def verdicts(samples: list[DyadSample], contingency: float = 1.0) -> Verdicts:
    """Judge samples of somebody who answers with this probability."""
    features, _ = extract(to_array(samples), CONFIG)
    return judge(features, np.full(len(samples), contingency), CONFIG)


def one(partner: list[float], listener: list[float], **changes: float) -> Features:
    """Return the features of one moment."""
    nan = np.full(1, np.nan)
    return Features(
        t=np.zeros(1),
        elapsed_s=np.full(1, 99.0),
        calibrated=np.ones(1, bool),
        partner=np.array([partner]),
        listener=np.array([listener]),
        partner_var=np.array([[0.04, 0.09]]),
        listener_var=np.array([[0.16, 0.25]]),
        partner_slope=nan,
        coverage=np.ones((1, 2)),
        event_rate=np.full(1, changes.get("event_rate", np.nan)),
        gaze=np.full(1, changes.get("gaze", np.nan)),
    )


def test_affect_likelihood_is_the_normal_with_uncertain_gain_and_offset() -> None:
    got = mode_log_likelihood(one([1.5, -2.0], [0.7, 0.4]), CONFIG)[0]
    for k, mode in enumerate((CONFIG.mirroring, CONFIG.regulating, CONFIG.disengaged)):
        for c, (x, y, var_x, var_y, g, o) in enumerate(
            (
                (1.5, 0.7, 0.04, 0.16, mode.gain_arousal, mode.offset_arousal),
                (-2.0, 0.4, 0.09, 0.25, mode.gain_valence, mode.offset_valence),
            )
        ):
            sd = math.sqrt((g[1] * x) ** 2 + o[1] ** 2 + var_y + g[0] ** 2 * var_x)
            assert got[c, k] == pytest.approx(stats.norm.logpdf(y, g[0] * x + o[0], sd))


def test_events_are_negative_binomial_and_gaze_is_weighted_bernoulli() -> None:
    count = 3  # in the 15-s window
    got = mode_log_likelihood(one([1, 1], [1, 1], event_rate=4.0 * count, gaze=0.9), CONFIG)[0]
    modes = (CONFIG.mirroring, CONFIG.regulating, CONFIG.disengaged)
    r, mean = CONFIG.events_r, [m.events_per_min / 4.0 for m in modes]
    events = np.array([stats.nbinom.logpmf(count, r, r / (r + m)) for m in mean])
    assert got[2] - got[2, 0] == pytest.approx(events - events[0])
    looks = np.array([3 * (0.9 * math.log(m.gaze) + 0.1 * math.log(1 - m.gaze)) for m in modes])
    assert got[3] == pytest.approx(looks)


def test_missing_channels_say_nothing_and_no_affect_means_no_posterior() -> None:
    full = one([1.5, -2.0], [0.7, 0.4], event_rate=8.0, gaze=0.7)
    half = one([1.5, np.nan], [0.7, 0.4], event_rate=8.0)
    scores = mode_log_likelihood(full, CONFIG)
    scores[:, [1, 3]] = 0.0
    assert posterior(mode_log_likelihood(half, CONFIG)) == pytest.approx(posterior(scores))
    none = one([1.5, np.nan], [np.nan, 0.4], event_rate=8.0, gaze=0.7)
    assert np.isnan(posterior(mode_log_likelihood(none, CONFIG))).all()


@pytest.mark.parametrize(
    ("changes", "label", "by_chance"),
    [
        (MIRROR, "mirroring", schema.MOVED),
        (REGULATE, "regulating", schema.CALM),
        (
            {
                "listener_arousal": -0.6,
                "listener_valence": -0.05,
                "listener_events": 0.0,
                "listener_gaze_on_partner": 0.2,
            },
            "disengaged",
            "disengaged",
        ),
    ],
)
def test_textbook_listeners(changes: dict[str, float], label: str, by_chance: str) -> None:
    """A stance is seen at once; that it is about this partner has to be shown as well."""
    answered = verdicts([sample(i, **changes) for i in range(200)])
    assert schema.LABELS[answered.label[-1]] == label
    assert answered.reason[-1] == 0
    state = last(**changes)
    assert state.label == by_chance
    assert state.reason == ("" if label == by_chance else "contingency under 60 %")
    assert max(state.p) == state.p[schema.MODES.index(label)] > 0.8
    assert sum(state.p) == pytest.approx(1.0)


def test_who_answers_without_a_clear_stance_is_responding() -> None:
    torn = [sample(i, listener_arousal=0.8, listener_valence=-0.5) for i in range(200)]
    for contingency, label in ((0.59, schema.INSUFFICIENT), (0.6, schema.RESPONDING)):
        found = verdicts(torn, contingency)
        assert schema.LABELS[found.label[-1]] == label
    assert stances(found.label, found.p, CONFIG)[-1] == -1
    mirrored = verdicts([sample(i) for i in range(200)], 0.1)
    assert stances(mirrored.label, mirrored.p, CONFIG)[-1] == schema.MODES.index("mirroring")


@pytest.mark.parametrize(
    ("seconds", "changes", "reason"),
    [
        (9.8, {"calibrated": False, "partner_ok": False}, "under 10 s"),
        (40, {"calibrated": False, "partner_ok": False}, "uncalibrated"),
        (40, {"partner_ok": False, "listener_ok": False}, "coverage of the partner under 60 %"),
        (40, {"listener_ok": False}, "coverage of the listener under 60 %"),
        (40, {"partner_arousal": np.nan, "listener_valence": np.nan}, "no channel in common"),
        (40, {"listener_arousal": 0.8, "listener_valence": -0.5}, "no mode above 80 %"),
    ],
)
def test_insufficient_says_why(seconds: float, changes: dict[str, float], reason: str) -> None:
    state = last(seconds, **changes)
    assert (state.label, state.reason, state.variant) == ("insufficient", reason, "")
    assert np.isfinite(state.p).all() == (reason == "no mode above 80 %")


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
    assert last().rival.startswith("their own manner")


def test_support_of_a_channel_is_its_lead_over_the_average_mode() -> None:
    """A mirrored arousal speaks for mirroring; a channel that fits the others better against."""
    mirrored = last().evidence
    assert mirrored["ev_arousal"] > 0.5
    torn = last(listener_valence=0.3, listener_arousal=2.0).evidence
    assert torn["ev_arousal"] > 0 > torn["ev_valence"]
    assert np.isnan(last(listener_valence=np.nan).evidence["ev_valence"])


def test_voiceless_arousal_is_trusted_less() -> None:
    voiced = last(listener_speaking_prob=1.0, partner_speaking_prob=1.0).evidence
    silent = last(listener_speaking_prob=np.nan, partner_speaking_prob=0.0).evidence
    assert voiced["listener_arousal_sd"] == pytest.approx(math.hypot(0.35, 0.1), rel=1e-3)
    assert silent["listener_arousal_sd"] == pytest.approx(math.hypot(1.5 * 0.35, 0.1), rel=1e-3)
    assert voiced["listener_valence_sd"] == silent["listener_valence_sd"]


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
    samples = converse(
        rng, minutes=3, reliability=0.8, baseline_sd=0.2, config=config, dropout=0.3
    ).samples
    whole = Modes(config).extend(samples)
    assert len({s.label for s in whole}) >= 4
    stage, i, pieces = Modes(config), 0, []
    while i < len(samples):
        size = int(rng.integers(1, 30))
        pieces += stage.extend(samples[i : i + size])
        i += size
    single = Modes(config)
    for other in (pieces, [single.push(s) for s in samples]):
        assert [(s.t, s.label, s.reason, s.variant) for s in other] == [
            (s.t, s.label, s.reason, s.variant) for s in whole
        ]
        for a, b in zip(other, whole, strict=True):
            np.testing.assert_allclose(a.p, b.p, rtol=1e-9)
            np.testing.assert_allclose(
                [*a.evidence.values()], [*b.evidence.values()], rtol=1e-9, atol=1e-12
            )


def test_label_waits_for_calibration_and_goes_with_it() -> None:
    samples = [sample(i, calibrated=i >= 150) for i in range(300)]
    labels = [s.label for s in Modes(CONFIG).extend(samples)]
    assert set(labels[:150]) == {"insufficient"}
    assert labels[150] == schema.MOVED


def test_simulated_conversations() -> None:
    """The modes come out about as well as the model's assumptions allow; correlation alone fails.

    Reliability .9, baseline error .3 SD, heterogeneous gains, 10 % dropouts. The reference
    figure for this setting is a macro-F1 of .76; a wrong partner must cost much of it.
    """
    rng = np.random.default_rng(1)
    truth, guess, wrong, linked, named, right = [], [], [], [], [], []
    talks = [
        converse(rng, minutes=15, reliability=0.9, baseline_sd=0.3, config=CONFIG) for _ in range(6)
    ]
    sd = smoothed_noise_sd(talks[0].noise_sd, CONFIG)
    config = dataclasses.replace(CONFIG, sigma_arousal=sd, sigma_valence=sd)
    features = [extract(to_array(talk.samples), config)[0] for talk in talks]
    for i, talk in enumerate(talks):
        own, other = features[i], features[i - 1]
        swapped = dataclasses.replace(own, partner=other.partner, partner_var=other.partner_var)
        p = posterior(mode_log_likelihood(own, config))
        q = posterior(mode_log_likelihood(swapped, config))
        both = np.isfinite(p[:, 0]) & np.isfinite(q[:, 0])
        truth.append(talk.mode[both])
        guess.append(p[both].argmax(axis=1))
        wrong.append(q[both].argmax(axis=1))
        linked.append(_by_correlation(own)[both])
        labels = np.array([s.label for s in Modes(config).extend(talk.samples)])
        labels = np.array([schema.STANCES.get(label, "") for label in labels])
        has_mode = labels != ""
        named.append(has_mode)
        right.append(labels[has_mode] == np.array(schema.MODES)[talk.mode[has_mode]])
    modes = np.concatenate(truth)
    score = macro_f1(modes, np.concatenate(guess))
    assert 0.70 < score < 0.85
    assert macro_f1(modes, np.concatenate(wrong)) < score - 0.1
    assert macro_f1(modes, np.concatenate(linked)) < 0.45
    assert np.concatenate(right).mean() > 0.85
    assert 0.15 < np.concatenate(named).mean() < 0.6


def _by_correlation(features: Features, seconds: float = 20.0) -> np.ndarray:
    """Label by the correlation over the last seconds: high mirrors, low regulates, else neither."""
    n = round(seconds / DT)
    r = np.zeros(len(features.t))
    for i in range(n, len(r)):
        x, y = features.partner[i - n : i].ravel(), features.listener[i - n : i].ravel()
        ok = np.isfinite(x) & np.isfinite(y)
        if ok.sum() > n:
            r[i] = np.corrcoef(x[ok], y[ok])[0, 1]
    return np.select([r > 0.3, r < -0.3], [0, 1], default=2)


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
