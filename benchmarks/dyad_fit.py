"""The recipe of ``models/response/response.json``: fitted on the first simulated family alone.

``python benchmarks/dyad_fit.py`` simulates, fits and writes the file; the seeds are fixed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from cuesense.dyad.contingency import LINKS, MEMORY_S, Contingency
from cuesense.dyad.memory import Memory
from cuesense.dyad.response import SETTLE_S
from cuesense.dyad.simulator import Case, Conversation, simulate
from cuesense.dyad.stance import MOMENTS, Stance
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
EVERY_S = 3.0
"""s between the moments that the stance is fitted on; the contingency takes one a minute."""


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


def fit_stance() -> dict[str, object]:
    """Fit what the listener does, first from the moments, then from these odds over time."""
    talks = conversations(4, SESSIONS)
    mode = np.stack([c.mode for c in talks], axis=1)
    stage = Stance(RATE_HZ)
    moments = np.concatenate([stage.extend(b).astype(np.float32) for b in blocks(seen(talks))])
    taken = slice(round(30 * RATE_HZ), None, round(EVERY_S * RATE_HZ))

    def rows(x: F64) -> F64:
        return x[taken].reshape(-1, x.shape[-1])

    scaler = StandardScaler().fit(rows(moments))
    target = mode[taken].ravel()
    first = LogisticRegression(C=0.05, max_iter=500).fit(scaler.transform(rows(moments)), target)
    weight = first.coef_ / scaler.scale_
    bias = first.intercept_ - weight @ scaler.mean_
    odds, memory = moments @ weight.T + bias, Memory(RATE_HZ)
    settled = np.concatenate((odds, *(memory.mean(odds, s) for s in SETTLE_S)), axis=-1)
    second = LogisticRegression(max_iter=500).fit(rows(settled), target)
    return {
        "moments": weight.tolist(),
        "moments_bias": bias.tolist(),
        "settle": second.coef_.tolist(),
        "settle_bias": second.intercept_.tolist(),
    }


def main() -> None:
    """Fit both and write the file."""
    fitted: dict[str, object] = {"names": {"links": LINKS, "moments": MOMENTS}}
    fitted |= fit_contingency() | fit_stance()

    def rounded(value: object) -> object:
        if isinstance(value, float):
            return float(f"{value:.6g}")
        return [rounded(v) for v in value] if isinstance(value, (list, tuple)) else value

    TARGET.parent.mkdir(exist_ok=True)
    text = json.dumps({k: rounded(v) for k, v in fitted.items()}, indent=1)
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"written: {TARGET.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
