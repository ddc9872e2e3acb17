"""Functionals: what a series does over a stretch of time, in a few numbers.

The functionals are those of openSMILE's sets (Eyben et al. 2016, 10.1109/TAFFC.2015.2457417) that
do not depend on a unit: location, spread, percentiles, slope; and how much of it was there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from cuesense import schema
from cuesense.errors import ParameterError
from cuesense.timeline import Table
from cuesense.types import F64, PEOPLE

if TYPE_CHECKING:
    import pandas as pd


def _mean(t: F64, x: F64, n: F64) -> F64:
    total = np.nansum(x, axis=0)
    return np.asarray(np.divide(total, n, out=np.full(x.shape[1], np.nan), where=n > 0))


def _sd(t: F64, x: F64, n: F64) -> F64:
    squares = np.nansum((x - _mean(t, x, n)) ** 2, axis=0)
    variance = np.divide(squares, n - 1, out=np.full(x.shape[1], np.nan), where=n > 1)
    return np.asarray(np.sqrt(variance))


def _percentile(percent: float) -> Callable[[F64, F64, F64], F64]:
    def of(t: F64, x: F64, n: F64) -> F64:
        if not len(x):
            return np.full(x.shape[1], np.nan)
        rank = percent / 100 * np.maximum(n - 1, 0)
        low = np.floor(rank).astype(np.intp)
        columns = np.arange(x.shape[1])
        ordered = np.sort(x, axis=0)  # missing values come last
        below = ordered[low, columns]
        above = ordered[np.minimum(low + 1, np.maximum(n.astype(np.intp) - 1, 0)), columns]
        return np.asarray(below + (rank - low) * (above - below))

    return of


def _slope(t: F64, x: F64, n: F64) -> F64:
    there = np.isfinite(x)
    when = np.where(there, t[:, None], np.nan)
    when = when - _mean(t, when, n)
    spread = np.nansum(when**2, axis=0)
    rise = np.nansum(when * x, axis=0)
    slope = np.divide(rise, spread, out=np.full(x.shape[1], np.nan), where=spread > 0)
    return np.asarray(slope)


def _coverage(t: F64, x: F64, n: F64) -> F64:
    return n / len(x) if len(x) else np.zeros(x.shape[1])


@dataclass(frozen=True, slots=True)
class Functional:
    """One functional: `of` takes (n,) s, (n, columns), the finite values of each column.

    In `unit` and `meaning` ``{}`` stands for the column's own.
    """

    unit: str
    meaning: str
    of: Callable[[F64, F64, F64], F64]


FUNCTIONALS: Final[dict[str, Functional]] = {
    "mean": Functional("{}", "mean of: {}", _mean),
    "sd": Functional("{}", "standard deviation (n - 1) of: {}", _sd),
    **{
        f"p{q}": Functional("{}", f"{q}th percentile of: {{}}", _percentile(q))
        for q in (5, 20, 50, 80, 95)
    },
    "slope": Functional("{}/s", "slope of the least-squares line through: {}", _slope),
    "coverage": Functional("1", "share of the ticks that have: {}", _coverage),
}
"""By name. All leave missing values out; where too few are left the result is NaN."""


def functionals(t: F64, x: F64, spans: F64, names: Sequence[str] = ()) -> dict[str, F64]:
    """Return functionals of columns over spans of time.

    Parameters
    ----------
    t
        (n,) s, ascending.
    x
        (n, columns), NaN where missing.
    spans
        (spans, 2) s: a tick counts if start <= t < end.
    names
        Of `FUNCTIONALS`; none: all.

    Returns
    -------
        By name (spans, columns).

    Raises
    ------
    ParameterError
        If there is no such functional.
    """
    for name in names:
        if name not in FUNCTIONALS:
            raise ParameterError(f"functional={name!r} must be one of {', '.join(FUNCTIONALS)}")
    wanted = list(names or FUNCTIONALS)
    found = {name: np.full((len(spans), x.shape[1]), np.nan) for name in wanted}
    # Times are sums of steps: a tick that is a rounding error early belongs to the span it starts.
    first, end = (np.searchsorted(t, edge - 1e-6) for edge in spans.T)
    for i, (a, b) in enumerate(zip(first, end, strict=True)):
        part = x[a:b]
        n = np.isfinite(part).sum(axis=0).astype(np.float64)
        for name in wanted:
            found[name][i] = FUNCTIONALS[name].of(t[a:b], part, n)
    return found


@dataclass(frozen=True, slots=True)
class Windows:
    """A table of a session, cut into windows. From `cuesense.Session.window`.

    Attributes
    ----------
    table
        The timeline or the states.
    length_s
        s.
    step_s
        s from one window's start to the next's.
    """

    table: Table
    length_s: float
    step_s: float

    def __post_init__(self) -> None:
        for name, value in (("window", self.length_s), ("step", self.step_s)):
            if not (np.isfinite(value) and value > 0):
                raise ParameterError(f"{name}={value!r} must be > 0 s")

    def spans(self, t: F64) -> F64:
        """Return the windows that lie whole within the ticks `t`, as (windows, 2) s."""
        if len(t) < 2:
            return np.empty((0, 2))
        tick = float(np.median(np.diff(t)))
        count = np.floor((t[-1] + tick - t[0] - self.length_s + 1e-6) / self.step_s) + 1
        starts = t[0] + self.step_s * np.arange(max(0, int(count)))
        return np.column_stack((starts, starts + self.length_s))

    def agg(self, *names: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row per window, and per person in a timeline.

        Parameters
        ----------
        *names
            Functionals (`FUNCTIONALS`); none: all.
        columns
            Numeric columns; None: all.

        Returns
        -------
            Columns ``person`` (of a timeline), ``t``, ``t_end``, then ``<column>_<functional>``.

        Raises
        ------
        ParameterError
            If there is no such functional, or no such column of numbers.
        """
        import pandas as pd

        layout = schema.TIMELINE if "person" in self.table.columns else schema.STATE
        stored = set(self.table.columns)
        numeric = [c.name for c in layout if c.kind == "float" and c.name in stored - {"t"}]
        for name in columns or ():
            if name not in numeric:
                raise ParameterError(
                    f"column={name!r} is no column of numbers of {self.table.path.stem}"
                )
        wanted = numeric if columns is None else list(columns)
        frames = []
        for person, t, x in series(self.table, wanted):
            spans = self.spans(t)
            frame = spread(functionals(t, x, spans, names), wanted)
            frame = {"t": spans[:, 0], "t_end": spans[:, 1]} | frame
            frames.append(pd.DataFrame(({"person": person} if person else {}) | frame))
        return pd.concat(frames, ignore_index=True)


def series(table: Table, columns: Sequence[str]) -> list[tuple[str, F64, F64]]:
    """Return the person ("" of a table without), times (n,) and values (n, columns) of each."""
    import pyarrow.compute as pc

    if "person" not in table.columns:
        rows = table.to_arrow(["t", *columns])
        return [("", rows.column("t").to_numpy(), _matrix([rows.column(c) for c in columns]))]
    rows = table.to_arrow(["person", "t", *columns])
    found: list[tuple[str, F64, F64]] = []
    for person in PEOPLE:
        mine = rows.filter(pc.equal(rows.column("person"), person))
        values = _matrix([mine.column(c) for c in columns])
        found.append((person, mine.column("t").to_numpy(), values))
    return found


def _matrix(columns: Sequence[object]) -> F64:
    arrays = [np.asarray(c, np.float64) for c in columns]
    return np.stack(arrays, axis=1) if arrays else np.empty((0, 0))


def spread(found: dict[str, F64], columns: Sequence[str]) -> dict[str, F64]:
    """Return functionals by ``<column>_<functional>``, each column's together."""
    return {f"{c}_{name}": found[name][:, i] for i, c in enumerate(columns) for name in found}
