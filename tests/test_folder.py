"""The output folder: whole or not at all, and nobody's files are lost."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from cuesense.errors import OutputError
from cuesense.folder import OLD, OWNER, PART, replacing

MINE = ["a" * 64]


def fill(folder: Path, text: str, hashes: list[str] = MINE) -> None:
    meta = {"cuesense": "0", "source": {"sha256": hashes}}
    (folder / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    (folder / "report.html").write_text(text, encoding="utf-8")


def write(target: Path, text: str, *, overwrite: bool = False) -> None:
    with replacing(target, MINE, overwrite) as folder:
        fill(folder, text)


def hidden(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


def test_a_folder_is_made_and_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"
    write(target, "first")
    write(target, "second")
    assert {p.name for p in target.iterdir()} == {"session.json", "report.html"}
    assert (target / "report.html").read_text("utf-8") == "second"
    assert hidden(target.parent) == []
    assert target.stat().st_mode & 0o777 == (tmp_path / "deep").stat().st_mode & 0o777


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interruption_leaves_the_earlier_result(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def interrupted() -> None:
        with replacing(tmp_path / "out", MINE, False) as folder:
            fill(folder, "second")
            raise error

    write(tmp_path / "out", "first")
    with pytest.raises(error):
        interrupted()
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == "first"
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.txt", "events.csv", "session.json"])
def test_files_of_somebody_else_are_never_replaced(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("years of work", encoding="utf-8")
    with pytest.raises(OutputError, match=name):
        write(tmp_path / "out", "new", overwrite=overwrite)
    assert (tmp_path / "out" / name).read_text("utf-8") == "years of work"


def test_files_that_come_while_it_is_written_are_kept(tmp_path: Path) -> None:
    def joined() -> None:
        with replacing(tmp_path / "out", MINE, False) as folder:
            fill(folder, "second")
            (tmp_path / "out" / "notes.txt").write_text("mine", encoding="utf-8")

    write(tmp_path / "out", "first")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        joined()
    assert (tmp_path / "out" / "notes.txt").read_text("utf-8") == "mine"
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == "first"


def test_another_recordings_session_is_kept_unless_told(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "theirs", ["b" * 64])
    with pytest.raises(OutputError, match=r"another recording.*--overwrite"):
        write(tmp_path / "out", "mine")
    write(tmp_path / "out", "mine", overwrite=True)
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == "mine"


def test_an_empty_folder_and_litter_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".DS_Store").touch()
    write(tmp_path / "out", "new")
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == "new"


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(OutputError, match="is a file"):
        write(tmp_path / "out", "new")


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk", target_is_directory=True)
    write(tmp_path / "out", "new")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "report.html").read_text("utf-8") == "new"


def test_an_earlier_result_that_was_set_aside_by_a_killed_run_comes_back(tmp_path: Path) -> None:
    aside = tmp_path / f".out{OLD}"
    aside.mkdir()
    fill(aside, "earlier")
    with pytest.raises(RuntimeError), replacing(tmp_path / "out", MINE, False):
        raise RuntimeError
    assert (tmp_path / "out" / "report.html").read_text("utf-8") == "earlier"


def test_only_leftovers_of_this_machines_dead_runs_are_removed(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    here = platform.node()
    owners = {
        "dead": {"host": here, "pid": int(process.stdout)},
        "alive": {"host": here, "pid": os.getpid()},
        "elsewhere": {"host": here + "-2", "pid": int(process.stdout)},
    }
    for name, owner in owners.items():
        folder = tmp_path / f".out.{name}{PART}"
        folder.mkdir()
        (folder / OWNER).write_text(json.dumps(owner), encoding="utf-8")
    (tmp_path / ".out.20230101.backup").mkdir()
    write(tmp_path / "out", "new")
    kept = {".out.20230101.backup", f".out.alive{PART}", f".out.elsewhere{PART}"}
    assert set(hidden(tmp_path)) == kept
