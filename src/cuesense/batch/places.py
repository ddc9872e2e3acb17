"""Where recordings lie and sessions go: this machine's folders, or an address of fsspec.

A place is text: a path, or ``protocol://…``. Nothing is contacted but the addresses that the user
named. What may hold a secret in an address (user, query) is left out of all that is shown.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cuesense.errors import CuesenseError, MediaError, MissingExtraError, OutputError
from cuesense.folder import FILES, LITTER, recover, whole_file, writing

META: Final = "session.json"
"""A folder without it is no session, whatever else it holds."""
WITHOUT_FOLDERS: Final = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oci", "oss"}
"""Stores without folders: making one there could make a bucket out of a name that is misspelt."""
READ_ONLY: Final = {"http", "https", "data", "github", "git", "zip", "tar"}


def is_url(place: str) -> bool:
    """Return whether a place is an address; ``file://…`` is one, too."""
    return "://" in place


def local(place: str) -> str:
    """Return a place as it is used from any folder: an absolute path, or the address."""
    if place.startswith("file://"):
        place = unquote(urlsplit(place).path)
    return place if is_url(place) else os.path.abspath(place)


def shown(place: str) -> str:
    """Return a place as it may be shown and kept."""
    if not is_url(place):
        return place
    parts = urlsplit(place)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def below(place: str, name: str) -> str:
    """Return the place of a name in a folder; an absolute path or an address is its own place."""
    if is_url(name) or os.path.isabs(name):
        return name
    return f"{place.rstrip('/')}/{name}" if is_url(place) else os.path.join(place, name)


def parts(place: str) -> tuple[str, ...]:
    """Return a place's folders and its name."""
    if not is_url(place):
        return Path(place).parts
    path = urlsplit(place).path
    # Only addresses of the web are written in percent signs.
    return PurePosixPath(unquote(path) if place.startswith("http") else path).parts


def filesystem(url: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path there.

    Raises
    ------
    MissingExtraError
        If the package that speaks its protocol is not installed.
    OutputError
        If there is no such protocol.
    """
    import fsspec

    try:
        # What others have written meanwhile has to be seen: no listing is kept.
        fs, path = fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        raise MissingExtraError(
            f"{shown(url)!r} needs a package that is not installed "
            f"({' '.join(str(error).split())}); "
            "for s3:// and http(s)://: pip install 'cuesense[remote]'"
        ) from error
    except ValueError as error:
        raise OutputError(
            f"{shown(url)!r} is no address that can be used ({error}); give a path, or an address "
            "such as s3://bucket/folder"
        ) from error
    return fs, str(path)


@contextmanager
def reaching(
    url: str, what: str, kind: type[CuesenseError] = OutputError, *but: type[Exception]
) -> Iterator[None]:
    """Turn whatever goes wrong with a place, `but` these, into one line.

    Every file system raises exceptions of its own family, so all are taken.
    """
    passed: tuple[type[Exception], ...] = (CuesenseError, *but)
    try:
        yield
    except passed:
        raise
    except Exception as error:
        words = " ".join(str(error).split()) or type(error).__name__
        # An exception may quote the address, with what could be a secret in it.
        words = re.sub(r"//[^/@\s]*@", "//", re.sub(r"\?[^\s'\"]*", "?…", words))
        raise kind(
            f"{shown(url)!r} cannot be {what} ({words}); see to its name and your access to it"
        ) from error


def exists(place: str) -> bool:
    """Return whether there is a file."""
    if not is_url(place):
        return os.path.isfile(place)
    fs, path = filesystem(place)
    with reaching(place, "read", MediaError):
        return bool(fs.exists(path))


def read(place: str) -> bytes:
    """Return a small file's content.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    MediaError
        If it cannot be read.
    """
    with reaching(place, "read", MediaError, FileNotFoundError):
        if not is_url(place):
            return Path(place).read_bytes()
        fs, path = filesystem(place)
        return bytes(fs.cat_file(path))


def write(place: str, content: bytes) -> None:
    """Write a small file whole; at an address, its store replaces it whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    if is_url(place):
        fs, path = filesystem(place)
        with reaching(place, "written"):
            make_folder(fs, place.rpartition("/")[0])
            fs.pipe_file(path, content)
        return
    target = Path(place)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as part:  # another run may be writing the same file
            part.write_bytes(content)


def make_folder(fs: Any, url: str) -> None:
    """Make a folder at an address, where there are folders."""
    if urlsplit(url).scheme not in WITHOUT_FOLDERS:
        fs.makedirs(fs._strip_protocol(url), exist_ok=True)


def fetch(place: str, folder: Path) -> Path:
    """Return a recording as a file of this machine: itself, or a copy in `folder`.

    Raises
    ------
    MediaError
        If it cannot be fetched, or not whole.
    """
    if not is_url(place):
        return Path(place)
    fs, path = filesystem(place)
    folder.mkdir()
    target = folder / (parts(place)[-1] if parts(place) else "recording")
    with reaching(place, "fetched", MediaError):
        expected = fs.info(path).get("size")
        fs.get_file(path, str(target))
    size = target.stat().st_size
    if expected is not None and size != expected:
        raise MediaError(
            f"{shown(place)!r} has {expected} bytes, {size} came; fetch it again: run again"
        )
    return target


def session_of(place: str) -> dict[str, Any]:
    """Return the session.json of a finished session; empty if there is none.

    Raises
    ------
    OutputError
        If there is one that cannot be read.
    """
    if not is_url(place):
        with writing(Path(place)):
            recover(Path(place))
    try:
        content = json.loads(read(below(place, META)))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise OutputError(
            f"{shown(place)!r} has a {META} that cannot be read ({error}); remove the folder"
        ) from error
    return content if isinstance(content, dict) else {}


def names_at(url: str) -> set[str]:
    """Return what a folder at an address holds; nothing if it is not there."""
    fs, path = filesystem(url)
    with suppress(FileNotFoundError), reaching(url, "read", OutputError, FileNotFoundError):
        return {PurePosixPath(p).name for p in fs.ls(path, detail=False)} - {
            PurePosixPath(path).name  # some stores list the folder in itself
        }
    return set()


def publish(folder: Path, url: str) -> None:
    """Put a session at an address: an earlier one's session.json goes first, the new comes last.

    So there is no moment at which a session is seen that is not whole. What a broken upload left
    is overwritten; files that are no session's are a reason not to begin.

    Raises
    ------
    OutputError
        If it cannot be written whole, or the place holds other files.
    """
    present = names_at(url)
    if foreign := sorted(present - {*FILES, *LITTER}):
        raise OutputError(
            f"out={shown(url)!r} holds files that are not a session's ({foreign[0]}, …); "
            "choose another folder with -o"
        )
    fs, path = filesystem(url)
    files = {p.name: p for p in folder.iterdir()}
    with reaching(url, "written"):
        make_folder(fs, url)
        for name in [META, *sorted(present - files.keys() - {META})]:
            if name in present:
                fs.rm_file(f"{path}/{name}")
        for name in [*sorted(files.keys() - {META}), META]:
            fs.put_file(str(files[name]), f"{path}/{name}")
            size = files[name].stat().st_size
            if (came := fs.info(f"{path}/{name}")["size"]) != size:
                raise OutputError(
                    f"{shown(url)!r}: of {name} {came} of {size} bytes came through; run again"
                )
