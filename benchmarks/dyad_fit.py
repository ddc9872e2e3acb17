"""The recipe of ``models/response/response.json``: fitted on the first simulated family alone.

``python benchmarks/dyad_fit.py`` simulates, fits and writes the file; the seeds are fixed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from cuesense.dyad.contingency import LINKS, MEMORY_S, Contingency
from cuesense.dyad.families import FAMILIES, FIRST, uniform
from cuesense.dyad.simulator import Case, Conversation, simulate
from cuesense.dyad.stance import People, Stance
from cuesense.types import F64

TARGET = Path(__file__).resolve().parents[1] / "models" / "response" / "response.json"
RATE_HZ = 5.0
BLOCK = 150
"""Ticks that are worked on at once; bounds the memory."""
SESSIONS = 200
UNANSWERING = 40
"""Sessions of each case whose listener answers nobody."""
RELIABILITY = (0.6, 0.97)
BASELINE_SD = (0.1, 0.45)
STANCES = 60
"""Sessions that the stance is fitted on, `BRIEF` of them with bouts of 20 to 40 s."""
BRIEF = 10
BASELINE_S = 45.0
"""s at the start for which nothing is there in the sessions with brief bouts."""


def conversations(
    seed: int, count: int, case: Case = "ordinary", family: str = "first"
) -> list[Conversation]:
    """Return sessions of all reliabilities and baseline errors."""
    return [
        simulate(
            rng,
            family=family,
            case=case,
            reliability=rng.uniform(*RELIABILITY),
            baseline_sd=rng.uniform(*BASELINE_SD),
        )
        for rng in np.random.default_rng(seed).spawn(count)
    ]


def seen(talks: Sequence[Conversation], partner: int = 0) -> F64:
    """Return (n, sessions, fields); `partner` sessions further on is whose partner is put in."""
    others = [*talks[partner:], *talks[:partner]]
    return np.stack(
        [a.with_partner(b) if partner else a.seen for a, b in zip(talks, others, strict=True)],
        axis=1,
    )


def blocks(x: F64) -> Iterator[F64]:
    """Yield `x` cut along its first axis."""
    for start in range(0, len(x), BLOCK):
        yield x[start : start + BLOCK]


def links(x: F64, ticks: npt.NDArray[np.int64]) -> F64:
    """Return the links at some ticks: (ticks x sessions, links times the root of time, minutes)."""
    stage = Contingency(RATE_HZ)
    z = np.concatenate([stage.extend(block).z for block in blocks(x)])[ticks]
    minutes = MEMORY_S * -np.expm1(-(ticks + 1) / RATE_HZ / MEMORY_S) / 60.0
    minutes = np.broadcast_to(minutes[:, None, None], (*z.shape[:2], 1))
    both = np.concatenate((z * np.sqrt(minutes / 5.0), minutes), axis=-1)
    return both.reshape(-1, both.shape[-1])


def fit_contingency() -> dict[str, object]:
    """Fit true partners against wrong ones and against listeners who answer nobody."""
    ticks = np.arange(60 * 5, 15 * 60 * 5, 60 * 5, dtype=np.int64) - 1
    silent: tuple[tuple[int, Case], ...] = ((2, "calm by nature"), (3, "talks over"))
    ordinary = conversations(1, SESSIONS)
    answered = links(seen(ordinary), ticks)
    unanswered = np.concatenate(
        [
            *(links(seen(ordinary, k), ticks) for k in (1, 2)),
            *(links(seen(conversations(seed, UNANSWERING, case)), ticks) for seed, case in silent),
        ]
    )
    x = np.concatenate((answered, unanswered))
    y = np.repeat([1, 0], [len(answered), len(unanswered)])
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(x, y)
    weight = model.coef_[0]
    return {
        "links": weight[:-1].tolist(),
        "per_min": float(weight[-1]),
        "bias": float(model.intercept_[0]),
    }


START = People(
    mean=np.array([[0, 0.8, 0.2, 0.3, 0.5], [0, 0.8, 0.2, 0.5, 0], [0.75, 0, 0, 0, 0.3]]),
    sd=np.array(
        [[0.39, 0.23, 0.14, 0.16, 0.23], [0.36, 0.23, 0.14, 0.23, 0], [0.08, 0, 0, 0, 0.08]]
    ),
    own_sd=np.array([0.33, 0.37, 0.4]),
    own_s=np.array([5.0, 5.0, 3.0]),
    reliability=np.array([0.92, 0.72]),
    slow=np.array([0.75, 0.7, 0.0]),
    quick=np.array([0.95, 0.85, 0.1]),
    nods_per_s=np.array([0.17, 0.065]),
    nods_shape=np.array([3.0, 2.5]),
    answers=0.4,
    stays_s=60.0,
    away=0.3,
    temper=0.72,
)
"""Where the search starts: the first family's own means and spreads (the level's with the error of
the baseline, the rest with how expressive people are), which `sd` keeps."""
SEARCHED: Sequence[tuple[str, Any]] = (
    *(("mean", (c, k)) for c in (0, 1) for k in (1, 2, 3)),
    *(("mean", at) for at in ((0, 4), (2, 0), (2, 4))),
    *(("own_sd", c) for c in (0, 1, 2)),
    *(("own_s", at) for at in (slice(2), 2)),
    ("slow", slice(2)),
    *(("quick", c) for c in (0, 1, 2)),
    *(("nods_per_s", k) for k in (0, 1)),
    ("nods_shape", slice(None)),
    *((name, None) for name in ("answers", "stays_s", "away", "temper")),
)
"""What is searched, each by a factor."""
SWEEPS = 3


def scaled(people: People, name: str, at: Any, factor: float) -> People:
    """Return people with some numbers multiplied."""
    value = getattr(people, name)
    if at is None:
        return replace(people, **{name: value * factor})
    value = value.copy()
    value[at] *= factor
    return replace(people, **{name: value})


def listeners() -> tuple[F64, npt.NDArray[np.intp]]:
    """Return what is seen and the mode (n, sessions); some have brief bouts after a baseline."""
    FAMILIES["brief"] = replace(FIRST, mode_s=uniform(20.0, 40.0))
    brief = conversations(5, BRIEF, family="brief")
    talks = [*conversations(4, STANCES - len(brief)), *brief]
    x = seen(talks)
    x[: round(BASELINE_S * RATE_HZ), -len(brief) :, 1:-1] = np.nan
    return x, np.stack([c.mode for c in talks], axis=1)


def fit_stance() -> dict[str, object]:
    """Search the numbers of people under which the modes have the best log score."""
    x, mode = listeners()
    scored = slice(round(30 * RATE_HZ), None, round(RATE_HZ))

    def loss(people: People) -> float:
        stage = Stance(RATE_HZ, people)
        p = np.concatenate([stage.extend(block) for block in blocks(x)])[scored]
        return -float(np.log(np.take_along_axis(p, mode[scored][..., None], axis=-1)).mean())

    people, best = START, loss(START)
    steps = [0.2] * len(SEARCHED)
    for sweep in range(SWEEPS):
        for i, (name, at) in enumerate(SEARCHED):
            for sign in (1.0, -1.0):
                tried = scaled(people, name, at, float(np.exp(sign * steps[i])))
                found = loss(tried) if tried.answers < 1.0 else np.inf
                if found < best - 1e-5:
                    people, best, steps[i] = tried, found, 1.4 * sign * steps[i]
                    break
            else:
                steps[i] /= 2.0
        print(f"sweep {sweep}: {best:.4f} nats", file=sys.stderr)
    return {"people": {k: np.asarray(v).tolist() for k, v in asdict(people).items()}}


def main() -> None:
    """Fit both and write the file."""
    fitted: dict[str, object] = {"names": list(LINKS)}
    fitted |= fit_contingency() | fit_stance()

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return float(f"{value:.6g}")
        if isinstance(value, dict):
            return {k: rounded(v) for k, v in value.items()}
        return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value

    TARGET.parent.mkdir(exist_ok=True)
    text = json.dumps(rounded(fitted), indent=1)
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"written: {TARGET.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
