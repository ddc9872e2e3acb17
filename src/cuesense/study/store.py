"""A study's folder at rest: parts of tables, a record per session, and what is made of them.

::

    study.json                                  layout and schema version
    records/<session>.json                      a record: with it the session is in the study
    timeline/dyad=D/session=S/part-….parquet    likewise state, events, windows (hive partitions)
    sessions.parquet people.parquet dyads.parquet   made of the records

A part is named after its record's fingerprint, so that a session that is replaced has its old
parts until its new record is in place, and its new ones from then on. The file ``.lock`` holds who
is writing; it is empty when nobody is and all was finished.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from cuesense import schema
from cuesense.errors import OutputError
from cuesense.export.tables import described
from cuesense.folder import owner, writing
from cuesense.session import write_json
from cuesense.study import rows as study_rows
from cuesense.study.columns import OWN, OWN_REASONS, PARTS
from cuesense.study.rows import Record, dyad_of
from cuesense.study.stretches import windows
from cuesense.types import PEOPLE

if TYPE_CHECKING:
    import pyarrow as pa

LAYOUT: Final = 1
"""Version of what is described above, and of the columns of `windows`."""
ABOUT, LOCK, RECORDS = "study.json", ".lock", "records"
MADE: Final = ("sessions", "people", "dyads")
"""The tables that are made of the records."""
GROUP_ROWS: Final = 22_500
"""Rows to a row group: a quarter of an hour of one person."""
NAME_BYTES: Final = 240
"""Most bytes of a quoted name: a file system takes 255, of which some are ours."""
_FAR: Final = 1 << 30  # the byte that Windows locks, so that the others can be read


def quoted(name: str) -> str:
    """Return a name as part of a path: letters and digits stay, all else is %XX of its UTF-8.

    Readers of hive partitions turn it back.
    """
    text = "".join(
        c if c.isalnum() or c in "-_." else "".join(f"%{b:02X}" for b in c.encode()) for c in name
    )
    return text[:-1] + "%2E" if text.endswith(".") else text  # Windows drops a last dot


def part(folder: Path, table: str, record: Record) -> Path:
    """Return where a session's part of a table is."""
    dyad, _ = dyad_of(record)
    return folder / table / part_name(dyad, record["session"], record["fingerprint"])


def part_name(dyad: str, session: str, fingerprint: str) -> str:
    """Return what a part is called within its table's folder."""
    return f"dyad={quoted(dyad)}/session={quoted(session)}/part-{fingerprint}.parquet"


def record_path(folder: Path, session: str) -> Path:
    """Return where a session's record is."""
    return folder / RECORDS / f"{quoted(session)}.json"


def read_records(folder: Path) -> dict[str, Record]:
    """Return all records of a study, by session.

    Raises
    ------
    OutputError
        If one cannot be read.
    """
    found = {}
    for path in sorted((folder / RECORDS).glob("*.json")):
        try:
            record = cast(Record, json.loads(path.read_text(encoding="utf-8")))
            found[record["session"]] = record
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputError(
                f"{str(path)!r} is damaged ({error}); delete it and add that session again"
            ) from error
    return found


def people_in_turn(path: Path) -> Iterator[pa.Table]:
    """Yield the rows of a timeline, first all of A's, then all of B's.

    A column of one person is smooth, so that it takes less room, and is read without the other's.
    """
    import pyarrow.compute as pc

    for person in PEOPLE:
        for batch in batches(path):
            yield batch.filter(pc.equal(batch.column("person"), person))


