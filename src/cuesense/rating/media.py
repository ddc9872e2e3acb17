"""A session's recording, found again: named and proved by its hash, or kept by a live session."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cuesense.capture.file import FileSource, open_files
from cuesense.errors import MediaError
from cuesense.folder import OWNER, owner, owner_lives
from cuesense.session import Session

MAX_SIDE: Final = (960, 640)
"""px, longest side of a picture that is shown: of one recording, of each of two."""
BLOCK_S: Final = 0.02
_KEPT: Final = ("recording", "recording-A", "recording-B")
_PLAIN, _SEALED = ".mkv", ".mkv.enc"
_TEMPORARY: Final = "cuesense-rate-"


@contextmanager
def opened(
    session: Session, named: Sequence[Path], passphrase: Callable[[], str]
) -> Iterator[FileSource]:
    """Open the recording of a session, on the session's clock.

    Parameters
    ----------
    session
        the session.
    named
        its recordings, one or two in any order; none: one that a live session kept, or one of the
        right name and hash beside the session's folder or in the working folder.
    passphrase
        asked for the passphrase of an encrypted one. It is decrypted into a private temporary
        folder, which goes when this context ends.

    Raises
    ------
    MediaError
        If it is not there, is another recording, or cannot be read.
    ParameterError
        If the passphrase is wrong.
    """
    with tempfile.TemporaryDirectory(prefix=_TEMPORARY, ignore_cleanup_errors=True) as temporary:
        _sweep(Path(temporary).parent)
        (Path(temporary) / OWNER).write_text(json.dumps(owner()), encoding="utf-8")
        paths = _found(session, named, passphrase, Path(temporary))
        offset_s = float(session.meta["source"]["offset_s"]) if len(paths) == 2 else None
        yield open_files(paths, offset_s, MAX_SIDE[len(paths) - 1], BLOCK_S)


def _found(
    session: Session, named: Sequence[Path], passphrase: Callable[[], str], temporary: Path
) -> tuple[Path, ...]:
    names: list[str] = session.meta["source"]["paths"]
    hashes: list[str] = session.meta["source"]["sha256"]
    if not named and (kept := _kept(session.path)):
        return _unlocked(kept, passphrase, temporary)
    if not names and not named:
        raise MediaError(
            f"{str(session.path)!r} is a live session that kept no recording: bouts can be coded "
            "only where picture or sound was kept"
        )
    if not hashes:
        return tuple(named)  # a live session keeps no hash of what was played to it
    if named and len(named) != len(hashes):
        raise MediaError(
            f"{len(named)} recordings given, the session is of {len(hashes)} "
            f"({', '.join(names)}): give --media for each"
        )
    candidates = list(named) or [
        path
        for name in names
        for path in (session.path.resolve().parent / name, Path(name))
        if path.is_file()
    ]
    by_hash = {_sha256(path): path for path in candidates}
    for name, wanted in zip(names, hashes, strict=True):
        if wanted not in by_hash:
            raise _missing(session, name, wanted, {p: h for h, p in by_hash.items()}, bool(named))
    return tuple(by_hash[wanted] for wanted in hashes)


def _missing(
    session: Session, name: str, wanted: str, there: dict[Path, str], was_named: bool
) -> MediaError:
    if not was_named:
        return MediaError(
            f"recording {name!r} of {str(session.path)!r} is not beside it and not here: "
            "name it with --media"
        )
    other, found = next(iter(there.items()))
    return MediaError(
        f"media={str(other)!r} is not the recording of {str(session.path)!r} (SHA-256 "
        f"{found[:12]}…, must be {wanted[:12]}…): give the {name!r} that was analysed"
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(
            f"media={str(path)!r} cannot be read ({error.strerror}): give a file that you may read"
        ) from None


def _kept(folder: Path) -> list[Path]:
    """Return what a live session kept: its recording, or both people's; plain before sealed."""
    found = []
    for stem in _KEPT:
        for suffix in (_PLAIN, _SEALED):
            if (path := folder / (stem + suffix)).is_file():
                found.append(path)
                break
    return found


def _unlocked(
    kept: Sequence[Path], passphrase: Callable[[], str], temporary: Path
) -> tuple[Path, ...]:
    """Return files that can be read: those that were encrypted are decrypted."""
    from cuesense.recording import unlock

    word = ""
    plain = []
    for path in kept:
        if path.name.endswith(_SEALED):
            word = word or passphrase()
            target = temporary / path.name.removesuffix(".enc")
            unlock(path, target, word)
            plain.append(target)
        else:
            plain.append(path)
    return tuple(plain)


def _sweep(folder: Path) -> None:
    """Remove what a run that was killed left decrypted."""
    for left in folder.glob(f"{_TEMPORARY}*"):
        try:
            claimed: dict[str, Any] = json.loads((left / OWNER).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # somebody else's
        if "host" in claimed and not owner_lives(claimed):
            shutil.rmtree(left, ignore_errors=True)
