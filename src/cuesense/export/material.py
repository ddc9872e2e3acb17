"""What an exporter is given: a session's tables, read piece by piece, driven by the schema."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import numpy as np

from cuesense import schema
from cuesense.errors import OutputError, ParameterError, nearest
from cuesense.timeline import Table
from cuesense.types import F64, Event, Role

if TYPE_CHECKING:
    import pyarrow as pa

Name = Literal["timeline", "state"]
LAYOUT: Final[dict[Name, tuple[schema.Column, ...]]] = {
    "timeline": schema.TIMELINE,
    "state": schema.STATE,
}
_KEYS: Final = ("t", "person")
"""Columns that say what a row is about: they are exported whatever is chosen."""


class Recorded(Protocol):
    """What is exported: a finished `cuesense.Session`."""

    path: Path
    meta: dict[str, Any]
    timeline: Table
    state: Table
    events: Table


class Material:
    """A session as exporters read it.

    Parameters
    ----------
    session
        A finished session.
    chosen
        Names of the columns wanted of `schema.TIMELINE` and `schema.STATE`; empty: all.

    Raises
    ------
    ParameterError
        If a column is in neither table.
    OutputError
        If a table cannot be read.
    """

    def __init__(self, session: Recorded, chosen: Sequence[str] = ()) -> None:
        self.session = session
        known = {c.name for columns in LAYOUT.values() for c in columns}
        for name in chosen:
            if name not in known:
                raise ParameterError(
                    f"column={name!r} is in no table ('cuesense schema' lists them)"
                    + nearest(name, known)
                )
        self._there: dict[Name, tuple[schema.Column, ...]] = {}
        self._codes: dict[tuple[Name, str], dict[str, int]] = {}
        for table, layout in LAYOUT.items():
            with reading(self.session.path):
                stored = set(self._table(table).columns)
            self._there[table] = tuple(
                c
                for c in layout
                if c.name in stored and (not chosen or c.name in chosen or c.name in _KEYS)
            )

    def _table(self, name: Name) -> Table:
        return self.session.timeline if name == "timeline" else self.session.state

    @property
    def meta(self) -> dict[str, Any]:
        """What session.json says."""
        return self.session.meta

    @cached_property
    def name(self) -> str:
        """What the exported files are called: the session folder's name without its ending."""
        stem = self.session.path.resolve().name.removesuffix(".cuesense")
        return stem or "session"

    @cached_property
    def label(self) -> str:
        """The name in letters and digits only, as BIDS wants it of a subject."""
        return re.sub(r"[^A-Za-z0-9]", "", self.name) or "session"

    @property
    def duration_s(self) -> float:
        """How long the recording is, in s."""
        return float(self.meta["source"]["duration_s"])

    @property
    def media(self) -> list[str]:
        """Names of the recording's files."""
        return list(self.meta["source"]["paths"])

    @property
    def provenance(self) -> dict[str, Any]:
        """Return where the numbers come from: versions, recording, settings, models."""
        meta = self.meta
        return {
            "cuesense": meta["cuesense"],
            "schema": meta["schema"],
            "created": meta["created"],
            "recording": meta["source"]["paths"],
            "recording_sha256": meta["source"]["sha256"],
            "config_hash": meta["config_hash"],
            "models": meta["models"],
        }

    def columns(self, table: Name) -> tuple[schema.Column, ...]:
        """Return the columns exported of a table, in the schema's order; `t` is the first."""
        return self._there[table]

    def values(self, table: Name) -> tuple[schema.Column, ...]:
        """Return the columns exported of a table without `t` and `person`."""
        return tuple(c for c in self.columns(table) if c.name not in _KEYS)

    def groups(self, table: Name) -> Iterator[pa.Table]:
        """Yield the rows of a table some minutes at a time, as they are stored; once if none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with reading(self.session.path), pq.ParquetFile(self._table(table).path) as file:
            names = [c.name for c in self.columns(table)]
            if not file.metadata.num_rows:
                yield file.read(names).select(names)
            for batch in file.iter_batches(6000, columns=names):
                yield pa.Table.from_batches([batch]).select(names)

    def people(self) -> Iterator[dict[str, pa.Table]]:
        """Yield the timeline rows of each person, without the column that says whose they are."""
        import pyarrow.compute as pc

        for group in self.groups("timeline"):
            who = group.column("person")
            rows = group.drop_columns(["person"])
            yield {p: rows.filter(pc.equal(who, p)) for p in self.meta["people"]}

    def read(self, table: Name, *names: str) -> pa.Table:
        """Return whole columns of a table, chosen or not; those that are not stored are left out.

        Parameters
        ----------
        table
            Which.
        *names
            Column names.
        """
        with reading(self.session.path):
            source = self._table(table)
            stored = set(source.columns)
            return source.to_arrow([n for n in names if n in stored])

    @cached_property
    def times(self) -> dict[Name, F64]:
        """(n,) s, the ticks of both tables; of the timeline those of one person."""
        times = {}
        for table in LAYOUT:
            t = self.read(table, "t").column("t").to_numpy().astype(np.float64)
            times[table] = np.unique(t) if table == "timeline" else t
        return times

    def rate_hz(self, table: Name) -> float:
        """Return the ticks per second of a table.

        Raises
        ------
        OutputError
            If the ticks are not evenly spaced, so that there is no such number.
        """
        t = self.times[table]
        if len(t) < 2:
            grid = self.meta["config"]["grid" if table == "timeline" else "dyad"]
            return float(grid["rate_hz"])
        step = float(t[-1] - t[0]) / (len(t) - 1)
        if np.abs(np.diff(t) - step).max() > 0.25 * step:
            raise OutputError(
                f"the {table} of {str(self.session.path)!r} is not evenly spaced in time, which "
                "this format needs; export it as csv or parquet"
            )
        return round(1 / step, 6)

    @cached_property
    def happened(self) -> tuple[Event, ...]:
        """All events, in the order of their start."""
        with reading(self.session.path):
            rows = self.session.events.to_arrow().to_pylist()
        return tuple(sorted((Event(**row) for row in rows), key=lambda e: (e.t, e.t_end)))

    def codes(self, table: Name, column: str) -> dict[str, int]:
        """Return the numbers that stand for the words of a text column where only numbers go.

        The schema's own words come first, 0 is the empty one, so that the numbers of two sessions
        of one version agree as far as their words are the schema's.
        """
        import pyarrow.compute as pc

        if (table, column) in self._codes:
            return self._codes[table, column]
        words = {"": None, **dict.fromkeys(vocabulary(column))}
        found = pc.unique(self.read(table, column).column(column)).to_pylist()
        words |= dict.fromkeys(sorted(w for w in found if w not in words))
        self._codes[table, column] = {word: i for i, word in enumerate(words)}
        return self._codes[table, column]

    def numbered(self, table: Name, column: str, rows: pa.Table) -> pa.Array:
        """Return a text column of some rows as the numbers of `codes`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        words = pa.array(self.codes(table, column), pa.string())
        return pc.index_in(rows.column(column), words).combine_chunks()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a session is read into one line."""
    from pyarrow import ArrowInvalid

    try:
        yield
    except OutputError:
        raise
    except (OSError, ArrowInvalid) as error:
        raise OutputError(
            f"{str(path)!r} is damaged ({str(error).splitlines()[0]}); analyse the recording again"
        ) from error


@cache
def vocabulary(column: str) -> tuple[str, ...]:
    """Return the words that the schema knows for a text column."""
    if column in schema.REASONS:
        return tuple(schema.MISSING)
    if column == "role":
        return tuple(map(str, Role))
    return {"label": schema.LABELS, "rival": tuple(schema.RIVALS)}.get(column, ())


def names(columns: Sequence[schema.Column], kind: str = "") -> list[str]:
    """Return the names of columns, of one kind or of all."""
    return [c.name for c in columns if kind in ("", c.kind)]
