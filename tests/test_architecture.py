"""Imports point upstream; stages know no clock, thread or terminal; nothing heavy is imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "cuesense"
FILES = sorted(SRC.rglob("*.py"))

# The rooms in the order of the flow: a module may import from its own rank or from lower ones.
RANK = {
    "errors": 0,
    "types": 0,
    "schema": 0,
    "resources": 0,
    "config": 1,
    "kernels": 1,
    "models": 2,
    "capture": 2,
    "cues": 3,
    "state": 4,
    "dyad": 5,
    "timeline": 5,
    "profiles": 5,
    "folder": 5,
    "windows": 6,
    "series": 6,
    "importers": 6,
    "lsl": 7,
    "export": 6,
    "report": 6,
    "summary": 6,
    "feedback": 6,
    "board": 6,
    "recording": 6,
    "sensing": 6,
    "tape": 6,
    "appraisal": 7,
    "calibration": 8,
    "pipeline": 8,
    "session": 9,
    "journal": 9,
    "doctor": 9,
    "simulated": 9,
    "pooling": 10,
    "study": 10,
    "live": 10,
    "web": 11,
    "terminal": 11,
    "rating": 11,
    "cli": 12,
    "__main__": 13,
    "__init__": 13,
}
# May read the clock and run threads: the edges of a live session. `cli` and `terminal` print.
CLOCKED = {"cli", "terminal", "live", "web", "board", "recording", "lsl"}
EDGES = {
    "cues/face_worker.py",
    "capture/live.py",
    "capture/camera.py",
    "capture/microphone.py",
    "capture/browser.py",
    "capture/paced.py",
    "rating/clips.py",
}
HEAVY = {"mediapipe", "cv2", "av", "librosa", "scipy", "onnxruntime", "pandas", "pyarrow", "rich"}
GPL = {"parselmouth", "opensmile", "feat"}


def room(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{a.name}" for a in node.names}
    return names


def test_every_room_has_a_rank() -> None:
    assert {room(p) for p in FILES} == set(RANK)
    assert {p.relative_to(SRC).as_posix() for p in FILES} >= EDGES


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_upstream(path: Path) -> None:
    own = room(path)
    for name in imports(path):
        if name.startswith("cuesense."):
            other = name.split(".")[1]
            if other in RANK:
                assert RANK[other] <= RANK[own], f"{own} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_clock_print_or_thread_in_stages(path: Path) -> None:
    if room(path) in CLOCKED or path.relative_to(SRC).as_posix() in EDGES:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert "print" not in called
    assert not {n.split(".")[0] for n in imports(path)} & {"time", "threading", "random"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_no_peer_is_imported(path: Path) -> None:
    assert not {n.split(".")[0] for n in imports(path)} & GPL


def test_importing_the_package_and_help_load_nothing_heavy() -> None:
    code = "import cuesense, cuesense.cli, sys; cuesense.cli.parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_public_names_resolve() -> None:
    import cuesense

    for name in cuesense.__all__:
        assert getattr(cuesense, name) is not None
    assert len(cuesense.__all__) <= 18
