"""What is to be done for each recording, under which id; checked before anything runs.

Every mistake that can be found without opening a recording is found by then, with its line.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import PurePath
from typing import Any, Final

from cuesense import calibration, profiles
from cuesense.batch import places
from cuesense.batch.recordings import Recording, at_line
from cuesense.config import Config
from cuesense.errors import CuesenseError, MediaError, ParameterError
from cuesense.session import recipe
from cuesense.types import PEOPLE

LONGEST_ID: Final = 200
"""Bytes: a file's name may have 255, and a folder that is being written has a longer name."""
FORBIDDEN: Final = frozenset('/\\:*?"<>|')


@dataclass(frozen=True, slots=True)
class Options:
    """What holds for all recordings; arguments as of `session.analyze`."""

    config: Config
    baseline: str | None
    profiles: tuple[tuple[str, str], ...]
    csv: bool
    overwrite: bool
    stall_s: float


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
            with at_line(r.where):
                raise there
    made = []
    for r, name in zip(wanted, ids(wanted), strict=True):
        with at_line(r.where):
            made.append(_job(r, name, places.below(out, f"{name}.cuesense"), options))
    return made


def _whole(r: Recording) -> Recording:
    """Return a recording with places that hold from any folder."""
    if not 1 <= len(r.paths) <= 2:
        with at_line(r.where):
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
            with at_line(r.where):
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
            with at_line(r.where):
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
