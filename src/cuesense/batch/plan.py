"""What is to be analysed: a folder's recordings, a pattern's, or a list's; checked before it runs.

Every mistake that can be found without opening a recording is found here, with its line.
"""

from __future__ import annotations

import csv
import difflib
import glob
import hashlib
import io
import math
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Any, Final
from urllib.parse import urlsplit

from cuesense import calibration, profiles
from cuesense.batch import places
from cuesense.config import Config
from cuesense.errors import CuesenseError, MediaError, ParameterError
from cuesense.session import recipe
from cuesense.types import PEOPLE

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
OWN: Final = "x_"
"""How the columns of the researcher's own begin."""
LONGEST_ID: Final = 200
"""Bytes: a file's name may have 255, and a folder that is being written has a longer name."""
FORBIDDEN: Final = frozenset('/\\:*?"<>|')
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


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for all recordings; arguments as of `session.analyze`."""

    config: Config
    baseline: str | None = None
    profiles: tuple[tuple[str, str], ...] = ()
    csv: bool = False
    overwrite: bool = False
    stall_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to know to make one session, wherever it runs."""

    id: str
    paths: tuple[str, ...]
    out: str
    config: dict[str, Any]
    offset_s: float | None
    baseline: str | None
    profiles: tuple[tuple[str, str, str], ...]  # person, name, the file's text
    csv: bool
    overwrite: bool
    stall_s: float
    attributes: dict[str, str]
    recipe: str
    version: str

    @property
    def name(self) -> str:
        """What is analysed, to be shown."""
        return " + ".join(map(places.shown, self.paths))


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


def recordings(what: str) -> list[Recording]:
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
    found = _at(what) if places.is_url(what) else _here(what)
    if not found:
        raise MediaError(
            f"{places.shown(what)!r} has no recordings; give a folder with media files, a pattern "
            'in quotes such as "talks/*.mp4", or a list.csv'
        )
    return [Recording((path,)) for path in sorted(found)]


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
                with _at_line(where):
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
        if column not in COLUMNS and not (column.startswith(OWN) and len(column) > len(OWN)):
            near = difflib.get_close_matches(column.lower(), COLUMNS, 1, cutoff=0.0)
            raise ParameterError(
                f"{name}: unknown column {column!r}; the nearest is {near[0]!r}, and columns of "
                f"your own begin with {OWN}"
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
        attributes={k: v for k, v in row.items() if k == "dyad" or k.startswith(OWN)},
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


def jobs(wanted: Sequence[Recording], out: str, options: Options) -> list[Job]:
    """Return what is to be done, each checked as far as it can be before it runs.

    Parameters
    ----------
    wanted
        recordings, which get an id each if they have none.
    out
        the folder of the sessions: a path, or an address.
    options
        for all that a recording does not say itself.

    Raises
    ------
    CuesenseError
        If a recording is missing, or anything said about one breaks its rule.
    """
    out = places.local(out)
    wanted = [_whole(r) for r in wanted]
    for r, there in zip(wanted, _there(wanted), strict=True):
        if there is not None:
            with _at_line(r.where):
                raise there
    made = []
    for r, name in zip(wanted, ids(wanted), strict=True):
        with _at_line(r.where):
            made.append(_job(r, name, places.below(out, f"{name}.cuesense"), options))
    return made


def _whole(r: Recording) -> Recording:
    """Return a recording with places that hold from any folder."""
    if not 1 <= len(r.paths) <= 2:
        with _at_line(r.where):
            raise ParameterError(f"{len(r.paths)} recordings given; give one, or one per person")
    return replace(r, paths=tuple(map(places.local, r.paths)))


def _there(wanted: Sequence[Recording]) -> list[CuesenseError | None]:
    """Return what is wrong with each recording's files; addresses are asked side by side."""

    def ask(r: Recording) -> CuesenseError | None:
        for path in r.paths:
            try:
                if not places.exists(path):
                    what = "is a folder" if os.path.isdir(path) else "is not there"
                    return MediaError(f"recording {places.shown(path)!r} {what}; see to its name")
            except CuesenseError as error:
                return error
        return None

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(ask, wanted))


