"""Live sessions at rest: nothing is lost when the process or the disk fails."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cuesense import Config, Moment, Session, journal, open_source, run
from cuesense.capture import SourceInfo
from cuesense.cli import main
from cuesense.errors import OutputError
from cuesense.folder import claim
from cuesense.pipeline import Findings


@pytest.fixture(scope="module")
def sensed(clip: Path) -> tuple[SourceInfo, list[Moment]]:
    """The clip's source and moments."""
    with open_source(clip) as source:
        return source.info, list(run(source))


WRITER = """
import sys
from pathlib import Path
from cuesense import Config, journal, open_source, run
from cuesense.pipeline import Findings

findings = Findings()
with open_source(sys.argv[1]) as source:
    writer = journal.Journal(Path(sys.argv[2]), source.info, Config(), findings)
    for moment in run(source, Config(), findings):
        writer.write(moment)
        print(moment.t, flush=True)
        if moment.t > 4.3:
            sys.stdin.read()
"""


def test_a_killed_session_is_finished_from_what_it_had_written(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = claim(tmp_path / "live")
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(clip), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        last = next(t for line in process.stdout if (t := float(line)) > 4.3)
        with pytest.raises(OutputError, match="still running"):
            journal.finish(folder)
        process.send_signal(signal.SIGKILL)
    with pytest.raises(OutputError, match="cuesense report"):
        Session(folder)
    with pytest.raises(SystemExit) as ended:
        main(["report", str(folder)])
    assert ended.value.code == 0
    assert "broken off" in capsys.readouterr().out
    session = Session(folder)
    kept = session.timeline.of("A", ["t"])["t"].max()
    assert last - 1.0 <= kept <= last
    assert session.meta["source"]["duration_s"] >= kept
    assert session.report.stat().st_size > 10_000
    assert not journal.broken_off(folder)


def test_an_ended_session_holds_what_an_analysis_would(
    sensed: tuple[SourceInfo, list[Moment]], tmp_path: Path
) -> None:
    info, moments = sensed
    folder = claim(tmp_path / "live")
    with journal.Journal(folder, info, Config(), Findings()) as writer:
        writer.about = {"checkins": [{"when": "before", "calm": 7.0}]}
        for moment in moments:
            writer.write(moment)
    session = journal.finish(folder)
    assert len(session.timeline) == 2 * len(moments)
    assert session.meta["live"]["checkins"][0]["calm"] == 7.0
    assert {p.name for p in folder.iterdir()} == {
        *(f"{name}.parquet" for name in ("timeline", "state", "events")),
        "session.json",
        "report.html",
    }


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_on_a_full_disk_the_session_goes_on_and_nothing_is_lost(
    sensed: tuple[SourceInfo, list[Moment]], tmp_path: Path
) -> None:
    info, moments = sensed
    folder = claim(tmp_path / "live")
    with journal.Journal(folder, info, Config(), Findings()) as writer:
        for moment in moments[:50]:
            writer.write(moment)
        assert writer.problem == ""
        with full_disk((folder / "timeline.arrow").stat().st_size + 1000):
            for moment in moments[50:100]:
                writer.write(moment)
            assert "free some space" in writer.problem
            assert not writer.retry()
        assert writer.retry()
        for moment in moments[100:]:
            writer.write(moment)
        assert writer.problem == ""
    t = journal.finish(folder).timeline.of("A", ["t"])["t"]
    assert t.tolist() == [m.t for m in moments]


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"diary\.txt"):
        claim(tmp_path)


def test_a_damaged_note_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "live.json").write_text(json.dumps({"config": {}}))
    with pytest.raises(OutputError, match="cannot be read"):
        journal.finish(tmp_path)