def batches(path: Path) -> Iterator[pa.Table]:
    """Yield the rows of a table some minutes at a time; once, if there are none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if not file.metadata.num_rows:
            yield file.read()
        for batch in file.iter_batches(GROUP_ROWS):
            yield pa.Table.from_batches([batch])


def write_parts(folder: Path, record: Record, tables: Mapping[str, Iterable[pa.Table]]) -> None:
    """Write a session's parts; it is not in the study before its record is.

    Parameters
    ----------
    folder
        The study.
    record
        What they are of.
    tables
        Rows of `timeline`, `state` and `events`, in their order.
    """
    import pyarrow.parquet as pq

    note = {
        "cuesense.schema": schema.VERSION,
        "cuesense.session": record["session"],
        "cuesense.recording": record["recording"],
    }
    for table, rows in tables.items():
        _write(part(folder, table, record), rows, PARTS[table], note)
    timeline = pq.read_table(
        part(folder, "timeline", record),
        columns=["t", "person", "role", *OWN, *OWN_REASONS],
        partitioning=None,
    )
    state = pq.read_table(
        part(folder, "state", record),
        columns=["t", "label", "reason", "contingency"],
        partitioning=None,
    )
    made = windows(timeline, state)
    _write(part(folder, "windows", record), [made], PARTS["windows"], note)


def _write(
    path: Path, tables: Iterable[pa.Table], columns: Iterable[schema.Column], note: dict[str, str]
) -> None:
    """Write rows as a Parquet file, whole or not at all."""
    import pyarrow.parquet as pq

    layout = {c.name: c for c in columns}
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    with contextlib.ExitStack() as stack:
        stack.callback(beside.unlink, missing_ok=True)
        writer = None
        for group in _grouped(tables):
            found = described(group, layout, note)
            if writer is None:
                # Cues do not repeat: a dictionary of them costs room, their limits help nobody.
                words = [c.name for c in layout.values() if c.kind == "text"]
                keys = [name for name in ("t", *words) if name in layout]
                options = {"use_dictionary": words, "write_statistics": keys}
                writer = stack.enter_context(
                    pq.ParquetWriter(beside, found.schema, compression="zstd", **options)
                )
            writer.write_table(found)
        if writer is not None:
            writer.close()
        beside.replace(path)


def _grouped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of tables in groups of `GROUP_ROWS` or a little more."""
    import pyarrow as pa

    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(t.num_rows for t in held) >= GROUP_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def commit(folder: Path, record: Record, before: Record | None) -> None:
    """Put a session whose parts are written into the study, in the place of what it was before."""
    path = record_path(folder, record["session"])
    path.parent.mkdir(exist_ok=True)
    write_json(path, cast(dict[str, Any], record))
    if before is not None:
        old = {part(folder, table, before) for table in PARTS}
        _delete(folder, old - {part(folder, table, record) for table in PARTS})


def discard(folder: Path, record: Record) -> None:
    """Take a session out of the study."""
    record_path(folder, record["session"]).unlink()
    _delete(folder, {part(folder, table, record) for table in PARTS})


def sweep(folder: Path, records: Iterable[Record]) -> None:
    """Delete what a run that was killed left behind: parts that no record stands for."""
    meant = {part(folder, table, record) for record in records for table in PARTS}
    found = {p for table in PARTS for p in (folder / table).rglob("*.parquet")}
    _delete(folder, found - meant)


def _delete(folder: Path, parts: Iterable[Path]) -> None:
    """Delete parts, and the folders that are empty then."""
    for path in parts:
        path.unlink(missing_ok=True)
        for above in path.relative_to(folder).parents:
            with contextlib.suppress(OSError):
                (folder / above).rmdir()


def write_tables(folder: Path, records: Iterable[Record]) -> None:
    """Write the tables that are made of the records, each whole."""
    import pyarrow.parquet as pq

    for name, rows in study_rows.tables(list(records)).items():
        beside = folder / f".{name}.parquet"
        pq.write_table(rows, beside, compression="zstd")
        beside.replace(folder / f"{name}.parquet")


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """Return `sessions`, `people` and `dyads`; of the records, if the files are behind or gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lock = folder / LOCK
    if not lock.exists() or not lock.stat().st_size:
        with contextlib.suppress(OSError, pa.ArrowInvalid):
            return {name: pq.read_table(folder / f"{name}.parquet") for name in MADE}
    return study_rows.tables(list(read_records(folder).values()))


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Keep others from writing into a study.

    The system lets go of the lock when the process ends, however it does.

    Yields
    ------
        Whether the one before was killed, so that there may be something to `sweep`.

    Raises
    ------
    OutputError
        If somebody else is writing, or nobody may.
    """
    with writing(folder, "study", "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    with file:
        with writing(folder, "study", "choose another folder"):
            free = _lock(file)
        file.seek(0)
        claimed = file.read()
        if not free:
            raise OutputError(
                f"study={str(folder)!r} is being written by another process ({claimed}); "
                "wait until it is done"
            )
        _note(file, json.dumps(owner()))
        yield bool(claimed)
        _note(file, "")


def _note(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()


def _lock(file: IO[str]) -> bool:
    """Take the lock of an open file; return whether it was free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(file.fileno(), _FAR, os.SEEK_SET)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def read_about(folder: Path) -> dict[str, Any]:
    """Return what a study says of itself; empty if that is no study's."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return about if isinstance(about, dict) else {}


def write_about(folder: Path) -> None:
    """Write what makes a folder a study."""
    write_json(folder / ABOUT, {"study": LAYOUT, "schema": schema.VERSION})


def copy_others(source: Path, target: Path) -> None:
    """Copy what people put beside a study's own files into its migrated copy."""
    own = {ABOUT, LOCK, RECORDS, *PARTS, *(f"{name}.parquet" for name in MADE)}
    for entry in source.iterdir():
        if entry.name not in own and not entry.name.startswith("."):
            if entry.is_dir():
                shutil.copytree(entry, target / entry.name)
            else:
                shutil.copy2(entry, target / entry.name)
