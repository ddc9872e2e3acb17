"""SQL over a study: DuckDB, with nothing but the study's files open, and those to be read only."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cuesense.errors import MissingExtraError, OutputError, ParameterError, nearest
from cuesense.study import store
from cuesense.study.columns import PARTS, TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def ask(folder: Path, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
    """Return the answer to a query; see `cuesense.study.Study.query`.

    Parameters
    ----------
    folder
        A study.
    sql
        One ``select``.
    parameters
        Values for the ``?`` in it.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError(
            "querying a study needs duckdb: pip install 'cuesense[study]'"
        ) from error
    with tempfile.TemporaryDirectory() as spill, duckdb.connect(":memory:") as connection:
        try:
            _open(connection, folder, Path(spill))
            statements = connection.extract_statements(sql)
            # Whatever is no select could write, also into the study: COPY, and EXPLAIN of it.
            if [s.type for s in statements] != [duckdb.StatementType.SELECT]:
                raise ParameterError(f"query={sql!r} must be one select statement")
            answer = connection.sql(sql, params=list(parameters) or None)
            return answer.to_arrow_table()
        except duckdb.IOException as error:
            raise OutputError(
                f"study={str(folder)!r} is damaged ({str(error).splitlines()[0]}); add that "
                "session again with --overwrite"
            ) from error
        except duckdb.Error as error:
            raise ParameterError(_told(str(error), connection)) from error


def _open(connection: duckdb.DuckDBPyConnection, folder: Path, spill: Path) -> None:
    """Give a connection the study's tables, and take all else from it."""
    folder = folder.resolve()
    small = store.read_tables(folder)
    for name, rows in small.items():
        connection.register(name, rows)
    keys = small["sessions"].select(["dyad", "session", "fingerprint"]).to_pylist()
    parts = [store.part_name(*key.values()) for key in keys]
    for table, columns in PARTS.items():
        # Columns by name: a folder above the study may look like a partition, too.
        names = ", ".join(f'"{c}"' for c in ("dyad", "session", *(c.name for c in columns)))
        files = ", ".join(_literal(folder / table / part) for part in parts)
        source = f"read_parquet([{files}], hive_partitioning=true, hive_types_autocast=false)"
        if not files:
            kinds = {"float": "double", "text": "varchar"}
            none = (f'null::{kinds[c.kind]} as "{c.name}"' for c in columns)
            source = f"(select null::varchar as dyad, null::varchar as session, {', '.join(none)})"
            source += " where false"
        connection.execute(f"create view {table} as select {names} from {source}")
    for setting in (
        f"temp_directory = {_literal(spill)}",
        f"allowed_directories = [{_literal(folder)}]",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "python_enable_replacements = false",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"set {setting}")


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _told(message: str, connection: duckdb.DuckDBPyConnection) -> str:
    """Return DuckDB's message as one line, with the nearest name that there is."""
    first = message.splitlines()[0]
    column = re.search(r'(?:column "|column named ")([^"]+)"', first)
    table = re.search(r"Table with name (\S+) does not exist", first)
    if column is not None:
        found = connection.execute(
            "select column_name, list(table_name) from duckdb_columns() where table_name in "
            f"{(*TABLES, *PARTS)} group by all"
        )
        holders = dict(found.fetchall())
        if column[1] in holders:
            there = ", ".join(sorted(holders[column[1]]))
            return f"column={column[1]!r} is in no table that is asked here; it is in {there}"
        return _unknown("column", column[1], holders)
    if table is not None:
        return _unknown("table", table[1], {*TABLES, *PARTS})
    return f"query: {first}"


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return (
        f"{what}={name!r} is in no table of this study ('cuesense schema --study' lists them)"
        + nearest(name, sorted(known))
    )
