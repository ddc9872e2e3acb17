"""A finished session in the formats of the field. The columns are those of the schema, always.

`FORMATS` is the table of formats; `export` writes some of them, each into a folder of its own,
all of them whole or none.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cuesense.errors import OutputError, ParameterError
from cuesense.export import bids, elan, functionals, rttm, tables, textgrid, xdf
from cuesense.export.material import Material, Recorded
from cuesense.folder import LITTER, OWNER, whole, writing

MARK: Final = ".cuesense-export.json"
"""A hidden file in each folder that was exported: only such a folder may be overwritten."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name
        What it is asked for as; the folder it is written into.
    holds
        What it holds, in words.
    reader
        The field's own program that the tests read it with.
    write
        Writes it into an empty folder.
    """

    name: str
    holds: str
    reader: str
    write: Callable[[Material, Path], None]


FORMATS: Final = {
    f.name: f
    for f in (
        Format("csv", "tables, a row per tick and person", "pandas", tables.write_csv),
        Format("csv-wide", "one table, a row per tick", "pandas", tables.write_wide),
        Format("parquet", "tables with units and provenance", "duckdb", tables.write_parquet),
        Format("elan", "annotation tiers (.eaf)", "pympi", elan.write),
        Format("textgrid", "annotation tiers (Praat)", "praatio", textgrid.write),
        Format("bids", "a dataset: physio, events", "bids-validator", bids.write),
        Format("rttm", "who spoke when", "(text)", rttm.write),
        Format("functionals", "numbers per turn and window", "pandas", functionals.write),
        Format("xdf", "streams (Lab Streaming Layer)", "pyxdf", xdf.write),
    )
}


def export(
    session: Recorded,
    formats: Sequence[str],
    out: str | Path | None = None,
    *,
    columns: Sequence[str] = (),
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> dict[str, Path]:
    """Write a session in some formats.

    Parameters
    ----------
    session
        A finished session.
    formats
        Names from `FORMATS`.
    out
        The folder to write into, each format into a folder of its own there; None takes
        ``<session>.export`` in the working folder.
    columns
        Columns of the timeline and of the states to export; none: all.
    overwrite
        Replace what was exported before. Other files are never replaced.
    progress
        Called with each format's name before it is written.

    Returns
    -------
        The folder of each format.

    Raises
    ------
    ParameterError
        If a format or a column is unknown.
    OutputError
        If the session cannot be read, or a folder cannot be written or holds something.
    """
    if not formats:
        raise ParameterError(f"format is missing; give one or more of {', '.join(FORMATS)}")
    for name in formats:
        if name not in FORMATS:
            raise ParameterError(f"format={name!r} must be one of {', '.join(FORMATS)}")
    material = Material(session, columns)
    out = Path(out) if out is not None else Path(f"{material.name}.export")
    new = not os.path.exists(out)  # true also where the name is too long: writing says so
    try:
        with contextlib.ExitStack() as places:
            for name in dict.fromkeys(formats):
                check = _Free(overwrite)
                folder = places.enter_context(whole(out / name, check))
                if progress is not None:
                    progress(name)
                with writing(out / name):
                    FORMATS[name].write(material, folder)
                    mark = {"format": name, **material.provenance}
                    (folder / MARK).write_text(json.dumps(mark), encoding="utf-8")
    finally:
        if new:
            with contextlib.suppress(OSError):
                out.rmdir()  # if nothing was put into it
    return {name: out / name for name in formats}


@dataclass(frozen=True, slots=True)
class _Free:
    """Refuse a folder that holds anything but an export that may be replaced."""

    overwrite: bool

    def __call__(self, target: Path) -> None:
        if not target.exists():
            return
        if not target.is_dir():
            raise OutputError(f"out={str(target)!r} is a file; give another folder with -o")
        present = sorted(p.name for p in target.iterdir() if p.name not in (*LITTER, OWNER))
        if not present:
            return
        if MARK not in present:
            raise OutputError(
                f"out={str(target)!r} holds files that are not an export's ({present[0]}, …); "
                "choose another folder with -o"
            )
        if not self.overwrite:
            raise OutputError(
                f"out={str(target)!r} is there already; choose another folder with -o, or "
                "--overwrite it"
            )
