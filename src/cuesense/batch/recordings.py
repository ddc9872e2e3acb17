"""Which recordings are meant: a folder's, a pattern's, an address's, or those of a list."""

from __future__ import annotations

import csv
import glob
import io
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import urlsplit

from cuesense.batch import places
from cuesense.errors import CuesenseError, MediaError, ParameterError, nearest
from cuesense.schema import COVARIATE

SUFFIXES: Final = frozenset(
    ".3gp .aac .aif .aiff .avi .flac .flv .m2ts .m4a .m4v .mka .mkv .mov .mp3 .mp4 .mpeg .mpg .mts "
    ".mxf .oga .ogg .ogv .opus .ts .wav .webm .wma .wmv".split()
)
"""Of the files that are taken from a folder."""
COLUMNS: Final = (
    "recording",
    "recording_b",
    "id",
    "listener",
    "offset",
    "baseline",
    "profile_left",
    "profile_right",
    "dyad",
)
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording to be analysed, and what is special about it; None: as for all.

    Attributes
    ----------
    paths
        one place, or person A's and B's: paths, or addresses of fsspec.
    id
        of its session; "": after the recording.
    listener
        who responds.
    offset_s
        s by which the second recording starts after the first.
    baseline
        "auto" or "START:END".
    profiles
        sides and names of saved profiles.
    attributes
        what else is known: `dyad`, and ``x_…`` of one's own.
    where
        it was listed, for errors.
    """

    paths: tuple[str, ...]
    id: str = ""
    listener: str | None = None
    offset_s: float | None = None
    baseline: str | None = None
    profiles: tuple[tuple[str, str], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    where: str = ""


def means_many(argument: str) -> bool:
    """Return whether an argument names many recordings: a folder, a pattern, a list, an address."""
    if places.is_url(argument) or _is_list(argument):
        return True
    # Not by `Path`, which raises if a name is too long to be one.
    isdir, exists = os.path.isdir(argument), os.path.exists(argument)
    return isdir or (glob.has_magic(argument) and not exists)


def default_out(argument: str) -> str:
    """Return where the sessions of an argument go unless told: NAME.sessions in this folder.

    Raises
    ------
    ParameterError
        If it is an address: then nothing is written unasked.
    """
    if places.is_url(argument):
        raise ParameterError(
            f"out is missing; say with -o where the sessions of {places.shown(argument)!r} go: a "
            "folder, or an address"
        )
    path = Path(argument).absolute()
    while glob.has_magic(path.name):
        path = path.parent
    return f"{path.stem if path.suffix.lower() == '.csv' else path.name}.sessions"


def found(what: str) -> list[Recording]:
    """Return what a folder, a pattern or a list names, in order.

    Raises
    ------
    ParameterError
        If a list has a mistake.
    MediaError
        If there is nothing.
    """
    if _is_list(what):
        return listed(what)
    there = _at(what) if places.is_url(what) else _here(what)
    if not there:
        raise MediaError(
            f"{places.shown(what)!r} has no recordings; give a folder with media files, a pattern "
            'in quotes such as "talks/*.mp4", or a list.csv'
        )
    return [Recording((path,)) for path in sorted(there)]


def _is_list(place: str) -> bool:
    return PurePath(*places.parts(place)).suffix.lower() == ".csv"


def _media(name: str) -> bool:
    path = PurePath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _here(what: str) -> list[str]:
    """Return the paths that one names: a folder's or a pattern's."""
    if not os.path.isdir(what):
        return [p for p in glob.glob(what, recursive=True) if os.path.isfile(p)]
    with places.reaching(what, "read", MediaError):
        return [str(p) for p in Path(what).iterdir() if p.is_file() and _media(p.name)]


def _at(url: str) -> list[str]:
    """Return the addresses that one names: a pattern's, a folder's, or itself."""
    parts = urlsplit(url)
    # In an address of the web a question mark begins the query.
    pattern = "*" in parts.path or (not url.startswith("http") and glob.has_magic(url))
    if not pattern and _media(parts.path):
        return [url]
    fs, path = places.filesystem(url)
    with places.reaching(url, "read", MediaError):
        if pattern:
            found = list(fs.glob(path, detail=True).values())
        elif fs.isdir(path):
            found = [p for p in fs.ls(path, detail=True) if _media(p["name"])]
        else:
            return [url]
        return [fs.unstrip_protocol(p["name"]) for p in found if p["type"] == "file"]


def listed(place: str) -> list[Recording]:
    """Return the recordings of a list: a row each, the header's columns from `COLUMNS` or ``x_…``.

    Raises
    ------
    ParameterError
        If it cannot be read or has a mistake; with the line, and the nearest name.
    """
    name = parts[-1] if (parts := places.parts(place)) else place
    try:
        text = places.read(place).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"list={name!r} is not in UTF-8 ({error.reason} at byte {error.start}); save it as "
            "'CSV UTF-8'"
        ) from error
    except FileNotFoundError as error:
        raise ParameterError(f"list={name!r} is not there; see to its name") from error
    header = text.split("\n", 1)[0]
    mark = max(",;\t", key=header.count)
    base = place.rpartition("/")[0] if places.is_url(place) else str(Path(place).absolute().parent)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    found = []
    try:
        columns = _columns(_cells(next(rows, [])), name)
        for row in rows:
            if cells := _cells(row):
                where = f"{name} line {rows.line_num}"
                with at_line(where):
                    found.append(_row(columns, cells, base, where, decimal_comma=mark == ";"))
    except csv.Error as error:
        raise ParameterError(f"{name} line {rows.line_num}: {error}; mend the quotes") from error
    if not found:
        raise ParameterError(f"list={name!r} has no recordings; give each a row below the header")
    return found


def _cells(row: list[str]) -> list[str]:
    """Return a row without the empty columns at its end that some programs add."""
    cells = [cell.strip() for cell in row]
    return cells[: max((i for i, cell in enumerate(cells, 1) if cell), default=0)]


def _columns(columns: list[str], name: str) -> list[str]:
    """Check a list's header."""
    for column in columns:
        if column not in COLUMNS and not (
            column.startswith(COVARIATE) and len(column) > len(COVARIATE)
        ):
            raise ParameterError(
                f"{name}: column {column!r} must be one of {', '.join(COLUMNS)}, or begin with "
                f"{COVARIATE} if it is your own{nearest(column.lower(), COLUMNS)}"
            )
        if columns.count(column) > 1:
            raise ParameterError(f"{name}: column {column!r} comes twice; keep one")
    if "recording" not in columns:
        raise ParameterError(f"{name}: column 'recording' is missing; name each row's media file")
    return columns


