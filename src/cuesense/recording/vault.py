"""Files that can only be read with a passphrase, sealed piece by piece while they are written.

A vault is written forwards only, and every write is sealed and handed to the system at once: what
was written before a crash can be read, and nothing plain is ever on the disk.

The format, numbers little-endian unless said otherwise::

    header   "CUEVAULT", version u8, log2 N u8, r u8, p u8 (of scrypt), salt 16 B, prefix 7 B
    chunks   length u32 (bit 31: the last one), then that many bytes and 16 B that prove them

Chunks hold at most 64 kB and are sealed with ChaCha20-Poly1305 (RFC 8439) as in the STREAM
construction (Hoang et al. 2015): the nonce is the prefix, the chunk's number (u32, big-endian) and
whether it is the last (u8), so that chunks that were swapped, repeated, left out or cut off do not
open; header and length are proved with every chunk. Chunk 0 is empty: it tells a wrong passphrase
from damage. The key is scrypt's (RFC 7914) of the passphrase (NFKC, UTF-8) and a salt that every
file draws anew, so no nonce is ever used twice with one key.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import struct
import unicodedata
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from cuesense.errors import CuesenseError, MediaError, OutputError, ParameterError

__all__ = ["CHUNK", "Vault", "WholeFile", "unlock"]

MAGIC: Final = b"CUEVAULT"
VERSION: Final = 1
CHUNK: Final = 65536
"""Bytes that one chunk holds at most."""
TAG: Final = 16  # bytes that prove a chunk
LAST: Final = 1 << 31  # bit of the length: nothing comes after this chunk
HEADER: Final = struct.Struct("<8s4B16s7s")
LENGTH: Final = struct.Struct("<I")
LOG2_N, R, P = 17, 8, 1  # 128 MiB and some 0.3 s per guess
MAX_MEMORY: Final = 2**28  # bytes; a forged header could ask for more than there is
MAX_P: Final = 4


class WholeFile(FileIO):
    """A new file of the owner's alone, whose `write` writes everything or raises.

    PyAV does not look at how many bytes a `write` took.

    Raises
    ------
    FileExistsError
        If there is such a file already; nothing is ever overwritten.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Write all of `data`."""
        left = memoryview(data)
        while left:
            left = left[super().write(left) :]
        return len(data)


@dataclass(frozen=True, slots=True)
class _Lock:
    """A header, and the key that it and the passphrase give."""

    header: bytes
    cipher: ChaCha20Poly1305

    @classmethod
    def new(cls, passphrase: str) -> Self:
        salt, prefix = secrets.token_bytes(16), secrets.token_bytes(7)
        return cls.of(HEADER.pack(MAGIC, VERSION, LOG2_N, R, P, salt, prefix), passphrase)

    @classmethod
    def of(cls, header: bytes, passphrase: str) -> Self:
        _, _, log2_n, r, p, salt, _ = HEADER.unpack(header)
        words = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
        key = Scrypt(salt, 32, 2**log2_n, r, p).derive(words)
        return cls(header, ChaCha20Poly1305(key))

    def seal(self, number: int, data: bytes, *, last: bool) -> bytes:
        """Return the chunk of this number, its length first."""
        length = LENGTH.pack(len(data) | (LAST if last else 0))
        return length + self.cipher.encrypt(self._nonce(number, last), data, self.header + length)

    def open(self, number: int, length: bytes, sealed: bytes, *, last: bool) -> bytes:
        """Return what a chunk holds; `InvalidTag` if it is not what was sealed."""
        return self.cipher.decrypt(self._nonce(number, last), sealed, self.header + length)

    def _nonce(self, number: int, last: bool) -> bytes:
        return self.header[-7:] + struct.pack(">IB", number, last)


class Vault:
    """A file that is being written, sealed: what PyAV needs of a file object, without `seek`.

    Parameters
    ----------
    path
        a new file.
    passphrase
        not empty.

    Raises
    ------
    ParameterError
        If the passphrase is empty.
    OSError
        If the file is there already, or cannot be written.
    """

    def __init__(self, path: Path, passphrase: str) -> None:
        if not passphrase:
            raise ParameterError("passphrase='' must not be empty: give one, or none at all")
        self._lock = _Lock.new(passphrase)
        self._file = WholeFile(path)
        self._number = 0
        self._whole = False  # whether the file ends with a whole chunk
        try:
            self._file.write(self._lock.header)
            self._put(b"", last=False)
        except BaseException:
            self._file.close()
            path.unlink()
            raise

    @property
    def closed(self) -> bool:
        """Whether the end was sealed."""
        return self._file.closed

    def write(self, data: bytes) -> int:
        """Seal and write all of `data`."""
        for start in range(0, len(data), CHUNK):
            self._put(data[start : start + CHUNK], last=False)
        return len(data)

    def close(self) -> None:
        """Seal the end: without it a reader knows that something is missing."""
        try:
            if not self._file.closed and self._whole:
                self._put(b"", last=True)
        finally:
            self._file.close()

    def _put(self, data: bytes, *, last: bool) -> None:
        chunk = self._lock.seal(self._number, data, last=last)
        self._number += 1
        self._whole = False  # until all of it is written
        self._file.write(chunk)
        self._whole = True


def unlock(path: str | Path, target: str | Path, passphrase: str) -> str:
    """Decrypt an encrypted recording to a file.

    Parameters
    ----------
    path
        the encrypted file.
    target
        a new file, its owner's alone; it is there whole or not at all.
    passphrase
        that it was encrypted with.

    Returns
    -------
    warning
        one sentence if the file is broken off, then all that was written before that is in the
        target; "" if it is complete.

    Raises
    ------
    MediaError
        If the file cannot be read, is no encrypted recording, or was changed.
    ParameterError
        If the passphrase is wrong.
    OutputError
        If the target exists or cannot be written.
    """
    path, target = Path(path), Path(target)
    pieces = _opened(path, passphrase)
    with _appearing(target) as out:
        while True:
            try:
                out.write(next(pieces))
            except StopIteration as end:
                return str(end.value)


def _opened(path: Path, passphrase: str) -> Generator[bytes, None, str]:
    """Yield what the chunks of a vault hold, proved; return the warning."""
    try:
        with path.open("rb") as file:
            lock = _lock_of(path, file.read(HEADER.size), passphrase)
            for number in itertools.count():
                at = file.tell()
                head = file.read(LENGTH.size)
                length = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else 0
                last, size = bool(length & LAST), length & ~LAST
                if size > CHUNK:
                    raise _changed(path, at)
                sealed = file.read(size + TAG)
                if len(head) < LENGTH.size or len(sealed) < size + TAG:
                    return (
                        f"'{path}' is broken off at byte {at}: "
                        "what had been recorded up to there was unlocked"
                    )
                try:
                    data = lock.open(number, head, sealed, last=last)
                except InvalidTag:
                    if number == 0:
                        raise ParameterError(
                            f"passphrase does not open '{path}': "
                            "type the one that was chosen before the session"
                        ) from None
                    raise _changed(path, at) from None
                yield data
                if last:
                    if file.read(1):
                        raise _changed(path, file.tell() - 1)
                    break
    except CuesenseError:
        raise
    except OSError as error:
        raise MediaError(
            f"recording '{path}' cannot be read ({error.strerror}): give a file that you may read"
        ) from None
    return ""


def _lock_of(path: Path, header: bytes, passphrase: str) -> _Lock:
    """Return the lock of a header that may come from anyone."""
    if not header.startswith(MAGIC) or len(header) < HEADER.size:
        raise MediaError(
            f"recording '{path}' is no encrypted recording: give a file that ends in .mkv.enc"
        )
    _, version, log2_n, r, p, _, _ = HEADER.unpack(header)
    if version != VERSION:
        raise MediaError(
            f"recording '{path}' is of version {version}, must be {VERSION}: "
            "unlock it with the cuesense that made it"
        )
    if not (1 <= log2_n < 32 and 1 <= p <= MAX_P and 0 < 128 * r * 2**log2_n <= MAX_MEMORY):
        raise _changed(path, len(MAGIC) + 1)
    return _Lock.of(header, passphrase)


def _changed(path: Path, at: int) -> MediaError:
    return MediaError(
        f"recording '{path}' was changed or damaged at byte {at}: unlock an untouched copy"
    )


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[BinaryIO]:
    """Give a file to write; put it in the target's place once all went well, never over a file."""
    try:
        if os.path.lexists(target):
            raise FileExistsError
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            with WholeFile(part) as out:
                yield out
                os.fsync(out.fileno())
            _move(part, target)
        finally:
            part.unlink(missing_ok=True)
    except CuesenseError:
        raise
    except FileExistsError:
        raise OutputError(
            f"target='{target}' exists already: give the name of a new file"
        ) from None
    except OSError as error:
        raise OutputError(
            f"target='{target}' cannot be written ({error.strerror}): choose another place"
        ) from None


def _move(part: Path, target: Path) -> None:
    """Rename, but not over a file that appeared meanwhile."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError from None
        part.rename(target)
