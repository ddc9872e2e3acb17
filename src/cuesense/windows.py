"""Functionals: what a series does over a stretch of time, in a few numbers.

The functionals are those of openSMILE's sets (Eyben et al. 2016, 10.1109/TAFFC.2015.2457417) that
do not depend on a unit: location, spread, percentiles, slope; and how much of it was there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from cuesense import schema
from cuesense.errors import ParameterError, nearest
from cuesense.timeline import Table
from cuesense.types import F64, PEOPLE

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


PERCENTILES: Final = (5, 20, 50, 80, 95)
BLOCK: Final = 32
"""Columns that are measured at a time."""
_NOISE: Final = 1e-12
"""Share of a sum of squares below which what is left of it is rounding."""


class Cut:
    """Columns cut into spans of time. All results are (columns, spans).

    Sums are taken once between all starts and ends of spans, so spans that overlap cost no more
    than others; columns are centred first, so that differences of sums stay exact to about 1e-10.

    Parameters
    ----------
    t
        (n,) s, ascending.
    x
        (columns, n), NaN where missing.
    spans
        (spans, 2) s: a tick counts if start <= t < end.
    """

    def __init__(self, t: F64, x: F64, spans: F64) -> None:
        # Times are sums of steps: a tick that is a rounding error early is in the span it starts.
        self._first, self._end = (np.searchsorted(t, edge - 1e-6) for edge in spans.T)
        self._edges = np.unique(np.concatenate((self._first, self._end, [0, len(t)])))
        self._x = x
        self._there = np.isfinite(x)
        count = np.maximum(self._there.sum(axis=1), 1)
        self._centre = (np.where(self._there, x, 0.0).sum(axis=1) / count)[:, None]
        self._y = np.where(self._there, x - self._centre, 0.0)
        self._t = t - (t.mean() if len(t) else 0.0)

    def _sum(self, values: npt.NDArray[Any]) -> F64:
        """Return the sums over each span of (columns, n)."""
        so_far = np.zeros((len(values), len(self._edges)))
        if len(self._edges) > 1:
            parts = np.add.reduceat(values, self._edges[:-1], axis=1, dtype=np.float64)
            np.cumsum(parts, axis=1, out=so_far[:, 1:])
        first, end = (np.searchsorted(self._edges, e) for e in (self._first, self._end))
        return np.asarray(so_far[:, end] - so_far[:, first])

    @cached_property
    def count(self) -> F64:
        """How many values are there."""
        return self._sum(self._there)

    @cached_property
    def _total(self) -> F64:
        return self._sum(self._y)

    def mean(self) -> F64:
        """Mean."""
        return np.asarray(_ratio(self._total, self.count, self.count > 0) + self._centre)

    def sd(self) -> F64:
        """Sample standard deviation, n - 1."""
        squares = self._sum(self._y**2)
        left = squares - _ratio(self._total**2, self.count, self.count > 0)
        left = np.where(left > _NOISE * squares, left, 0.0)
        return np.sqrt(_ratio(left, self.count - 1, self.count > 1))

    def slope(self) -> F64:
        """Slope of the least-squares line, per s."""
        when = np.where(self._there, self._t, 0.0)
        sum_t, squares = self._sum(when), self._sum(when**2)
        some = self.count > 1
        spread = squares - _ratio(sum_t**2, self.count, some)
        rise = self._sum(when * self._y) - _ratio(sum_t * self._total, self.count, some)
        return _ratio(rise, spread, some)

    def coverage(self) -> F64:
        """Share of the ticks that have a value; 0 without ticks."""
        ticks = self._end - self._first
        return np.asarray(self.count / np.maximum(ticks, 1))

    def percentile(self, percent: int) -> F64:
        """Percentile, interpolated linearly; one of `PERCENTILES`."""
        return np.asarray(self._percentiles[PERCENTILES.index(percent)])

    @cached_property
    def _percentiles(self) -> F64:
        found = np.full((len(PERCENTILES), *self.count.shape), np.nan)
        share = np.array(PERCENTILES)[:, None] / 100
        for i, (first, end) in enumerate(zip(self._first, self._end, strict=True)):
            if first == end:
                continue
            ordered = np.sort(self._x[:, first:end], axis=1)  # missing values come last
            last = np.maximum(self.count[:, i] - 1, 0)
            rank = share * last
            low = rank.astype(np.intp)
            high = np.minimum(low + 1, last.astype(np.intp))
            below, above = (np.take_along_axis(ordered, k.T, axis=1).T for k in (low, high))
            found[:, :, i] = below + (rank - low) * (above - below)
        return found


def _ratio(a: F64, b: F64, where: npt.NDArray[np.bool_]) -> F64:
    """Return a / b where that is to be had, else NaN."""
    return np.asarray(np.divide(a, b, out=np.full(a.shape, np.nan), where=where))


@dataclass(frozen=True, slots=True)
class Functional:
    """One functional. In `unit` and `meaning` ``{}`` stands for the column's own."""

    unit: str
    meaning: str
    of: Callable[[Cut], F64]


