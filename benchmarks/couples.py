"""Real dyads' signals: published synchrony values, false alarms, couples' linkage.

The recordings may not be redistributed; without their folder the rows that need them say so.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cuesense.config import Synchrony
from cuesense.dyad.synchrony import session_synchrony, windowed_correlation
from cuesense.types import F64

RMEA = {
    ("normal/200_01", 60): 0.075766,
    ("normal/202_01", 60): 0.161304,
    ("normal/204_01", 60): 0.119576,
    ("dropout/100_01", 60): 0.105294,
    ("normal/200_01", 30): 0.095179,
    ("normal/202_01", 30): 0.153957,
}
"""Mean |Fisher z| that rMEA 1.3.0 prints, by dyad and window (s)."""
SLOWNESS = (0.5, 0.8, 0.9, 0.95, 0.98)
PAIRS = 400
SECONDS, RATE_HZ = 180, 5
LATER_S = 10
RESAMPLES = 2000


def section(folder: Path) -> Iterator[str]:
    """Yield the section of real dyads."""
    yield "## Synchrony and linkage, real dyads"
    yield ""
    yield "| | measured | reach |"
    yield "|---|---|---|"
    data = folder / "synchrony"
    if data.is_dir():
        yield from rmea(data / "rMEA")
        yield from webcam(data / "vc_dyads")
        yield from couples(data / "rties_couples.csv.gz")
    else:
        yield "| recordings are not on this machine | - | |"
    for a in SLOWNESS:
        low, rate, high = false_alarms(a)
        yield (
            f"| false alarms, independent AR({a:g}) pairs, {SECONDS} s, nominal 5 % "
            f"| {rate:.1%} ({low:.1%}-{high:.1%}) | 3-7 % |"
        )


def rmea(folder: Path) -> Iterator[str]:
    """Yield the largest difference from the R package's values."""
    worst = 0.0
    for (name, window_s), expected in RMEA.items():
        x, y = np.loadtxt(folder / f"{name}.txt", skiprows=1).T
        got = windowed_correlation(
            x, y, rate_hz=25, window_s=window_s, lag_s=5, step_s=window_s / 2
        )
        worst = max(worst, abs(got.mean(-5, 5, absolute=True) - expected))
    yield f"| rMEA, largest difference of {len(RMEA)} values | {worst:.1e} | 1e-6 |"


def webcam(folder: Path) -> Iterator[str]:
    """Yield how published values come out, and real pairs against pairs of strangers."""
    with (folder / "reference" / "df_dyadic_au12.csv").open(encoding="utf-8") as file:
        published = {(r["file"], r["condition"]): r for r in csv.DictReader(file)}
    smiles, found = [], []
    for path in sorted((folder / "au12_r" / "1080p").glob("*.csv")):
        pair = np.genfromtxt(path, skip_header=1).T
        x, y = (np.convolve(c, np.full(15, 1 / 15), "same") for c in pair)  # 0.5 s, theirs
        z = windowed_correlation(x, y, rate_hz=30, window_s=30, lag_s=5, step_s=10).z
        by_lag = np.abs(z).mean(axis=0)
        row = published[path.stem, "1080p"]
        found.append((by_lag.mean(), row["global_synchrony"], by_lag.max(), row["peak_synchrony"]))
        smiles.append((x, y))
    ours = np.array(found, np.float64)
    for name, i in (("global", 0), ("peak", 2)):
        r = np.corrcoef(ours[:, i], ours[:, i + 1])[0, 1]
        yield f"| webcam dyads, AU12, {name} synchrony against published, r | {r:.4f} | >= .98 |"

    def signed(x: F64, y: F64) -> float:
        n = min(len(x), len(y))
        got = windowed_correlation(x[:n], y[:n], rate_hz=30, window_s=30, lag_s=1, step_s=10)
        return got.mean(-1, 1)

    real = np.array([signed(x, y) for x, y in smiles])
    pseudo = np.array(
        [signed(a[0], b[1]) for i, a in enumerate(smiles) for j, b in enumerate(smiles) if i != j]
    )
    spread = np.sqrt((real.var(ddof=1) + pseudo.var(ddof=1)) / 2)
    d = (real.mean() - pseudo.mean()) / spread
    yield (
        f"| {len(real)} real against {len(pseudo)} pseudo pairs, signed z, lags to 1 s, d "
        f"| {d:.2f} | >= 1.3 |"
    )


