"""The output folder: written beside its place and moved into it whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


@contextlib.contextmanager
def replacing(target: Path, hashes: list[str], overwrite: bool) -> Iterator[Path]:
    """Give a hidden folder to write into; put it in the target's place once all went well.

    Raises
    ------
    OutputError
        If the target cannot be written, or holds what must not be replaced.
    """
    target = Path(os.path.abspath(target))
    _check(target, hashes, overwrite)
    with writing(target):
        folder = _scratch(target)
        try:
            yield folder
            # mkdtemp keeps others out; the finished folder gets the usual permissions.
            mask = os.umask(0)
            os.umask(mask)
            folder.chmod(0o777 & ~mask)
            _swap(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _scratch(target: Path) -> Path:
    """Make the hidden folder beside the target."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        return Path(tempfile.mkdtemp(prefix=f".{target.name}.{os.getpid()}.", dir=target.parent))
    except OSError as error:
        raise OutputError(
            f"out={str(target)!r} cannot be made ({error.strerror}); choose another folder with -o"
        ) from error


def _check(target: Path, hashes: list[str], overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise OutputError(f"out={str(target)!r} is a file; give a folder with -o")
    try:
        present = {p.name for p in target.iterdir()}
    except OSError as error:
        raise OutputError(
            f"out={str(target)!r} cannot be read ({error.strerror}); choose another folder with -o"
        ) from error
    foreign = sorted(present - set(FILES))
    if foreign:
        raise OutputError(
            f"out={str(target)!r} holds files that are not a session's ({foreign[0]}, …); "
            "choose another folder with -o"
        )
    if "session.json" in present and not overwrite:
        earlier = None
        with contextlib.suppress(OSError, ValueError, KeyError):
            meta = json.loads((target / "session.json").read_text(encoding="utf-8"))
            earlier = meta["source"]["sha256"]
        if earlier != hashes:
            raise OutputError(
                f"out={str(target)!r} holds the session of another recording; "
                "choose another folder with -o, or --overwrite it"
            )


@contextlib.contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn the system's errors on writing into one line that says what to do."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno not in _WRITE_ERRORS:
            raise
        raise OutputError(
            f"out={str(target)!r} cannot be written ({os.strerror(error.errno)}); "
            "free some space or choose another folder with -o"
        ) from error


_WRITE_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
}


def _remove_stale(target: Path) -> None:
    """Remove what killed runs left beside the target."""
    for leftover in target.parent.glob(f".{target.name}.*.*"):
        pid = leftover.name.removeprefix(f".{target.name}.").split(".")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(leftover, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    """Put a finished folder in the target's place; the earlier one goes only after that."""
    if not target.exists():
        folder.rename(target)
        return
    aside = folder.with_name(folder.name + ".old")
    target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
