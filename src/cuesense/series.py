"""Series of one's own: read from other programs' files, and tested for synchrony.

A `Series` is one quantity at its own times. `synchrony` takes any two: motion energy, an action
unit, a heart rate, a column of a session.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from cuesense.config import Config
from cuesense.dyad.synchrony import SessionSynchrony, session_synchrony
from cuesense.errors import ParameterError, nearest
from cuesense.types import F64

SEED: Final = 20_231
"""Of the surrogates, so that a result can be had again to the digit."""
_SLACK: Final = 1e-6
"""s: times are sums of steps, and rounded in files."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One quantity over time.

    Attributes
    ----------
    t
        (n,) s, rising, at least two.
    values
        (n,), NaN where missing.
    name
        What it is, for errors.

    Raises
    ------
    ParameterError
        If the lengths differ, there are fewer than two values, or time does not rise.
    """

    t: F64
    values: F64
    name: str = "series"

    def __post_init__(self) -> None:
        t, values = (np.asarray(x, np.float64) for x in (self.t, self.values))
        if t.ndim != 1 or t.shape != values.shape:
            raise ParameterError(
                f"{self.name}: times {t.shape} and values {values.shape} must be one-dimensional "
                "and equally long"
            )
        if len(t) < 2:
            raise ParameterError(f"{self.name}: {len(t)} values are too few: a series needs two")
        bad = np.flatnonzero(~(np.diff(t) > 0))
        if len(bad):
            i = int(bad[0]) + 1
            raise ParameterError(
                f"{self.name}: time must rise, but row {i} is at {t[i]:g} s after {t[i - 1]:g} s; "
                "sort it, and leave out what is there twice"
            )
        object.__setattr__(self, "t", t)
        object.__setattr__(self, "values", values)

    @property
    def rate_hz(self) -> float:
        """Values per s: one over the median step."""
        return float(1 / np.median(np.diff(self.t)))

    def at(self, t: F64, rate_hz: float) -> F64:
        """Return the values at other times, evenly spaced `rate_hz` apart.

        To fewer values per s, each is the mean of those within half a step of it, missing where
        less than half of them are there. To as many or more, values are interpolated linearly,
        never over a missing one nor over a step of more than one and a half times the usual.
        """
        if self.rate_hz > 1.5 * rate_hz:
            return self._means(t, rate_hz)
        right = np.clip(np.searchsorted(self.t, t), 1, len(self.t) - 1)
        left = right - 1
        step = self.t[right] - self.t[left]
        share = (t - self.t[left]) / step
        found = self.values[left] * (1 - share) + self.values[right] * share
        found[step > 1.5 / self.rate_hz] = np.nan
        for side in (left, right):
            hit = np.abs(t - self.t[side]) < _SLACK
            found[hit] = self.values[side][hit]
        found[(t < self.t[0] - _SLACK) | (t > self.t[-1] + _SLACK)] = np.nan
        return found

    def _means(self, t: F64, rate_hz: float) -> F64:
        place = np.floor((self.t - t[0]) * rate_hz + 0.5 + _SLACK).astype(np.intp)
        there = np.isfinite(self.values) & (place >= 0) & (place < len(t))
        count = np.bincount(place[there], minlength=len(t)).astype(np.float64)
        total = np.bincount(place[there], self.values[there], minlength=len(t))
        enough = count >= 0.5 * self.rate_hz / rate_hz
        return np.where(enough, total / np.maximum(count, 1), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Signals(Mapping[str, Series]):
    """What a file of another program holds: series with common times, by column name.

    Attributes
    ----------
    name
        The file's name.
    t
        (n,) s.
    columns
        (n,) by column name, NaN where missing.
    """

    name: str
    t: F64
    columns: Mapping[str, F64]

    def __getitem__(self, column: str) -> Series:
        if column not in self.columns:
            hint = nearest(column, self.columns) or "; it has " + ", ".join(self.columns)
            raise ParameterError(f"{self.name} has no column {column!r}{hint[:200]}")
        return Series(self.t, self.columns[column], f"{column} of {self.name}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"Signals({self.name!r}: {len(self.t)} rows x {len(self.columns)} columns)"


Given = Series | Sequence[float] | npt.NDArray[Any]


def synchrony(
    a: Given,
    b: Given,
    *,
    rate_hz: float | None = None,
    band_s: float | None = None,
    null: Literal["phase", "roll"] = "phase",
    seed: int = SEED,
    **settings: float,
) -> SessionSynchrony:
    """Test whether two series move together at short lags, as a session's report does.

    Two `Series` are taken where both are there in time and brought to one rate. Of plain arrays
    the n-th values belong together.

    Parameters
    ----------
    a
        A `Series`, or (n,) with NaN where missing.
    b
        The same.
    rate_hz
        Values per s. Needed with arrays; with `Series` only if their rates differ: both are
        brought to it.
    band_s
        s; lags up to this count. None takes 1 s, which suits faces and bodies.
    null
        "phase": surrogates of `b` have its spectrum and random phases; "roll": they are `b`,
        rolled.
    seed
        Of the surrogates.
    **settings
        Of `config.Synchrony`: window_s, step_s, lag_s, min_duration_s, max_missing, surrogates.

    Returns
    -------
        The result; series that are too short, too sparse or constant give NaN and a reason. In
        it `x` is `a` and `y` is `b`: a positive lag means that `b` follows `a`.

    Raises
    ------
    ParameterError
        If lengths or rates do not fit, a setting is unknown, or the two have no time in common.

    Examples
    --------
    >>> import numpy as np
    >>> from cuesense import synchrony
    >>> x = np.random.default_rng(1).normal(size=3000).cumsum()
    >>> synchrony(x, np.roll(x, 2), rate_hz=5).p < 0.05
    True
    """
    known = Config().synchrony
    names = [f.name for f in dataclasses.fields(known)]
    for name in settings:
        if name not in names:
            raise ParameterError(f"setting={name!r} must be one of {', '.join(names)}")
    chosen = dataclasses.replace(known, **settings)  # type: ignore[arg-type]
    x, y, rate = _paired(a, b, rate_hz)
    return session_synchrony(
        x,
        y,
        rate_hz=rate,
        band_s=chosen.band_face_s if band_s is None else band_s,
        settings=chosen,
        rng=np.random.default_rng(seed),
        null=null,
    )


def _paired(a: Given, b: Given, rate_hz: float | None) -> tuple[F64, F64, float]:
    """Return both as arrays whose n-th values belong together, and their rate."""
    if rate_hz is not None and not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ParameterError(f"rate_hz={rate_hz!r} must be > 0 Hz")
    if isinstance(a, Series) != isinstance(b, Series):
        raise ParameterError("a and b must both be Series, or both plain arrays with rate_hz")
    if not (isinstance(a, Series) and isinstance(b, Series)):
        if rate_hz is None:
            raise ParameterError("rate_hz is missing: plain arrays need it, in values per s")
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if x.ndim != 1 or x.shape != y.shape:
            raise ParameterError(
                f"a {x.shape} and b {y.shape} must be one-dimensional and equally long; series of "
                "their own times can be given as Series"
            )
        return x, y, rate_hz
    if rate_hz is None:
        rate_hz = a.rate_hz
        if abs(b.rate_hz / rate_hz - 1) > 0.01:
            raise ParameterError(
                f"{a.name} has {a.rate_hz:g} Hz, {b.name} {b.rate_hz:g} Hz; give rate_hz, which "
                "both are brought to"
            )
    start, end = max(a.t[0], b.t[0]), min(a.t[-1], b.t[-1])
    if end <= start:
        raise ParameterError(
            f"{a.name} ({a.t[0]:g} to {a.t[-1]:g} s) and {b.name} ({b.t[0]:g} to {b.t[-1]:g} s) "
            "have no time in common"
        )
    t = start + np.arange(int((end - start) * rate_hz + _SLACK) + 1) / rate_hz
    return a.at(t, rate_hz), b.at(t, rate_hz), rate_hz