def couples(path: Path) -> Iterator[str]:
    """Yield the linkage of couples' feelings (a dial turned while watching their own talk)."""
    dials: dict[str, dict[str, list[float]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            value = float(row["dial"]) if row["dial"] not in ("", "NA", "NaN") else np.nan
            dials.setdefault(row["couple"], {}).setdefault(row["person"], []).append(value)
    pairs = [tuple(_standard(np.array(v)) for v in people.values()) for people in dials.values()]
    moments = np.array([_linkage(a, b) + _linkage(b, a) for a, b in pairs])
    rng = np.random.default_rng(0)

    def coupling(chosen: npt.NDArray[np.int64]) -> float:
        xx, xp, pp, xy, py = moments[chosen].sum(axis=0)
        return float((py * xx - xy * xp) / (xx * pp - xp * xp))

    everybody = np.arange(len(pairs), dtype=np.int64)
    draws = [coupling(rng.integers(len(pairs), size=len(pairs))) for _ in range(RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    yield (
        f"| {len(pairs)} couples, coupling over {LATER_S} s, SD per SD "
        f"| {coupling(everybody):.3f} ({low:.3f} to {high:.3f}) | .083 |"
    )
    true = np.mean([_correlation(a, b) for a, b in pairs])
    wrong = np.mean(
        [
            _correlation(a, b)
            for i, (a, _) in enumerate(pairs)
            for j, (_, b) in enumerate(pairs)
            if i != j
        ]
    )
    yield f"| correlation, true couples; pseudo couples | {true:.2f}; {wrong:.2f} | .30; .01 |"


def _standard(x: F64) -> F64:
    z: F64 = (x - np.nanmean(x)) / np.nanstd(x)
    return z


def _linkage(x: F64, p: F64) -> F64:
    """Return the sums that regressing x later on x and p now needs: xx, xp, pp, xy, py."""
    y, x, p = x[LATER_S:], x[:-LATER_S], p[:-LATER_S]
    ok = np.isfinite(x) & np.isfinite(p) & np.isfinite(y)
    x, p, y = x[ok], p[ok], y[ok]
    return np.array([x @ x, x @ p, p @ p, x @ y, p @ y])


def _correlation(a: F64, b: F64) -> float:
    n = min(len(a), len(b))
    ok = np.isfinite(a[:n]) & np.isfinite(b[:n])
    return float(np.corrcoef(a[:n][ok], b[:n][ok])[0, 1])


def false_alarms(a: float) -> tuple[float, float, float]:
    """Return how often two independent slow series are called synchronous, with its interval."""
    rng, settings = np.random.default_rng(1), Synchrony()
    alarms = np.array(
        [
            session_synchrony(
                _autoregressive(rng, a),
                _autoregressive(rng, a),
                rate_hz=RATE_HZ,
                band_s=settings.band_face_s,
                settings=settings,
                rng=rng,
            ).p
            <= 0.05
            for _ in range(PAIRS)
        ]
    )
    rate = float(alarms.mean())
    # Wilson's interval holds near 0 as well.
    z = 1.96
    centre = (rate + z * z / (2 * PAIRS)) / (1 + z * z / PAIRS)
    half = z * np.sqrt(rate * (1 - rate) / PAIRS + z * z / (4 * PAIRS**2)) / (1 + z * z / PAIRS)
    return float(centre - half), rate, float(centre + half)


def _autoregressive(rng: np.random.Generator, a: float) -> F64:
    from scipy.signal import lfilter

    x: F64 = lfilter([1.0], [1.0, -a], rng.normal(size=SECONDS * RATE_HZ + 500))[500:]
    return x
