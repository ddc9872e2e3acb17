"""Many recordings on this machine: what is left, gone on with, skipped, refused, survived."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from conftest import cut
from cuesense import Session, analyze, cli, schema
from cuesense.batch import Outcome, Recording, analyze_many
from cuesense.profiles import FOLDER_VARIABLE
from cuesense.session import TABLES
from cuesense.types import F32
from media import wav_bytes
from test_batch_plan import profile
from test_cli import heed_interrupts

posix = pytest.mark.skipif(sys.platform == "win32", reason="it has no such signals")


def sound(path: Path, seed: int = 0, seconds: float = 1.0) -> Path:
    """Write a recording without a picture, which is analysed in a second or two."""
    noise: F32 = (
        np.random.default_rng(seed).normal(0, 0.1, (round(16_000 * seconds), 1)).astype("f4")
    )
    path.write_bytes(wav_bytes(noise, 16_000))
    return path


def statuses(outcomes: list[Outcome]) -> dict[str, str]:
    return {o.id: o.status for o in outcomes}


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def tree(out: Path) -> set[str]:
    return {p.name for p in out.iterdir()}


@pytest.fixture(scope="module")
def clip(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people on video, no longer than it takes to have them all in it."""
    return cut(sample, 3.0, tmp_path_factory.mktemp("clip") / "clip.mp4", whole=True)


