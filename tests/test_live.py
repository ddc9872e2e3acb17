"""Live sessions on real (virtual) devices: from set-up to report, and whatever goes wrong."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

import devices
from cuesense import Config, Session, analyze, open_source, run
from cuesense.capture import LiveFeed, open_live
from cuesense.capture.paced import Paced
from cuesense.cli import main
from cuesense.cli.codes import PASSPHRASE
from cuesense.config import Baseline
from cuesense.errors import OutputError, ParameterError
from cuesense.folder import claim
from cuesense.live import Choice, LiveSession
from cuesense.pipeline import Findings
from cuesense.profiles import Saved
from cuesense.timeline import Table
from devices import SoundServer, WebCamera
from live_rig import DEADLINE_S, Command, speech

SHORT = Config(baseline=Baseline(duration_s=5.0, min_face_s=3.0, min_voice_s=0.0))
"""A baseline that a test can wait for."""
SESSION = {*("timeline.parquet", "state.parquet", "events.parquet", "session.json", "report.html")}
"""All that a session leaves."""


@pytest.fixture(scope="module")
def talk(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two people of the sample say, as a sound file."""
    return speech(sample, tmp_path_factory.mktemp("talk") / "talk.wav")


@pytest.fixture(scope="module")
def people(sample: Path) -> devices.Scene:
    """The two people of the sample, before a camera."""
    return devices.film(sample, 6.0)


@pytest.fixture
def camera(people: devices.Scene) -> Iterator[WebCamera]:
    with WebCamera(people) as running:
        yield running


@pytest.fixture
def microphone(tmp_path: Path, talk: Path) -> Iterator[SoundServer]:
    """A microphone that hears the two people, as the system's default."""
    (tmp_path / "sound").mkdir()
    with devices.sound_server(tmp_path / "sound") as server:
        with server.play(talk) as player:
            yield server
            player.kill()