def _row(
    columns: list[str], cells: list[str], base: str, where: str, *, decimal_comma: bool
) -> Recording:
    """Return what one row of a list says."""
    if len(cells) > len(columns):
        raise ParameterError(
            f"{len(cells)} values for {len(columns)} columns; put a value that holds the "
            "separator in quotes"
        )
    row = dict(zip_longest(columns, cells, fillvalue=""))
    if not row["recording"]:
        raise ParameterError("recording is missing; name a media file")
    paths = [row["recording"], *filter(None, [row.get("recording_b")])]
    offset = row.get("offset", "")
    return Recording(
        paths=tuple(places.below(base, path) for path in paths),
        id=row.get("id", ""),
        listener=row.get("listener") or None,
        offset_s=_seconds(offset.replace(",", ".") if decimal_comma else offset),
        baseline=row.get("baseline") or None,
        profiles=tuple(
            (side, name) for side in ("left", "right") if (name := row.get(f"profile_{side}"))
        ),
        attributes={k: v for k, v in row.items() if k == "dyad" or k.startswith(COVARIATE)},
        where=where,
    )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= DAY_S:
        raise ParameterError(f"offset={text!r} must be a number of seconds, within a day")
    return value


@contextmanager
def at_line(where: str) -> Iterator[None]:
    """Put the line of a list before an error's words."""
    try:
        yield
    except CuesenseError as error:
        if not where:
            raise
        raise type(error)(f"{where}: {error}") from error
