"""Encrypted files: what was written comes out, or one line says why not."""

from __future__ import annotations

import itertools
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cuesense.errors import MediaError, OutputError, ParameterError
from cuesense.recording.vault import CHUNK, HEADER, LENGTH, TAG, Vault, unlock

WORDS = "correct horse battery staple"
PIECES = (b"first", bytes(range(256)) * 400, b"", b"\0" * CHUNK, b"the end")
PLAIN = b"".join(PIECES)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a vault of `PIECES` is on the disk."""
    path = tmp_path_factory.mktemp("vault") / "a.enc"
    vault = Vault(path, WORDS)
    for piece in PIECES:
        assert vault.write(piece) == len(piece)
    vault.close()
    return path.read_bytes()


def starts(sealed: bytes) -> list[int]:
    """Where the chunks start, and where the last one ends."""
    found = [HEADER.size]
    while found[-1] < len(sealed):
        size = LENGTH.unpack_from(sealed, found[-1])[0] & ~(1 << 31)
        found.append(found[-1] + LENGTH.size + size + TAG)
    return found


def opened(folder: Path, content: bytes, passphrase: str = WORDS) -> tuple[bytes, str]:
    """Unlock the content of a file; return what is in it, and the warning."""
    path, target = folder / "some.mkv.enc", folder / "some.mkv"
    path.write_bytes(content)
    try:
        warning = unlock(path, target, passphrase)
        return target.read_bytes(), warning
    finally:
        target.unlink(missing_ok=True)
        assert os.listdir(folder) == [path.name]  # no litter, whatever happened


def test_what_was_written_comes_out(tmp_path: Path, sealed: bytes) -> None:
    assert opened(tmp_path, sealed) == (PLAIN, "")
    # the key's check, 5 B, 65536 + 36864 B, 65536 B, 7 B, the end
    assert len(starts(sealed)) == 8
    assert b"the end" not in sealed
    assert len(sealed) == len(PLAIN) + HEADER.size + 7 * (LENGTH.size + TAG)


def test_nothing_is_not_broken_off(tmp_path: Path) -> None:
    Vault(tmp_path / "a.enc", WORDS).close()
    content = (tmp_path / "a.enc").read_bytes()
    (tmp_path / "a.enc").unlink()
    assert opened(tmp_path, content) == (b"", "")


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    Vault(tmp_path / "a.enc", WORDS).close()
    unlock(tmp_path / "a.enc", tmp_path / "a", WORDS)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]
    assert modes == [0o600, 0o600] or sys.platform == "win32"


def test_every_file_has_a_key_of_its_own(tmp_path: Path) -> None:
    contents = set()
    for name in "ab":
        vault = Vault(tmp_path / name, WORDS)
        vault.write(PLAIN)
        vault.close()
        contents.add((tmp_path / name).read_bytes()[12:200])
    assert len(contents) == 2


def test_a_passphrase_may_be_typed_on_another_keyboard(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "a.enc", "Gru\u0308\u00dfe \ud800")  # u with a combining mark
    vault.write(b"x")
    vault.close()
    unlock(tmp_path / "a.enc", tmp_path / "a", "Gr\u00fc\u00dfe \ud800")
    assert (tmp_path / "a").read_bytes() == b"x"


@pytest.mark.parametrize("passphrase", ["", WORDS + " "])
def test_wrong_passphrase(tmp_path: Path, sealed: bytes, passphrase: str) -> None:
    with pytest.raises(ParameterError, match=r"^passphrase does not open '.*some\.mkv\.enc'"):
        opened(tmp_path, sealed, passphrase)


def test_an_empty_passphrase_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="must not be empty"):
        Vault(tmp_path / "a.enc", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("chunk", "beyond"), [(1, 0), (2, 1), (2, 4), (3, 5), (4, TAG + 10), (6, 0), (6, TAG + 3)]
)
def test_a_broken_off_file_opens_up_to_there(
    tmp_path: Path, sealed: bytes, chunk: int, beyond: int
) -> None:
    at = starts(sealed)[chunk]
    plain, warning = opened(tmp_path, sealed[: at + beyond])
    sizes = list(itertools.accumulate([0, 0, 5, CHUNK, 102400 - CHUNK, CHUNK, 7]))
    assert plain == PLAIN[: sizes[chunk]]
    assert f"is broken off at byte {at}" in warning


def flipped(sealed: bytes, at: int) -> bytes:
    return sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]


# What each attack makes of a file `s` whose chunks start at `at`, and the byte that is to be named.
ATTACKS: dict[str, Callable[[bytes, list[int]], tuple[bytes, int]]] = {
    "a bit of what is sealed": lambda s, at: (flipped(s, at[2] + LENGTH.size + 100), at[2]),
    "a bit of the proof": lambda s, at: (flipped(s, at[4] - 1), at[3]),
    "a length": lambda s, at: (flipped(s, at[1]), at[1]),
    "a huge length": lambda s, at: (s[: at[2]] + b"\xff\xff\xff\x7f" + s[at[2] + 4 :], at[2]),
    "swapped": lambda s, at: (
        s[: at[2]] + s[at[3] : at[4]] + s[at[2] : at[3]] + s[at[4] :],
        at[2],
    ),
    "left out": lambda s, at: (s[: at[1]] + s[at[2] :], at[1]),
    "repeated": lambda s, at: (s[: at[2]] + s[at[1] :], at[2]),
    "called the end": lambda s, at: (s[: at[1] + 3] + b"\x80" + s[at[1] + 4 : at[2]], at[1]),
    "not called the end": lambda s, at: (s[: at[6] + 3] + b"\0" + s[at[6] + 4 :], at[6]),
    "added to": lambda s, at: (s + b"x", at[-1]),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_file_does_not_open(tmp_path: Path, sealed: bytes, attack: str) -> None:
    content, at = ATTACKS[attack](sealed, starts(sealed))
    with pytest.raises(MediaError, match=f"changed or damaged at byte {at}: "):
        opened(tmp_path, content)


@pytest.mark.parametrize(
    ("at", "byte", "why"),
    [
        (0, 0, "no encrypted recording"),
        (8, 2, "version 2, must be 1"),
        (9, 0, "damaged at byte 9"),  # N = 1
        (9, 30, "damaged at byte 9"),  # 1 TiB
        (9, 255, "damaged at byte 9"),
        (10, 0, "damaged at byte 9"),
        (10, 255, "damaged at byte 9"),
        (11, 200, "damaged at byte 9"),  # minutes
        (12, 0, "passphrase does not open"),  # salt
        (34, 0, "passphrase does not open"),  # nonce
    ],
)
def test_a_forged_header_costs_nothing(
    tmp_path: Path, sealed: bytes, at: int, byte: int, why: str
) -> None:
    forged = sealed[:at] + bytes([byte]) + sealed[at + 1 :]
    assert forged != sealed
    with pytest.raises((MediaError, ParameterError), match=why):
        opened(tmp_path, forged)


@pytest.mark.parametrize("content", [b"", b"CUEVAULT", b"\x1aE\xdf\xa3" + bytes(100)])
def test_other_files_are_told_apart(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(MediaError, match="is no encrypted recording"):
        opened(tmp_path, content)


def test_a_target_is_never_overwritten(tmp_path: Path, sealed: bytes) -> None:
    path, target = tmp_path / "a.enc", tmp_path / "a"
    path.write_bytes(sealed)
    target.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        unlock(path, target, WORDS)
    with pytest.raises(OutputError, match="exists already"):
        unlock(path, path, WORDS)
    assert target.read_text() == "mine"
    assert path.read_bytes() == sealed


def test_places_that_cannot_be_used(tmp_path: Path, sealed: bytes) -> None:
    path = tmp_path / "a.enc"
    path.write_bytes(sealed)
    with pytest.raises(OutputError, match="cannot be written"):
        unlock(path, tmp_path / "none" / "a", WORDS)
    with pytest.raises(MediaError, match="cannot be read"):
        unlock(tmp_path / "none", tmp_path / "a", WORDS)
    with pytest.raises(FileExistsError):
        Vault(path, WORDS)
    assert path.read_bytes() == sealed
