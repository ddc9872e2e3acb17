"""The tables as they are: CSV with a row per tick and person or per tick, and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cuesense import schema
from cuesense.export import dictionary
from cuesense.export.material import Material, Name, names

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: Final[tuple[Name, Name]] = ("timeline", "state")


def write_csv(material: Material, folder: Path) -> None:
    """Write ``timeline.csv`` (a row per tick and person), ``state.csv``, ``events.csv``.

    Numbers but times are written to float32; a missing value is an empty field, and the reason
    columns say why. ``columns.csv`` is the data dictionary, ``provenance.json`` what it came from.
    """
    for name in TABLES:
        _csv(folder / f"{name}.csv", (plain(group) for group in material.groups(name)))
    _csv(folder / "events.csv", iter([plain(material.session.events.to_arrow())]))
    _describe(material, folder)


def write_wide(material: Material, folder: Path) -> None:
    """Write ``wide.csv``: a row per tick, columns ``A_…``, ``B_…`` and ``dyad_…``.

    The dyad's columns, at their own lower rate, are filled at the first tick at or after theirs.
    ``events.csv`` and ``columns.csv`` are those of `write_csv`.
    """
    _csv(folder / "wide.csv", (plain(rows) for rows in _wide(material)))
    _csv(folder / "events.csv", iter([plain(material.session.events.to_arrow())]))
    _describe(material, folder)


def write_parquet(material: Material, folder: Path) -> None:
    """Write the three tables as Parquet, each column of the type that the session has it in.

    A missing value is null, not NaN: queries leave nulls out, while one NaN makes a mean NaN (and
    DuckDB 2.0 drops ``where not isnan(x)`` on Parquet). Each field's metadata hold its unit,
    meaning, range, source and the column of its reasons; the tables' hold the provenance (key
    ``cuesense``).
    """
    import pyarrow.parquet as pq

    layouts = {c.name: c for columns in dictionary.TABLES.values() for c in columns}
    note = {"cuesense": json.dumps(material.provenance), "cuesense.schema": schema.VERSION}
    for name in TABLES:
        layouts |= {c.name: c for c in material.columns(name)}
        writer = None
        try:
            for group in material.groups(name):
                rows = described(group, layouts, note)
                if writer is None:
                    path = folder / f"{name}.parquet"
                    writer = pq.ParquetWriter(path, rows.schema, compression="zstd")
                writer.write_table(rows)
        finally:
            if writer is not None:
                writer.close()
    layouts |= {c.name: c for c in schema.EVENTS_TABLE}
    events = described(material.session.events.to_arrow(), layouts, note)
    pq.write_table(events, folder / "events.parquet", compression="zstd")


def described(
    rows: pa.Table, columns: Mapping[str, schema.Column], note: Mapping[str, str]
) -> pa.Table:
    """Return rows with their columns' units and meanings as metadata, and null for NaN.

    Parameters
    ----------
    rows
        With any of the columns.
    columns
        By name.
    note
        Metadata of the whole table.
    """
    import pyarrow as pa

    def described(field: pa.Field) -> pa.Field:
        c = columns[field.name]
        about = {"unit": c.unit, "meaning": c.meaning, "source": c.source, "reason": c.reason}
        limits = {"low": c.low, "high": c.high}
        about |= {k: repr(float(v)) for k, v in limits.items() if v is not None}
        return field.with_metadata({k: v for k, v in about.items() if v})

    layout = pa.schema([described(f) for f in rows.schema], metadata=note)
    return pa.table([_with_nulls(column) for column in rows.columns], schema=layout)


def _with_nulls(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if not pa.types.is_floating(column.type):
        return column
    return pa.chunked_array([pa.array(column.to_numpy(), column.type, from_pandas=True)])


def plain(rows: pa.Table) -> pa.Table:
    """Return rows with numbers but times as float32, and null where one is missing."""
    import pyarrow as pa

    def plainly(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if not pa.types.is_floating(column.type) or name in ("t", "t_end"):
            return column
        return _with_nulls(column.cast(pa.float32(), safe=False))

    return pa.table({n: plainly(n, rows.column(n)) for n in rows.column_names})


def _csv(path: Path, groups: Iterator[pa.Table]) -> None:
    from pyarrow import csv

    writer = None
    try:
        for rows in groups:
            if writer is None:
                writer = csv.CSVWriter(str(path), rows.schema)
            writer.write_table(rows)
    finally:
        if writer is not None:
            writer.close()


def _wide(material: Material) -> Iterator[pa.Table]:
    """Yield rows of a tick each, people beside one another."""
    import pyarrow as pa

    dyad = pa.concat_tables(material.groups("state"))
    ticks = material.times["timeline"]
    # Which state a tick takes up, if any: of states between two ticks the last.
    at = np.full(len(ticks), -1)
    place = np.searchsorted(ticks, dyad.column("t").to_numpy() - 1e-6)
    at[place[place < len(ticks)]] = np.flatnonzero(place < len(ticks))
    done = 0
    for group in material.people():
        rows = {"t": next(iter(group.values())).column("t")}
        for person, mine in group.items():
            rows |= {f"{person}_{n}": mine.column(n) for n in mine.column_names if n != "t"}
        index = at[done : done + len(rows["t"])]
        taken = dyad.take(pa.array(index, pa.int64(), mask=index < 0))
        rows |= {f"dyad_{n}": taken.column(n) for n in names(material.values("state"))}
        done += len(index)
        yield pa.table(rows)


def _describe(material: Material, folder: Path) -> None:
    (folder / "columns.csv").write_text(dictionary.to_csv(), encoding="utf-8")
    note = json.dumps(material.provenance, indent=1, ensure_ascii=False)
    (folder / "provenance.json").write_text(note + "\n", encoding="utf-8")