@pytest.fixture(scope="module")
def folder(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people on video, a sound, and what is no recording."""
    place = tmp_path_factory.mktemp("many") / "in"
    place.mkdir()
    shutil.copy(clip, place / "clip.mp4")
    sound(place / "Gespräch 长.wav")
    (place / "broken.mp4").write_text("not a recording\n" * 50, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def first(folder: Path) -> tuple[Path, list[Outcome], list[tuple[str, float]]]:
    """The folder, analysed: where to, what came of it, and what was told meanwhile."""
    told: list[tuple[str, float]] = []

    def tell(name: str, done: float, _: float | None, outcome: Outcome | None) -> None:
        if outcome is None:
            told.append((name, done))

    out = folder.parent / "out"
    return out, analyze_many(folder, out, jobs=2, progress=tell), told


First = tuple[Path, list[Outcome], list[tuple[str, float]]]


def test_each_recording_gets_a_session_and_a_bad_one_its_reason(first: First, folder: Path) -> None:
    out, outcomes, told = first
    assert statuses(outcomes) == {"Gespräch 长": "done", "broken": "failed", "clip": "done"}
    assert tree(out) == {"Gespräch 长.cuesense", "clip.cuesense", "summary.csv"}
    assert max(done for name, done in told if name == "clip") > 2.0
    session = Session(out / "clip.cuesense")
    assert session.meta["attributes"] == {"id": "clip"}
    found = rows(out)
    assert list(found) == ["Gespräch 长", "broken", "clip"]
    assert "no recording" in found["broken"]["reason"]
    assert found["broken"]["duration_s"] == ""
    row = found["clip"]
    assert row["recording"] == str(folder / "clip.mp4")
    assert float(row["duration_s"]) == pytest.approx(session.meta["source"]["duration_s"], abs=1e-3)
    assert sum(float(v) for k, v in row.items() if k.startswith("share_")) == pytest.approx(1.0)
    for person in ("A", "B"):
        coverage = session.meta["coverage"][person]["face"]
        assert float(row[f"face_{person.lower()}"]) == pytest.approx(coverage, abs=1e-3)


def test_a_session_is_that_of_analyze(first: First, folder: Path, tmp_path: Path) -> None:
    """One core each, or three processes for one recording: not a number differs."""
    alone = analyze(folder / "clip.mp4", out=tmp_path / "alone")
    among = Session(first[0] / "clip.cuesense")
    for table in TABLES:
        ours, theirs = (pq.read_table(s.path / f"{table}.parquet") for s in (among, alone))
        assert ours.schema == theirs.schema
        pd.testing.assert_frame_equal(ours.to_pandas(), theirs.to_pandas(), check_exact=True)
    assert among.meta["recipe"] == alone.meta["recipe"]


def test_what_is_finished_is_skipped_and_what_is_known_of_it_renewed(
    first: First, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(first[0], out)
    name = "Gespräch 长.cuesense"
    before = (out / name / "timeline.parquet").stat().st_mtime_ns
    known = {"dyad": "7", "x_age": "31"}
    given = Recording((str(folder / "Gespräch 长.wav"),), attributes=known)
    (outcome,) = analyze_many([given], out)
    assert (outcome.status, outcome.duration_s) == ("skipped", first[1][0].duration_s)
    session = Session(out / name)
    assert session.meta["attributes"] == {"id": "Gespräch 长", **known}
    assert (out / name / "timeline.parquet").stat().st_mtime_ns == before
    # Tables that are asked for and not there are a reason to do it again.
    assert statuses(analyze_many([given], out, csv=True)) == {"Gespräch 长": "done"}
    assert (out / name / "timeline.csv").exists()
    assert statuses(analyze_many([given], out)) == {"Gespräch 长": "skipped"}


def test_another_recipe_is_done_anew_another_recording_refused(tmp_path: Path) -> None:
    path, out = sound(tmp_path / "a.wav"), tmp_path / "out"

    def run(**options: object) -> Outcome:
        (outcome,) = analyze_many([path], out, **options)  # type: ignore[arg-type]
        return outcome

    assert run().status == "done"
    assert run(listener="left").status == "done"
    place = out / "a.cuesense" / "session.json"
    meta = json.loads(place.read_text("utf-8"))
    assert meta["people"]["A"]["role"] == "listener"
    sound(path, seed=1)
    refused = run(listener="left")
    assert (refused.status, "another recording" in refused.reason) == ("failed", True)
    place.write_text(json.dumps(meta | {"schema": "0"}), encoding="utf-8")
    older = run()
    assert (older.status, "schema '0'" in older.reason) == ("failed", True)
    assert run(overwrite=True).status == "done"
    (out / "a.cuesense" / "notes.txt").write_text("mine", encoding="utf-8")
    sound(path, seed=2)
    kept = run(overwrite=True)
    assert (kept.status, "notes.txt" in kept.reason) == ("failed", True)


def test_a_list_reaches_the_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = tmp_path / "profiles"
    saved.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(saved))
    profile(saved)
    sound(tmp_path / "her.wav", 1, 3.0)
    sound(tmp_path / "his.wav", 2, 3.0)
    (tmp_path / "list.csv").write_text(
        "recording;recording_b;id;offset;listener;profile_left;x_site\n"
        "her.wav;his.wav;dyad 1;0,5;right;anna;Köln\n",
        encoding="utf-8-sig",
    )
    (outcome,) = analyze_many(tmp_path / "list.csv", tmp_path / "out")
    assert outcome.status == "done", outcome.reason
    meta = Session(tmp_path / "out" / "dyad 1.cuesense").meta
    assert meta["source"]["paths"] == ["her.wav", "his.wav"]
    assert meta["source"]["offset_s"] == 0.5
    assert meta["people"]["B"]["role"] == "listener"
    assert meta["baseline"]["A"]["profile"]["name"] == "anna"
    assert meta["attributes"] == {"id": "dyad 1", "x_site": "Köln"}


def children(of: psutil.Process) -> list[psutil.Process]:
    """Return the analyses that a process has started."""
    found = []
    for process in of.children(recursive=True):
        try:
            if "cuesense.batch.child" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            pass
    return found


@posix
def test_a_crash_or_a_kill_ends_one_recording_not_the_rest(tmp_path: Path) -> None:
    place = tmp_path / "in"
    place.mkdir()
    deaths = {"a": signal.SIGSEGV, "b": signal.SIGKILL}
    for name in "abc":
        sound(place / f"{name}.wav", seconds=20.0)

    def kill(name: str, _: float, __: float | None, outcome: Outcome | None) -> None:
        if outcome is None and name in deaths:
            (process,) = children(psutil.Process())
            process.send_signal(deaths.pop(name))

    a, b, c = analyze_many(place, tmp_path / "out", jobs=1, progress=kill)
    assert (a.status, b.status, c.status) == ("failed", "failed", "done")
    assert "crashed with SIGSEGV" in a.reason
    assert "killed by the system" in b.reason
    assert "memory" in b.reason
    assert tree(tmp_path / "out") == {"c.cuesense", "summary.csv"}


@posix
def test_what_hangs_is_ended(tmp_path: Path) -> None:
    stopped: list[psutil.Process] = []

    def hang(_: str, __: float, ___: float | None, outcome: Outcome | None) -> None:
        if outcome is None and not stopped:
            stopped.extend(children(psutil.Process()))
            stopped[0].suspend()

    path = sound(tmp_path / "a.wav", seconds=20.0)
    (outcome,) = analyze_many([path], tmp_path / "out", progress=hang, stall_s=8.0)
    assert outcome.status == "failed"
    assert "no progress for 8 s" in outcome.reason
    assert not stopped[0].is_running()
    assert tree(tmp_path / "out") == {"summary.csv"}


@pytest.fixture
def under_way(clip: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The command in the midst of two recordings, one more finished before."""
    place, out = tmp_path / "in", tmp_path / "out"
    place.mkdir()
    sound(place / "a.wav")
    assert statuses(analyze_many(place, out)) == {"a": "done"}
    for name in "bc":
        shutil.copy(clip, place / f"{name}.mp4")
    command = [sys.executable, "-m", "cuesense", "analyze", str(place), "-o", str(out)]
    process = subprocess.Popen(
        [*command, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    wait_for(lambda: len(list(out.glob(".?.cuesense.*"))) == 2 or process.poll() is not None)
    yield process, out
    process.kill()
    process.communicate()


def wait_for(there: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@posix
def test_ctrl_c_keeps_what_is_finished(under_way: tuple[subprocess.Popen[str], Path]) -> None:
    process, out = under_way
    working = children(psutil.Process(process.pid))
    assert len(working) == 2
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert not any(p.is_running() for p in working)
    assert tree(out) == {"a.cuesense", "summary.csv"}
    assert {name: row["status"] for name, row in rows(out).items()} == {"a": "skipped"}


@posix
def test_nobody_goes_on_when_the_command_is_killed(
    under_way: tuple[subprocess.Popen[str], Path],
) -> None:
    process, out = under_way
    working = children(psutil.Process(process.pid))
    assert len(working) == 2
    process.kill()
    wait_for(lambda: not any(p.is_running() for p in working), 20.0)
    assert tree(out) == {"a.cuesense", "summary.csv"}


def test_the_command_line(first: First, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", str(folder / "*.*"), "-o", str(first[0])])
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert "0 done, 2 skipped, 1 failed" in shown.out
    assert "failed: broken: recording " in shown.out
    assert "[3/3] " in shown.err
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", str(folder / "clip.mp4"), str(folder), "--dry-run"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", str(folder), "--dry-run", "-o", str(first[0])])
    assert ended.value.code == 0
    assert "broken: " in capsys.readouterr().out


def file_in_the_way(out: Path) -> None:
    out.write_text("mine", encoding="utf-8")


def summary_of_somebody_else(out: Path) -> None:
    out.mkdir()
    (out / "summary.csv").write_text("a,b\n1,2\n", encoding="utf-8")


def nothing(_: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("arguments", "prepare", "words"),
    [
        ((), file_in_the_way, ("is a file", "-o")),
        ((), summary_of_somebody_else, ("summary.csv", "-o")),
        (("-o", "x" * 300), nothing, ("xxx", "name too long")),
        (("-o", "http://127.0.0.1:9/x"), nothing, ("cannot be written to", "s3://")),
        (("-o", "nonsense://x/y"), nothing, ("nonsense://x/y", "no address")),
        (("--jobs", "0"), nothing, ("jobs=0 must be >= 1",)),
        (("--jobs", "2", "--scheduler", "tcp://x:1"), nothing, ("both given",)),
        (("--scheduler", "nonsense"), nothing, ("scheduler='nonsense'", "dask scheduler")),
        (("--save-profile", "left=anna"), nothing, ("--save-profile is for one recording",)),
        (("--lsl-replay",), nothing, ("--lsl-replay is for one recording",)),
        (("--offset", "1"), nothing, ("--offset", "list's column")),
        (("--listener", "A", "--profile", "left=nobody"), nothing, ("profile='nobody'",)),
        (("--baseline", "best"), nothing, ("baseline='best'",)),
    ],
)
def test_where_nothing_can_start(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    prepare: Callable[[Path], None],
    words: tuple[str, ...],
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "none"))
    out = tmp_path / "out"
    prepare(out)
    before = out.is_file() or (out.is_dir() and tree(out))
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", str(folder), "-o", str(out), *arguments])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert all(word in line for word in words), line
    assert before == (out.is_file() or (out.is_dir() and tree(out)))


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write")
def test_a_target_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["analyze", str(folder), "-o", "/proc/nowhere/out"])
    assert ended.value.code == 2
    assert "/proc/nowhere/out" in capsys.readouterr().err


def test_options_for_many_are_refused_for_one(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in (("--jobs", "2"), ("--scheduler", "tcp://x:1"), ("--dry-run",)):
        with pytest.raises(SystemExit) as ended:
            cli.main(["analyze", str(folder / "clip.mp4"), *option])
        assert ended.value.code == 2
        assert f"{option[0]} is for many recordings" in capsys.readouterr().err


def test_the_summary_has_a_column_for_each_label() -> None:
    from cuesense.batch.summary import COLUMNS

    assert sum(c.startswith("share_") for c in COLUMNS) == len(schema.LABELS)
    assert all(c.isidentifier() for c in COLUMNS)


def test_two_runs_of_one_recording_at_once_leave_one_whole_session(tmp_path: Path) -> None:
    """As when Dask takes a worker for dead that is not: both publish, nobody fails."""
    path, out = sound(tmp_path / "a.wav"), tmp_path / "out"
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(analyze_many, [path], out) for _ in range(2)]
        assert [run.result()[0].status for run in runs] == ["done", "done"]
    assert tree(out) == {"a.cuesense", "summary.csv"}
    assert Session(out / "a.cuesense").report.stat().st_size > 10_000
    assert statuses(analyze_many([path], out)) == {"a": "skipped"}
