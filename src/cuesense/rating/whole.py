"""A file is written whole, after it is on the disk, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cuesense.errors import OutputError


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what goes wrong when something is written to a folder into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{str(folder)!r} cannot be written ({error.strerror or error}); free some space, or "
            "code a copy of the session where you may write"
        ) from error


def _part(path: Path, text: str) -> Path:
    """Write a file beside `path` that is on the disk for certain."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def replace(path: Path, text: str) -> None:
    """Write a file whole, or leave the earlier one."""
    part = _part(path, text)
    try:
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def publish(path: Path, text: str) -> None:
    """Write a new file whole; one that somebody else made meanwhile stays."""
    part = _part(path, text)
    try:
        os.link(part, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not path.exists():
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
