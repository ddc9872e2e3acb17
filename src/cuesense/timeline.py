"""Moments at rest: rows of the schema, spooled while a session runs, read back as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from cuesense import schema
from cuesense.errors import MissingExtraError, ParameterError, nearest
from cuesense.folder import writing
from cuesense.types import Moment, Person, Role

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

BATCH_TICKS = 250
"""Ticks held in memory before they are written: 10 s."""
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What closes an Arrow stream."""


def arrow_schema(columns: Sequence[schema.Column]) -> pa.Schema:
    """Return the Arrow schema of a table, each field with its unit and meaning as metadata.

    Blendshapes are float32, as the model gives them; all other numbers are float64.
    """
    import pyarrow as pa

    def kind(column: schema.Column) -> pa.DataType:
        if column.kind == "text":
            return pa.string()
        return pa.float32() if column.name in schema.BLENDSHAPES else pa.float64()

    return pa.schema(
        [
            pa.field(c.name, kind(c), metadata={"unit": c.unit, "meaning": c.meaning})
            for c in columns
        ],
        metadata={"cuesense.schema": schema.VERSION},
    )


class Spool:
    """Edge: one table being written, batch by batch, into an Arrow stream file.

    A batch is there whole or not at all: where it cannot be written (the disk is full), the file
    is cut back to the batch before, the rows are kept, and the next `flush` tries again.
    """

    def __init__(self, path: Path, layout: pa.Schema, target: Path) -> None:
        self._target = target  # the folder that the user knows, for errors
        self._schema = layout
        self._columns: list[list[Any]] = [[] for _ in layout]
        with writing(target):
            self._file = path.open("wb", buffering=0)
        self._end = 0
        self._append(self._schema.serialize())

    def add(self, row: Sequence[Any]) -> None:
        """Add one row, values in the order of the columns."""
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)

    def flush(self) -> None:
        """Write the rows that are held.

        Raises
        ------
        OutputError
            If they cannot be written; they are still held.
        """
        import pyarrow as pa

        if self._columns[0]:
            arrays = [pa.array(c, f.type) for c, f in zip(self._columns, self._schema, strict=True)]
            self._append(pa.record_batch(arrays, schema=self._schema).serialize())
            for column in self._columns:
                column.clear()

    def close(self) -> None:
        """Write what is held and close the file."""
        try:
            self.flush()
            self._append(END_OF_STREAM)
        finally:
            self._file.close()

    def _append(self, message: Any) -> None:
        """Write one message of the stream."""
        left = memoryview(message)
        try:
            with writing(self._target):
                while left:
                    left = left[self._file.write(left) :]
        except BaseException:
            self._file.truncate(self._end)
            self._file.seek(self._end)
            raise
        self._end = self._file.tell()


def batches(path: Path, *, broken_off: bool = False) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a spool's file.

    Parameters
    ----------
    path
        The file.
    broken_off
        Whether the process that wrote it may have died: what it did not finish is left out.
    """
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        stream = pa.ipc.open_stream(source)
        while True:
            try:
                batch = stream.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowInvalid, OSError):
                if broken_off:
                    return
                raise
            yield batch


class Spools:
    """Edge: the three tables of a session being written into a folder.

    Parameters
    ----------
    folder
        Where they are written.
    target
        What errors name: the folder that the user gave.
    batch_ticks
        Ticks held in memory before they are written.
    """

    def __init__(self, folder: Path, target: Path, batch_ticks: int = BATCH_TICKS) -> None:
        self.timeline = Spool(folder / "timeline.arrow", arrow_schema(schema.TIMELINE), target)
        self.state = Spool(folder / "state.arrow", arrow_schema(schema.STATE), target)
        self.events = Spool(folder / "events.arrow", arrow_schema(schema.EVENTS_TABLE), target)
        self._ticks, self._batch_ticks = 0, batch_ticks

    def write(self, moment: Moment) -> None:
        """Write one moment."""
        for person in moment.people:
            reasons = [str(person.reasons[r]) for r in schema.REASONS]
            # The role is put in when the session closes: it may be known only after the baseline.
            self.timeline.add([person.t, person.person, "", *reasons, *person.values.tolist()])
        if moment.dyad is not None:
            d = moment.dyad
            evidence = [d.evidence.get(c.name, np.nan) for c in schema.EVIDENCE]
            self.state.add([d.t, d.label, d.reason, d.variant, d.rival, *d.p, *evidence])
        for e in moment.events:
            self.events.add([e.t, e.t_end, e.person, e.kind, e.value, e.detail])
        self._ticks += 1
        if self._ticks % self._batch_ticks == 0:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held."""
        for spool in (self.timeline, self.state, self.events):
            spool.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as stack:  # all are closed, whatever one of them raises
            for spool in (self.timeline, self.state, self.events):
                stack.callback(spool.close)


