"""The head on faces made of known facial actions, over a known rest."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from cuesense.config import Config
from cuesense.resources import resource
from cuesense.schema import MEASURES
from cuesense.state.expression import (
    CLASSES,
    EYES_MM,
    Expression,
    Reader,
    head,
    rest,
    shipped,
)
from cuesense.state.profile import Profile, Rest
from cuesense.types import F64

TREE = tomllib.loads(resource("models/expression/expression.toml").read_text("utf-8"))
CONFIG = Config()
RATE = CONFIG.grid.rate_hz
BASE = round(CONFIG.baseline.duration_s * RATE)
K = len(MEASURES)
FACE = np.linspace(-1.0, 1.0, K)
STILL = np.zeros(3)


def acted(**strengths: float) -> F64:
    """Return the deviation that actions make, as the landmarks show it."""
    total = np.zeros(K)
    for name, strength in strengths.items():
        action = TREE["actions"][name]
        total += strength * np.array([action.get(m, 0.0) for m in MEASURES])
    return np.asarray(TREE["visible"] * total / EYES_MM)


def jitter(n: int, seed: int = 0, share: float = 0.3) -> F64:
    """Return slow noise (n, k) of a share of what is taken for noise."""
    noise = np.array([TREE["noise"][m] for m in MEASURES]) / EYES_MM
    white = np.random.default_rng(seed).normal(size=(n + 99, K))
    slow = np.apply_along_axis(np.convolve, 0, white, np.ones(100) / 10.0, "valid")
    return np.asarray(share * slow * noise)


def resting(median: F64, spread: F64 | None = None) -> Rest:
    """Return a rest; without a spread it is perfectly still."""
    spread = np.zeros((K, K)) if spread is None else spread
    return Rest(median.tolist(), spread.tolist(), [0.0, 0.0, 0.0], 15.0)


def still() -> Reader:
    return Reader(shipped(), resting(FACE))


ACTED = {
    "rest": ({}, "neutral"),
    "eyes closed": ({"AU43": 0.9}, "neutral"),
    "mouth open to speak": ({"AU25": 0.5, "AU26": 0.2}, "neutral"),
    "lips rounded to speak": ({"AU18": 0.3, "AU25": 0.3}, "neutral"),
    "a smile": ({"AU12": 0.7, "AU6": 0.5}, "happy"),
    "a laugh": ({"AU12": 1.0, "AU6": 0.8, "AU25": 1.0, "AU26": 0.3}, "happy"),
    "surprise": ({"AU1": 0.8, "AU2": 0.8, "AU5": 0.6, "AU26": 0.6, "AU25": 0.3}, "surprised"),
    "anger": ({"AU4": 0.8, "AU7": 0.6, "AU23": 0.4}, "negative"),
    "sadness": ({"AU1": 0.5, "AU4": 0.5, "AU15": 0.7, "AU17": 0.5}, "negative"),
    "disgust": ({"AU9": 0.8, "AU10": 0.6, "AU7": 0.4}, "negative"),
    "fear": ({"AU1": 0.6, "AU4": 0.6, "AU5": 0.5, "AU20": 0.7, "AU25": 0.5}, "negative"),
    "a smile under lowered brows, talking": (
        {"AU12": 0.8, "AU6": 0.6, "AU4": 0.15, "AU26": 0.3, "AU25": 0.4},
        "happy",
    ),
}


@pytest.mark.parametrize(("actions", "shown"), ACTED.values(), ids=ACTED.keys())
def test_acted_expressions_are_read_as_their_class(actions: dict[str, float], shown: str) -> None:
    reading = still().read(FACE + acted(**actions))
    assert reading.p.sum() == pytest.approx(1.0)
    assert CLASSES[int(reading.p.argmax())] == shown
    if shown == "happy":
        assert reading.deviation > 3
    elif shown == "negative":
        assert reading.deviation < -1
    elif shown == "neutral":
        assert abs(reading.deviation) < 1


def test_only_the_deviation_from_own_rest_counts() -> None:
    other = Reader(shipped(), resting(FACE + 0.7))
    face = FACE + acted(AU4=0.7)
    assert other.read(face + 0.7).p == pytest.approx(still().read(face).p)


def test_how_somebody_moves_in_the_baseline_counts_for_less() -> None:
    talk = acted(AU26=0.6, AU25=0.6, AU20=0.3)
    lively = Reader(shipped(), resting(FACE, np.outer(talk, talk)))
    p = [reader.read(FACE + talk).p[0] for reader in (still(), lively)]
    assert p[1] > p[0]
    assert p[1] > 0.9
    assert lively.read(FACE + acted(AU12=0.7, AU6=0.5)).p[1] > 0.8


def test_mean_and_covariance_are_those_of_drawn_actions() -> None:
    """The closed form against 40,000 faces drawn as the head's docstring says."""
    tree = TREE | {"spill": 0.0}
    made, rng, n = head(tree), np.random.default_rng(1), 40_000
    index = [e["name"] for e in tree["expressions"]].index("sadness")
    drawn = np.zeros((n, K))
    for name, bounds in tree["expressions"][index].items():
        if name.startswith("AU"):
            strength = rng.uniform(bounds[0], bounds[1], n) * (
                1 + tree["person"] * rng.normal(size=n)
            )
            own = 1 + tree["displacement"] * rng.normal(size=(n, K))
            drawn += strength[:, None] * own * acted(**{name: 1.0})
    assert drawn.mean(axis=0) * EYES_MM == pytest.approx(made.mean[index] * EYES_MM, abs=0.03)
    sd = [np.sqrt(np.diag(c)) * EYES_MM for c in (np.cov(drawn.T), made.spread[index])]
    assert sd[0] == pytest.approx(sd[1], rel=0.03, abs=0.01)


