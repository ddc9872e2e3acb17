"""The output folder: written beside its place and moved into it whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from cuesense.errors import OutputError

FILES = (
    "timeline.parquet",
    "state.parquet",
    "events.parquet",
    "timeline.csv",
    "state.csv",
    "events.csv",
    "session.json",
    "report.html",
)
"""Everything a session folder may hold."""
LITTER = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What file managers leave in a folder; it may go with the folder."""
PART, OLD, OWNER = ".cuesense-part", ".cuesense-old", "owner.json"


@contextlib.contextmanager
def replacing(target: Path, hashes: list[str], overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder to write a session into; put it in the target's place at the end.

    Parameters
    ----------
    target
        The folder; links are followed.
    hashes
        SHA-256 of the recordings: a session of others is replaced only if `overwrite`.
    overwrite
        Whether a session of another recording may be replaced. Other files never are.

    Raises
    ------
    OutputError
        If the target cannot be written, or holds what must not be replaced.
    """
    with whole(target, lambda place: _check(place, hashes, overwrite)) as folder:
        yield folder


@contextlib.contextmanager
def whole(target: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Give a hidden folder to write into; put it in the target's place once all went well.

    Parameters
    ----------
    target
        The folder; links are followed.
    check
        Called with the target before and after: raises if what is there must stay.

    Raises
    ------
    OutputError
        If the target cannot be written; whatever `check` raises.
    """
    target = Path(target).resolve()
    try:
        str(target).encode()  # the tables' library takes no other names
    except UnicodeEncodeError as error:
        raise OutputError(
            f"out={str(target)!r} must be a name in UTF-8; choose another with -o"
        ) from error
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        recover(target)
        check(target)
        folder = Path(tempfile.mkdtemp(PART, f".{target.name}.", target.parent))
    try:
        with writing(target):
            (folder / OWNER).write_text(json.dumps(owner()), encoding="utf-8")
        yield folder
        with writing(target):
            (folder / OWNER).unlink()
            # mkdtemp keeps others out; the finished folder gets the usual permissions.
            mask = os.umask(0)
            os.umask(mask)
            folder.chmod(0o777 & ~mask)
            check(target)  # somebody may have put files there meanwhile
            _swap(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a hidden name beside a file, of this writer alone; it takes the file's place at the end.

    Parameters
    ----------
    target
        The file, which stays as it is if anything goes wrong.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(
    target: Path, name: str = "out", remedy: str = "choose another folder with -o"
) -> Iterator[None]:
    """Turn the system's errors on writing into one line that says what to do.

    Parameters
    ----------
    target
        What the user named.
    name
        As what they named it.
    remedy
        What they can do.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        space = "free some space or " if full else ""
        raise OutputError(
            f"{name}={str(target)!r} cannot be written ({why}); {space}{remedy}"
        ) from error


def _check(target: Path, hashes: list[str], overwrite: bool) -> None:
    """Refuse a target that holds anything but a session that may be replaced."""
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"out={str(target)!r} is a file; give a folder with -o")
    present = {p.name for p in target.iterdir()} - set(LITTER)
    if not present:
        return
    foreign = sorted(present - set(FILES))
    meta = _json(target / "session.json")
    if foreign or "cuesense" not in meta:
        example = (foreign or sorted(present))[0]
        raise OutputError(
            f"out={str(target)!r} holds files that are not a session's ({example}, …); "
            "choose another folder with -o"
        )
    if not overwrite and meta.get("source", {}).get("sha256") != hashes:
        raise OutputError(
            f"out={str(target)!r} holds the session of another recording; "
            "choose another folder with -o, or --overwrite it"
        )


def claim(target: Path) -> Path:
    """Make the folder of a live session, which is written in place: it must be new or empty.

    Returns
    -------
        The folder.

    Raises
    ------
    OutputError
        If it holds something, or cannot be made.
    """
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        present = sorted(p.name for p in target.iterdir() if p.name not in LITTER)
    if present:
        raise OutputError(
            f"out={str(target)!r} is not empty ({present[0]}, …); a live session needs a folder "
            "of its own: choose another with -o"
        )
    return target


def owner() -> dict[str, Any]:
    """Return who writes a folder: this process."""
    return {"host": platform.node(), "pid": os.getpid()}


def owner_lives(claimed: dict[str, Any]) -> bool:
    """Return whether the process that `owner` described may still be writing."""
    # A process of another machine cannot be asked whether it still lives.
    return claimed.get("host") != platform.node() or psutil.pid_exists(claimed.get("pid", 0))


def recover(target: Path) -> None:
    """Put right what runs that were killed left beside the target."""
    aside = target.with_name(f".{target.name}{OLD}")
    if aside.is_dir():
        # It was killed between the two renames, or before the earlier result was removed.
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.rename(target)
    for leftover in target.parent.iterdir():
        if leftover.name.startswith(f".{target.name}.") and leftover.name.endswith(PART):
            claimed = _json(leftover / OWNER)
            if "host" in claimed and not owner_lives(claimed):
                shutil.rmtree(leftover, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Put a finished folder in the target's place; the earlier one goes only after that."""
    if not target.exists():
        folder.rename(target)
        return
    aside = target.with_name(f".{target.name}{OLD}")
    target.rename(aside)
    try:
        folder.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object; empty if it has none or cannot be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