def _job(r: Recording, name: str, out: str, options: Options) -> Job:
    config = options.config if r.listener is None else options.config.with_listener(r.listener)
    if r.offset_s is not None and len(r.paths) == 1:
        raise ParameterError(
            f"offset={r.offset_s:g} is given for one recording; it is for a recording_b, or leave "
            "it out"
        )
    baseline = options.baseline if r.baseline is None else r.baseline
    wish = None if baseline is None else calibration.wish(baseline, config)
    # What a recording says of a side goes over what was said for all.
    given = dict(zip(PEOPLE, profiles.of_people(options.profiles), strict=True))
    own = dict(zip(PEOPLE, profiles.of_people(r.profiles), strict=True))
    used = {p: own[p] or given[p] for p in PEOPLE}
    pairs = [(str(p), profile) for p, profile in used.items() if profile]
    loaded = profiles.load_both(profiles.of_people(pairs))
    return Job(
        id=name,
        paths=r.paths,
        out=out,
        config=config.to_dict(),
        offset_s=r.offset_s,
        baseline=baseline,
        profiles=tuple((p, n, profiles.path(n).read_text(encoding="utf-8")) for p, n in pairs),
        csv=options.csv,
        overwrite=options.overwrite,
        stall_s=options.stall_s,
        attributes={"id": name, **r.attributes},
        recipe=recipe(config, r.offset_s, wish, loaded),
        version=version("cuesense"),
    )


def ids(wanted: Sequence[Recording]) -> list[str]:
    """Return an id for each recording: its own, or after its file, and no two alike.

    Two files of one name get their suffix into the id, then their folder's name, and so on. Names
    that differ in case alone count as alike: on some systems their folders would be the same.

    Raises
    ------
    ParameterError
        If an id is given twice, or is no name for a folder.
    """
    taken: dict[str, str] = {}
    found = [r.id for r in wanted]
    for r in wanted:
        if r.id:
            with _at_line(r.where):
                _check_id(r.id)
                if (other := taken.get(_key(r.id))) is not None:
                    raise ParameterError(
                        f"id={r.id!r} is that of {other or 'another recording'} already; give each "
                        "row an id of its own"
                    )
            taken[_key(r.id)] = r.where
    left = [i for i, r in enumerate(wanted) if not r.id]
    depth = 0
    while left:
        names = {i: _named(wanted[i].paths[0], depth) for i in left}
        often = Counter(_key(name) for name in names.values())
        for i, name in names.items():
            if often[_key(name)] == 1 and _key(name) not in taken:
                found[i] = name
                taken[_key(name)] = wanted[i].where
        left = [i for i in left if not found[i]]
        depth += 1
        if left and depth > 2 * max(len(places.parts(wanted[i].paths[0])) for i in left):
            r = wanted[left[-1]]
            with _at_line(r.where):
                raise ParameterError(
                    f"recording {places.shown(r.paths[0])!r} is given twice; give each an id of "
                    "its own"
                )
    return found


def _named(place: str, depth: int) -> str:
    """Return an id after a file: its stem, at depth 1 its name; from 2 on with its folders."""
    *folders, name = places.parts(place)
    last = name if depth % 2 else PurePath(name).stem
    text = "-".join([*folders[len(folders) - depth // 2 :], last])
    text = os.fsencode(text).decode("utf-8", "replace")
    text = "".join("_" if c in FORBIDDEN or not c.isprintable() else c for c in text)
    text = text.strip(". ") or "recording"
    raw = text.encode()
    if len(raw) > LONGEST_ID:
        mark = hashlib.sha256(raw).hexdigest()[:8]
        text = f"{raw[: LONGEST_ID - 10].decode('utf-8', 'ignore')}-{mark}"
    return text


def _check_id(name: str) -> None:
    bad = next((c for c in name if c in FORBIDDEN or not c.isprintable()), None)
    if bad is not None or name != name.strip(". "):
        raise ParameterError(
            f"id={name!r} must be a name for a folder: without {bad or 'dots at its ends'!r}"
        )
    if len(name.encode("utf-8", "replace")) > LONGEST_ID:
        raise ParameterError(
            f"id={name[:20] + '…'!r} must be at most {LONGEST_ID} bytes long; choose a shorter one"
        )


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@contextmanager
def _at_line(where: str) -> Iterator[None]:
    """Put the line of a list before an error's words."""
    try:
        yield
    except CuesenseError as error:
        if not where:
            raise
        raise type(error)(f"{where}: {error}") from error