def with_roles(rows: pa.Table, roles: Mapping[Person, Role]) -> pa.Table:
    """Return timeline rows with each person's role filled in."""
    import pyarrow as pa

    people = rows.column("person").to_pylist()
    column = pa.array([str(roles[p]) for p in people], pa.string())
    index = rows.schema.get_field_index("role")
    return rows.set_column(index, rows.schema.field(index), column)


class Table:
    """A finished table of a session, read when asked for.

    Parameters
    ----------
    path
        a Parquet file.
    started
        when its time 0 was, if that is known.
    """

    def __init__(self, path: Path, started: datetime | None = None) -> None:
        self.path = path
        self.started = started

    @property
    def columns(self) -> list[str]:
        """Column names."""
        import pyarrow.parquet as pq

        return list(pq.read_schema(self.path).names)

    def __len__(self) -> int:
        import pyarrow.parquet as pq

        return int(pq.read_metadata(self.path).num_rows)

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the table, or some columns of it, as Arrow.

        Raises
        ------
        ParameterError
            If there is no such column.
        """
        import pyarrow.parquet as pq

        if columns is None:
            return pq.read_table(self.path)
        known = self.columns
        for name in columns:
            if name not in known:
                raise ParameterError(
                    f"column={name!r} is no column of the {self.path.stem}" + nearest(name, known)
                )
        return pq.read_table(self.path, columns=list(columns))

    def to_pandas(
        self,
        columns: Sequence[str] | None = None,
        *,
        index: Literal["seconds", "time"] | None = None,
    ) -> pd.DataFrame:
        """Return the table, or some columns of it, as a pandas DataFrame.

        Parameters
        ----------
        columns
            Names; None: all.
        index
            "seconds": rows are indexed by ``t``; "time": by the date and time (UTC) of ``t``, if
            it is known when the recording was made; None: by their number.

        Raises
        ------
        ParameterError
            If there is no such index, or it is not known when the recording was made.
        """
        import pandas as pd

        if index is None:
            plain: pd.DataFrame = self.to_arrow(columns).to_pandas()
            return plain
        if index not in ("seconds", "time"):
            raise ParameterError(f"index={index!r} must be one of seconds, time, None")
        names = None if columns is None else list(dict.fromkeys(["t", *columns]))
        frame: pd.DataFrame = self.to_arrow(names).to_pandas().set_index("t")
        if index == "time":
            if self.started is None:
                raise ParameterError(
                    "index='time' needs to know when the recording was made, which its file does "
                    "not say; take index='seconds'"
                )
            # Nanoseconds, rounded: a float64 of days since 1970 would be off by microseconds.
            since = pd.to_timedelta((frame.index.to_numpy() * 1e9).round().astype("int64"), "ns")
            frame.index = pd.DatetimeIndex(pd.Timestamp(self.started) + since, name="time")
        return frame

    def to_polars(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the table, or some columns of it, as a polars DataFrame; nothing is copied.

        Raises
        ------
        MissingExtraError
            If polars is not installed.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise MissingExtraError(
                "polars tables need polars: pip install 'cuesense[polars]'"
            ) from error
        frame = pl.from_arrow(self.to_arrow(columns), rechunk=False)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def of(self, person: str, columns: Sequence[str]) -> dict[str, np.ndarray]:
        """Return columns of one person of a timeline as arrays of one value per tick."""
        table = self.to_arrow(["person", *columns])
        mine = table.column("person").to_numpy(zero_copy_only=False) == person
        return {c: table.column(c).to_numpy(zero_copy_only=False)[mine] for c in columns}

    def __repr__(self) -> str:
        return f"Table({self.path.name}: {len(self)} rows x {len(self.columns)} columns)"