class Watcher:
    """Somebody who watches a session that runs in its own thread."""

    def __init__(self, session: LiveSession) -> None:
        self.session = session
        self.messages: list[Mapping[str, Any]] = []
        self._watcher = session.board.watch(pictures=False)
        self._next = 0

    def until(self, kind: str, holds: Callable[[Mapping[str, Any]], object]) -> Mapping[str, Any]:
        """Return the next message of a kind for which something holds."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            while self._next < len(self.messages):
                message = self.messages[self._next]
                self._next += 1
                if message["type"] == kind and holds(message):
                    return message
            last = [m for m in self.messages if m["type"] == kind][-1:]
            assert time.monotonic() < deadline, (kind, last, self.session.error)
            new = self._watcher.take(1.0)
            self.messages += [m for m in new if not isinstance(m, bytes)]

    def phase(self, name: str) -> Mapping[str, Any]:
        return self.until("phase", lambda m: m["phase"] == name)

    def say(self, kind: str, **words: Any) -> None:
        self.session.command({"type": kind, **words})

    def begin(self, listener: str = "right", **words: Any) -> None:
        self.say("begin", listener=listener, consent=True, **words)

    def refused(self, sentence: str, kind: str, **words: Any) -> None:
        with pytest.raises(ParameterError, match=sentence):
            self.say(kind, **words)

    def close(self) -> None:
        """End the session, wait for it, and let nobody hear of it any more."""
        self.session.end()
        ended = self.session.join(DEADLINE_S)
        self._watcher.__exit__()
        assert ended


@contextmanager
def watched(feed: LiveFeed, folder: Path, config: Config = SHORT) -> Iterator[Watcher]:
    """Run a session from its set-up on."""
    with feed:
        watcher = Watcher(LiveSession(feed, claim(folder), config))
        watcher.session.start()
        try:
            yield watcher
        finally:
            watcher.close()


def columns(table: Table) -> dict[str, np.ndarray]:
    found = table.to_arrow()
    return {name: found.column(name).to_numpy() for name in found.column_names}


def events(session: Session, kind: str) -> list[dict[str, Any]]:
    return [row for row in session.events.to_arrow().to_pylist() if row["kind"] == kind]


# ---- what is sensed -----------------------------------------------------------------------------


def test_a_session_finds_what_an_analysis_of_its_recording_finds(
    clip: Path, tmp_path: Path
) -> None:
    expected = analyze(clip, out=tmp_path / "analysed")
    feed = Paced(open_source(clip), speed=20.0)
    with feed:
        live = LiveSession(feed, claim(tmp_path / "live"), Config(), Choice())
        for i, _ in enumerate(live.moments()):
            if i == 50:
                live.mark("here")
    assert live.report == tmp_path / "live" / "report.html"
    found = Session(tmp_path / "live")
    marks = events(found, "mark")
    assert [mark["detail"] for mark in marks] == ["here"]
    for name in ("timeline", "state", "events"):
        wanted, got = columns(getattr(expected, name)), columns(getattr(found, name))
        assert wanted.keys() == got.keys()
        there = got["kind"] != "mark" if name == "events" else np.full(len(got["t"]), True)
        for column, values in wanted.items():
            np.testing.assert_array_equal(got[column][there], values, f"{name}.{column}")
    for key in ("people", "role_reason", "coverage", "baseline", "notes", "models"):
        assert found.meta[key] == expected.meta[key], key


def test_two_people_who_are_known_need_no_baseline(clip: Path, tmp_path: Path) -> None:
    findings = Findings()
    with open_source(clip) as source:
        for _ in run(source, SHORT, findings):
            pass
    a, b = (Saved(name, findings.profiles[i], None, "", 5.0) for i, name in enumerate(("a", "b")))
    feed = Paced(open_source(clip), speed=20.0)
    with feed:
        live = LiveSession(feed, claim(tmp_path / "live"), Config(), Choice("right"), (a, b))
        with live.board.watch(pictures=False) as watcher:
            moments = list(live.moments())
            told = [m for m in watcher.take(1.0) if not isinstance(m, bytes)]
    phases = [m["phase"] for m in told if m["type"] == "phase"]
    assert phases == ["starting", "session", "ending", "ended"]
    early = [p["arousal"] for m in moments if 1.0 < m.t < 4.0 for p in m.people]
    assert np.isfinite(early).all()
    about = Session(tmp_path / "live").meta["baseline"]["B"]
    assert (about["how"], about["profile"]["name"]) == ("profile", "b")
    assert live.findings.profiles == findings.profiles


# ---- from set-up to report ----------------------------------------------------------------------


def test_from_set_up_to_report(camera: WebCamera, microphone: SoundServer, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    with watched(open_live([camera.url], [], SHORT), folder) as page:
        session = page.session
        page.phase("setup")
        page.until(
            "checks",
            lambda m: (
                {"faces", "light", "sound"}
                <= {item["what"] for item in m["items"] if item["state"] == "ok"}
            ),
        )
        page.until("faces", lambda m: {face["seat"] for face in m["faces"]} == {0, 1})
        page.until("sound", lambda m: m["channels"][0]["speech"] is not None)
        assert session.hello()["t"] is None
        page.refused("during the session", "mark", text="too early")
        page.refused("only a running session", "pause")
        page.refused("nothing to resume", "resume")
        page.refused("must be one of", "dance")
        page.refused("consent is missing", "begin", listener="right", consent=False)
        page.refused("listener='middle'", "begin", listener="middle", consent=True)
        page.refused("from 0 to 10", "checkin", when="before", calm=11)
        page.say("checkin", when="before", calm=4, note="tired")
        assert list(folder.iterdir()) == [], "a rehearsal keeps nothing"
        assert session.hello()["phase"] == "setup"

        page.begin()
        page.refused("has begun already", "begin", listener="left", consent=True)
        page.phase("starting")
        baseline = page.phase("baseline")
        assert 0 < baseline["left_s"] <= 5.0
        assert session.hello()["phase"] == "baseline"

        page.say("pause")
        paused = page.phase("paused")
        page.refused("only a running session", "pause")
        page.until("state", lambda m: m["t"] > paused["t"] + 0.5)
        page.refused("only a running session", "pause")
        page.say("resume")
        assert page.phase("baseline")["t"] >= paused["t"] + 0.5
        page.say("mark", text="we laughed")
        marked = page.until("mark", lambda m: True)
        page.refused("at most 500 letters", "mark", text="x" * 501)

        assert page.phase("session")["t"] > 5.0
        seen = page.until(
            "state", lambda m: all(p["arousal"] is not None for p in m["people"].values())
        )
        assert {name: p["role"] for name, p in seen["people"].items()} == {
            "A": "partner",
            "B": "listener",
        }
        assert session.hello()["listener"] == "B"
        assert seen["latency_ms"]["cues"] < 2000
        page.say("checkin", when="after", calm=8)
        page.say("pause")
        page.say("end")
        page.phase("ending")
        page.phase("ended")
        page.until("ended", lambda m: m["folder"] == str(folder))
        for late in ("pause", "resume", "mark"):
            page.refused("phase=ended", late)
        page.refused("too late", "checkin", when="after", calm=8)
        assert session.hello()["phase"] == "ended"
    assert session.error is None
    assert session.report is not None
    assert session.report.stat().st_size > 10_000
    assert {p.name for p in folder.iterdir()} == SESSION
    found = Session(folder)
    first, last = (gap for gap in events(found, "gap") if gap["detail"] == "paused")
    assert first["t"] == pytest.approx(paused["t"], abs=0.1)
    assert first["value"] == pytest.approx(first["t_end"] - first["t"])
    assert 0.5 < first["value"] < 5.0
    assert last["t"] > seen["t"]
    (mark,) = events(found, "mark")
    assert (mark["t"], mark["detail"]) == (marked["t"], "we laughed")
    assert found.meta["people"]["B"]["role"] == "listener"
    before, after = found.meta["live"]["checkins"]
    assert (before["when"], before["calm"], before["note"]) == ("before", 4.0, "tired")
    assert (after["when"], after["calm"]) == ("after", 8.0)
    assert after["t"] > seen["t"]
    assert found.meta["live"]["consent"] is True
    assert found.meta["live"]["clocks"]["camera 1"]["fps"] > 5
    quiet = found.timeline.of("A", ["t", "speaking"])
    inside = (quiet["t"] > first["t"] + 0.2) & (quiet["t"] < first["t_end"] - 0.2)
    assert inside.any()
    assert np.isnan(quiet["speaking"][inside]).all(), "nothing is sensed in a pause"


def test_end_while_it_gets_ready_ends(camera: WebCamera, tmp_path: Path) -> None:
    with watched(open_live([camera.url], ["none"], SHORT), tmp_path / "session") as page:
        page.phase("setup")
        page.begin()
        page.phase("starting")
        page.say("end")
        page.phase("ended")
        assert page.session.error is None
    assert {p.name for p in (tmp_path / "session").iterdir()} == SESSION
    assert Session(tmp_path / "session").meta["source"]["duration_s"] < 5.0


def test_a_session_that_fails_says_so(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    feed = Paced(open_source(clip))
    with feed:
        page = Watcher(LiveSession(feed, claim(folder), SHORT))
        page.session.start()
        page.phase("setup")
        folder.rmdir()  # somebody tidied up
        page.begin()
        sentence = page.phase("failed")["sentence"]
        page.close()
    assert isinstance(page.session.error, OutputError)
    assert str(folder) in sentence
    assert "choose another folder" in sentence


def test_a_camera_and_a_microphone_each(
    sample: Path, microphone: SoundServer, tmp_path: Path
) -> None:
    halves = ((0.0, 0.5), (0.5, 1.0))
    with ExitStack() as stack:
        left, right = (
            stack.enter_context(WebCamera(devices.film(sample, 3.0, across=half)))
            for half in halves
        )
        # Two names of one server: both microphones hear the same.
        feed = open_live([left.url, right.url], ["pulse", "default"], SHORT)
        folder = tmp_path / "session"
        page = stack.enter_context(watched(feed, folder))
        page.phase("setup")
        seats: set[int] = set()
        while seats != {0, 1}:
            message = page.until("faces", lambda m: m["faces"])
            assert [face["seat"] for face in message["faces"]] == [message["view"]]
            seats.add(message["view"])
        page.begin(listener="B")
        page.until("state", lambda m: m["t"] > 6.0)
    session = Session(folder)
    source = session.meta["source"]
    assert (source["views"], len(source["rate"])) == (2, 2)
    assert session.meta["people"]["B"]["role"] == "listener"
    for person in ("A", "B"):
        assert session.meta["coverage"][person]["face"] > 0.8, session.meta["coverage"]
        heard = session.timeline.of(person, ["speaking"])["speaking"]
        assert np.isfinite(heard).mean() > 0.5, "each has a microphone"


# ---- recording ----------------------------------------------------------------------------------


def test_a_kept_recording_gives_what_the_session_gave(
    camera: WebCamera, microphone: SoundServer, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    with watched(open_live([camera.url], [], SHORT), folder) as page:
        page.phase("setup")
        page.begin(keep_picture=True, keep_sound=True)
        page.phase("session")
        page.until("state", lambda m: m["t"] > 11.0)
        assert page.session.hello()["keep"] == {"picture": True, "sound": True}
    live = Session(folder)
    assert {p.name for p in folder.iterdir()} == SESSION | {"recording.mkv"}
    assert live.meta["live"]["recording"]["problem"] == ""
    again = analyze(
        folder / "recording.mkv", out=tmp_path / "again", listener="right", config=SHORT
    )
    near = {
        **dict.fromkeys(("box_x", "box_y", "box_w", "box_h"), 0.002),
        **dict.fromkeys(("head_pitch_rad", "head_yaw_rad", "head_roll_rad"), np.radians(0.5)),
        "f0_hz": 0.5,
    }
    for person in ("A", "B"):
        for column, tolerance in near.items():
            difference = compared(live, again, person, column)
            assert len(difference) > 25, (person, column)
            assert np.median(np.abs(difference)) <= tolerance, (person, column)
        # A row's hop of 16 ms starts up to 8 ms elsewhere, and speech moves within one: 8 ms on,
        # the sample's own voices differ by .9 dB in the median, by 1.5 in 1 of 10 stretches.
        difference = compared(live, again, person, "loudness_db")
        assert len(difference) > 25
        assert abs(np.median(difference)) <= 0.1
        assert np.median(np.abs(difference)) <= 1.5


def compared(a: Session, b: Session, person: str, column: str) -> np.ndarray:
    """Return the differences of two sessions where both have a number at the same time."""
    first, second = (s.timeline.of(person, ["t", column]) for s in (a, b))
    _, i, j = np.intersect1d(np.round(first["t"], 3), np.round(second["t"], 3), return_indices=True)
    difference = np.asarray(first[column])[i] - np.asarray(second[column])[j]
    return np.asarray(difference[np.isfinite(difference)])


def test_a_recording_with_a_passphrase_is_unreadable_until_it_is_unlocked(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "session"
    with watched(Paced(open_source(clip), speed=2.0), folder) as page:
        page.phase("setup")
        page.begin(keep_picture=True, keep_sound=True, passphrase="correct horse")
        page.phase("ended")
    assert {p.name for p in folder.iterdir()} == SESSION | {"recording.mkv.enc"}
    for path in folder.iterdir():
        content = path.read_bytes()
        assert b"correct horse" not in content, path
        assert b"\x1a\x45\xdf\xa3" not in content, f"{path} holds Matroska"
        assert b"matroska" not in content, path
    with pytest.raises(av.FFmpegError):
        av.open(io.BytesIO((folder / "recording.mkv.enc").read_bytes()))

    def unlock(passphrase: str) -> int | str | None:
        monkeypatch.setenv(PASSPHRASE, passphrase)
        with pytest.raises(SystemExit) as left:
            main(["unlock", str(folder / "recording.mkv.enc")])
        return left.value.code

    assert unlock("wrong horse") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (folder / "recording.mkv").exists()
    assert unlock("correct horse") == 0
    with open_source(clip) as original, open_source(folder / "recording.mkv") as kept:
        assert kept.info.size == original.info.size
        first, second = ([p.end for p in source.packets()] for source in (original, kept))
    assert second[-1] == pytest.approx(first[-1], abs=0.1)


# ---- the command --------------------------------------------------------------------------------


def both_seen(line: dict[str, Any]) -> bool:
    return all(person["box_x"] is not None for person in line["people"].values())


def test_headless_lines_until_ctrl_c(
    camera: WebCamera, microphone: SoundServer, tmp_path: Path
) -> None:
    folder = tmp_path / "session"

    def printed(column: str) -> list[float]:
        values = [line["people"]["B"][column] for line in live.lines]
        return [value for value in values if value is not None]

    with Command(folder, "--headless", "--camera", camera.url, "--listener", "right") as live:
        live.until(lambda line: line["t"] > 3.0 and both_seen(line))
        live.until(lambda _: len(printed("box_x")) > 25 and len(printed("loudness_db")) > 25)
        with Command(folder, "--headless", "--camera", camera.url) as second:
            assert second.ended() == 2
            assert second.errors.count("\n") == 1
            assert "is not empty" in second.errors
        assert live.ended(signal.SIGINT) == 0, live.errors
        assert f"Report: {folder.resolve() / 'report.html'}" in live.errors
    t = [line["t"] for line in live.lines]
    assert np.allclose(np.diff(t), 0.04)
    assert any(line["dyad"] is not None for line in live.lines)
    session = Session(folder)
    assert session.report.stat().st_size > 10_000
    assert {p.name for p in folder.iterdir()} == SESSION
    rows = session.timeline.of("B", ["t", "box_x", "loudness_db"])
    assert np.allclose(rows["t"], t)
    for column in ("box_x", "loudness_db"):
        assert printed(column) == [value for value in rows[column] if np.isfinite(value)]


def test_a_killed_session_keeps_what_was_printed(camera: WebCamera, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    options = ("--headless", "--camera", camera.url, "--microphone", "none")
    with Command(folder, *options) as live:
        live.until(lambda line: line["t"] > 4.0)
        live.ended(signal.SIGKILL)
    with pytest.raises(OutputError, match="cuesense report"):
        Session(folder)
    with pytest.raises(SystemExit) as left:
        main(["report", str(folder)])
    assert left.value.code == 0
    session = Session(folder)
    assert session.report.stat().st_size > 10_000
    kept = np.asarray(session.timeline.of("A", ["t"])["t"])
    printed = np.array([line["t"] for line in live.lines])
    assert kept[-1] >= printed[-1] - 1.0
    assert np.allclose(kept, printed[: len(kept)])


def dropped(line: dict[str, Any]) -> bool:
    return any(person.get("face_reason") == "dropped" for person in line["people"].values())


def face_workers(live: Command) -> list[psutil.Process]:
    children = psutil.Process(live.process.pid).children(recursive=True)
    workers = [c for c in children if "cuesense.cues.face_worker" in c.cmdline()]
    assert len(workers) == 2
    return workers


def test_a_killed_face_worker_is_replaced_while_the_session_goes_on(
    camera: WebCamera, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    options = ("--headless", "--camera", camera.url, "--microphone", "none")
    with Command(folder, *options) as live:
        before = live.until(both_seen)
        face_workers(live)[0].kill()
        lost = live.until(dropped, before)
        back = live.until(both_seen, lost)
        live.until(lambda line: line["t"] > live.lines[back]["t"] + 1.0)
        assert live.ended(signal.SIGINT) == 0, live.errors
    t = [line["t"] for line in live.lines]
    assert np.allclose(np.diff(t), 0.04), "time went on"
    assert back > lost
    session = Session(folder)
    assert any("face worker process ended" in note for note in session.meta["notes"])


def test_a_session_that_cannot_go_on_keeps_what_it_sensed(
    camera: WebCamera, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    options = ("--headless", "--camera", camera.url, "--microphone", "none")
    with Command(folder, *options) as live:
        before = live.until(both_seen)
        face_workers(live)[0].kill()
        back = live.until(both_seen, live.until(dropped, before))
        for worker in face_workers(live):
            worker.kill()
        assert live.ended() == 2
        first, second = live.errors.splitlines()
    assert first == f"cuesense: what was sensed is kept: cuesense report {folder}"
    assert "face worker process ended twice" in second
    with pytest.raises(SystemExit) as left:
        main(["report", str(folder)])
    assert left.value.code == 0
    kept = Session(folder).timeline.of("A", ["t"])["t"]
    assert kept[-1] >= live.lines[back]["t"]


def test_a_session_that_was_never_begun_leaves_nothing(camera: WebCamera, tmp_path: Path) -> None:
    folder = tmp_path / "session"
    options = ("--camera", camera.url, "--microphone", "none", "--no-browser")
    with Command(folder, *options) as live:
        live.told("http://127.0.0.1:")
        assert folder.is_dir()
        assert live.ended(signal.SIGINT) == 0, live.errors
        assert "Report" not in live.errors
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--headless", "--camera", "no such camera"], ["no such camera", "must be a name"]),
        (["--capture", "browser", "--headless"], ["capture=browser", "leave out"]),
        (["--capture", "browser", "--no-page"], ["capture=browser", "leave out"]),
        (["--headless", "--camera", "none", "--microphone", "none"], ["nothing to sense"]),
        (["--headless", "--play", "nowhere.mp4"], ["nowhere.mp4"]),
        (
            ["--headless", "--camera", "/dev/video99", "--microphone", "nosuch"],
            ["no camera 1: plug one in", "no microphone 'nosuch'", "cuesense doctor"],
        ),
    ],
)
def test_what_cannot_be_is_one_line(
    options: Sequence[str], words: Sequence[str], tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    with Command(folder, *options) as live:
        assert live.ended() == 2
    assert live.errors.count("\n") == 1, live.errors
    for word in words:
        assert word in live.errors
    assert live.lines == []
    assert not folder.exists()
