"""A session folder as it comes into a study: what it is called, whose it is, and its rows."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cuesense.errors import ParameterError, nearest
from cuesense.export.material import reading
from cuesense.schema import COVARIATE
from cuesense.session import RUNNING, sha256
from cuesense.study import migrations, store
from cuesense.study.rows import Record, dyad_of

if TYPE_CHECKING:
    import pyarrow as pa

TABLES: Final = ("timeline", "state", "events")


def read_list(path: str | Path) -> dict[str, dict[str, str]]:
    """Read what a researcher knows of sessions: a CSV file, UTF-8, with a row per session.

    Parameters
    ----------
    path
        Its columns: ``session`` (the name in the study), perhaps ``dyad``, and any ``x_…``.

    Returns
    -------
        By session, the other columns.

    Raises
    ------
    ParameterError
        If it cannot be read, has other columns, or a session twice.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
            names = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"list={str(path)!r} cannot be read: {error}") from error
    if "session" not in names:
        raise ParameterError(f"list={str(path)!r} must have a column session; it has {names}")
    for name in names:
        if name not in ("session", "dyad") and not name.startswith(COVARIATE):
            raise ParameterError(
                f"list={str(path)!r}: column {name!r} must be session, dyad or begin with "
                f"{COVARIATE}; call it {COVARIATE}{name}"
            )
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        session = _plain(row.pop("session"))
        if session in found:
            raise ParameterError(f"list={str(path)!r} has session {session!r} twice; keep one")
        found[session] = row
    return found


def found_sessions(paths: Iterable[str | Path]) -> list[Path]:
    """Return the session folders among and below these folders, each once.

    A folder without any is returned itself: why it is none is told when it is read.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        # Not by `Path`, which raises if a name is too long to be one; reading it says so.
        here = any(os.path.exists(path / name) for name in ("session.json", RUNNING))
        if here or not os.path.isdir(path):
            found.append(path)
            continue
        below = {p.parent for name in ("session.json", RUNNING) for p in path.rglob(name)}
        shown = (p for p in below if not any(s.startswith(".") for s in p.relative_to(path).parts))
        found += sorted(shown) or [path]
    return list({p.resolve(): p for p in reversed(found)}.values())[::-1]


def rows_of(path: Path, table: str, steps: list[migrations.Step]) -> Iterator[pa.Table]:
    """Yield the rows of a session's table with today's columns.

    Parameters
    ----------
    path
        Its file.
    table
        Which it is.
    steps
        From `migrations.chain`.
    """
    read = store.people_in_turn if table == "timeline" else store.batches
    with reading(path.parent):
        for rows in read(path):
            yield migrations.upgraded(table, rows, steps)


def _plain(name: str) -> str:
    """Return a session's name as it is compared: composed, without the folder's ending."""
    return unicodedata.normalize("NFC", name.strip().removesuffix(".cuesense"))


def name_of(folder: Path, meta: Mapping[str, Any]) -> str:
    """Return what a session is called in the study."""
    own = os.fsencode(folder.resolve().name).decode("utf-8", "replace")
    return _plain(str(meta.get("attributes", {}).get("id") or own))


def given_by_hand(
    before: Record | None, dyad: str | None, listed: Mapping[str, str]
) -> dict[str, str]:
    """Return all that was given by hand by now."""
    found = dict(before["given"]) if before else {}
    for source, name in (("option", dyad), ("list", listed.get("dyad"))):
        if name:
            found |= {"dyad": name, "dyad_from": source}
    return found | {k: v for k, v in listed.items() if k.startswith(COVARIATE)}


def check_names(record: Record, records: Iterable[str]) -> None:
    """Raise if a session's or a dyad's name cannot be part of a path, or be told from others."""
    for what, name in (("session", record["session"]), ("dyad", dyad_of(record)[0])):
        size = len(store.quoted(name).encode())
        if not 0 < size <= store.NAME_BYTES:
            raise ParameterError(
                f"{what}={name!r} must take 1 to {store.NAME_BYTES} bytes, not {size}; give a "
                "shorter name"
            )
    session = record["session"]
    for other in records:
        if other != session and other.casefold() == session.casefold():
            raise ParameterError(
                f"session={session!r} and {other!r}, which is in this study, are one name on some "
                "systems; rename the folder"
            )


def recording_of(folder: Path, meta: Mapping[str, Any]) -> str:
    """Return what tells a recording from others; a live session has its timeline only."""
    hashes = meta["source"]["sha256"]
    if hashes:
        return " ".join(hashes)
    with reading(folder):
        return "timeline " + sha256(folder / "timeline.parquet")


def fingerprint_of(folder: Path, record: Record) -> str:
    """Return what changes if a session, or what is given of it, does: 16 hex digits.

    session.json says when it was written and with which settings, so that the tables, which may
    be large, need not be read.
    """
    with reading(folder):
        sizes = [(folder / f"{table}.parquet").stat().st_size for table in TABLES]
    said = json.dumps([record["meta"], record["given"], sizes], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def twins_of(record: Record, records: Mapping[str, Record]) -> dict[str, str]:
    """Return sessions of the study that this one would stand in for, and what to say of each."""
    name, found = record["session"], {}
    for other, there in records.items():
        if other == name and there["recording"] != record["recording"]:
            found[other] = (
                f"session={name!r} is another recording in this study; rename the folder, or "
                "--overwrite it"
            )
        elif other != name and there["recording"] == record["recording"]:
            found[other] = (
                f"session={name!r} is of the recording of session {other!r}, which is in this "
                "study; remove that, or --overwrite it"
            )
    return found


def unknown(name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that is not in a study."""
    return "is not in this study" + nearest(name, known)