def test_a_laugh_in_the_baseline_is_not_how_somebody_rests() -> None:
    rows = FACE + jitter(BASE)
    rows[:100] += acted(AU12=1.0, AU6=1.0)
    noise = np.sqrt(np.diag(shipped().always))
    median, spread = rest(rows, noise)
    assert median == pytest.approx(FACE, abs=0.006)
    assert (
        Reader(shipped(), resting(median, spread)).read(FACE + acted(AU12=0.7, AU6=0.5)).p[1] > 0.9
    )


def play(rows: F64, poses: F64 | None = None, quality: F64 | None = None) -> tuple[F64, F64, F64]:
    stage = Expression(CONFIG)
    poses = np.zeros((len(rows), 3)) if poses is None else poses
    quality = np.ones(len(rows)) if quality is None else quality
    told = enumerate(zip(rows, poses, quality, strict=True))
    out = [stage.push(i / RATE, row, pose, float(q)) for i, (row, pose, q) in told]
    valence, error, p = zip(*out, strict=True)
    return np.array(valence), np.array(error), np.array(p)


def test_nothing_is_read_before_the_rest_is_known() -> None:
    valence, error, p = play(FACE + jitter(BASE + 100))
    assert np.isnan(valence[:BASE]).all()
    assert np.isnan(p[:BASE]).all()
    assert np.isfinite(valence[BASE:]).all()
    assert (error[BASE:] > 0).all()


def test_valence_of_a_person_at_rest_is_small_and_a_smile_is_large() -> None:
    rows = FACE + jitter(BASE + 500)
    rows[-200:] += acted(AU12=0.6, AU6=0.4)
    valence, _, p = play(rows)
    assert np.abs(valence[BASE:-200]).max() < 1.5
    assert valence[-1] > 3
    assert p[-1, 1] > 0.9


def test_a_short_gap_is_bridged_and_a_long_one_starts_afresh() -> None:
    rows = FACE + jitter(BASE + 200)
    rows[-150:] += acted(AU12=0.6, AU6=0.4)
    rows[-160:-150] = np.nan  # 0.4 s
    valence, _, _ = play(rows)
    assert np.isfinite(valence[-160:]).all()
    assert valence[-150] < 1  # still smoothed with what was there before
    rows[-190:-150] = np.nan
    valence, _, _ = play(rows)
    assert np.isnan(valence[-160:-150]).all()
    assert valence[-150] > 3


def test_a_turned_head_widens_the_error() -> None:
    rows = FACE + jitter(BASE + 400)
    poses = np.zeros((len(rows), 3))
    poses[-200:, 0] = 0.5
    (_, straight, _), (_, turned, _) = play(rows), play(rows, poses)
    assert turned[BASE : BASE + 200] == pytest.approx(straight[BASE : BASE + 200])
    assert (turned[-100:] > straight[-100:]).all()
    assert still().error(poses[-1], 1.0) > still().error(STILL, 1.0) + 0.04


def test_a_bad_picture_widens_the_error_and_moves_nothing() -> None:
    rows = FACE + jitter(BASE + 400)
    good, bad = np.ones(len(rows)), np.ones(len(rows))
    bad[-200:] = 0.5
    (valence, usual, p), (same, wider, q) = play(rows, None, good), play(rows, None, bad)
    assert same == pytest.approx(valence, nan_ok=True)
    assert q == pytest.approx(p, nan_ok=True)
    assert (wider[-50:] > usual[-50:] + 0.5).all()
    assert wider[BASE : BASE + 200] == pytest.approx(usual[BASE : BASE + 200])


def test_somebody_who_comes_late_is_read_later() -> None:
    rows = FACE + jitter(BASE + 1000)
    rows[: BASE + 100] = np.nan
    valence, _, _ = play(rows)
    first = int(np.argmax(np.isfinite(valence)))
    assert first == pytest.approx(BASE + 100 + CONFIG.baseline.min_face_s * RATE, abs=2)


def test_a_kept_rest_needs_no_baseline() -> None:
    rows = FACE + jitter(BASE + 100)
    first = Expression(CONFIG)
    for i, row in enumerate(rows):
        last = first.push(i / RATE, row, STILL, 1.0)
    kept = Profile.from_dict(json.loads(json.dumps(Profile(expression=first.rest).to_dict())))
    again = Expression(CONFIG, kept.expression)
    for i, row in enumerate(rows[-100:]):
        new = again.push(i / RATE, row, STILL, 1.0)
    assert new[0] == pytest.approx(last[0], abs=0.05)


def test_the_table_names_only_what_there_is() -> None:
    for action in TREE["actions"].values():
        assert set(action) <= set(MEASURES)
    assert set(TREE["noise"]) == set(MEASURES)
    for expression in TREE["expressions"]:
        assert set(expression) - {"name", "class", "share"} <= set(TREE["actions"])
        assert expression["class"] in CLASSES
    assert set(TREE["always"]) <= set(TREE["actions"])