FUNCTIONALS: Final[dict[str, Functional]] = {
    "mean": Functional("{}", "mean of: {}", Cut.mean),
    "sd": Functional("{}", "standard deviation (n - 1) of: {}", Cut.sd),
    **{
        f"p{q}": Functional("{}", f"{q}th percentile of: {{}}", partial(Cut.percentile, percent=q))
        for q in PERCENTILES
    },
    "slope": Functional("{}/s", "slope of the least-squares line through: {}", Cut.slope),
    "coverage": Functional("1", "share of the ticks that have: {}", Cut.coverage),
}
"""By name. All leave missing values out; where too few are left the result is NaN."""


def functionals(t: F64, x: F64, spans: F64, names: Sequence[str] = ()) -> dict[str, F64]:
    """Return functionals of columns over spans of time.

    Parameters
    ----------
    t
        (n,) s, ascending.
    x
        (columns, n), NaN where missing.
    spans
        (spans, 2) s: a tick counts if start <= t < end.
    names
        Of `FUNCTIONALS`; none: all.

    Returns
    -------
        By name (columns, spans).

    Raises
    ------
    ParameterError
        If there is no such functional.
    """
    for name in names:
        if name not in FUNCTIONALS:
            raise ParameterError(f"functional={name!r} must be one of {', '.join(FUNCTIONALS)}")
    cut = Cut(t, x, spans)
    return {name: FUNCTIONALS[name].of(cut) for name in names or FUNCTIONALS}


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
        layout = schema.TIMELINE if "person" in self.table.columns else schema.STATE
        stored = set(self.table.columns)
        numeric = [c.name for c in layout if c.kind == "float" and c.name in stored - {"t"}]
        for name in columns or ():
            if name not in numeric:
                raise ParameterError(
                    f"column={name!r} is no column of numbers of {self.table.path.stem}"
                    + nearest(name, numeric)
                )
        wanted = numeric if columns is None else list(columns)
        return measured(self.table, wanted, {"windows": self.spans}, names)["windows"]


def measured(
    table: Table,
    columns: Sequence[str],
    cuts: Mapping[str, Callable[[F64], F64]],
    names: Sequence[str] = (),
) -> dict[str, pd.DataFrame]:
    """Return functionals of a table's columns, each person's after the other's.

    Parameters
    ----------
    table
        The timeline or the states.
    columns
        Columns of numbers.
    cuts
        From the ticks (n,) s to the spans (spans, 2) s, by what they are called.
    names
        Of `FUNCTIONALS`; none: all.

    Returns
    -------
        A frame per cut: ``person`` (of a timeline), ``t``, ``t_end``, ``<column>_<functional>``.
    """
    import pandas as pd

    found: dict[str, dict[str, dict[str, F64]]] = {cut: {} for cut in cuts}
    # A few columns at a time: an hour of all of them is 200 MB, several times over.
    for i in range(0, max(1, len(columns)), BLOCK):
        block = columns[i : i + BLOCK]
        for person, t, x in series(table, block):
            for cut, spans_of in cuts.items():
                spans = spans_of(t)
                row = found[cut].setdefault(person, {"t": spans[:, 0], "t_end": spans[:, 1]})
                values = functionals(t, x, spans, names)
                row |= {f"{c}_{f}": values[f][k] for k, c in enumerate(block) for f in values}
    return {
        cut: pd.concat(
            [
                pd.DataFrame(({"person": person} if person else {}) | row)
                for person, row in people.items()
            ],
            ignore_index=True,
        )
        for cut, people in found.items()
    }


def series(table: Table, columns: Sequence[str]) -> list[tuple[str, F64, F64]]:
    """Return the person ("" of a table without), times (n,) and values (columns, n) of each."""
    import pyarrow.compute as pc

    def values(rows: pa.Table) -> tuple[F64, F64]:
        x = np.empty((len(columns), rows.num_rows))
        for i, column in enumerate(columns):
            x[i] = rows.column(column).to_numpy()
        return rows.column("t").to_numpy(), x

    if "person" not in table.columns:
        return [("", *values(table.to_arrow(["t", *columns])))]
    rows = table.to_arrow(["person", "t", *columns])
    who = rows.column("person")
    return [(person, *values(rows.filter(pc.equal(who, person)))) for person in PEOPLE]
