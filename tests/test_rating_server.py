"""The rater's server: who is let in, what is never told, and answers that are kept at once."""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import rated
from conftest import cut
from cuesense import Session
from cuesense.capture.file import open_files
from cuesense.rating import server
from cuesense.rating.questions import QUESTIONS
from cuesense.rating.sitting import Sitting
from cuesense.rating.store import Ratings

WAIT_S = 20.0
WISHES = [s for s in signal.Signals if s.name in ("SIGINT", "SIGTERM", "SIGHUP")]
SAID = {"stance": "mirroring", "responds": "yes", "sure": None, "words": ""}


class Place(NamedTuple):
    """Where a rater's page is served."""

    address: str
    port: int
    token: str


@contextmanager
def served(session: Session, name: str, media: Path, count: int = 6) -> Iterator[Place]:
    """Serve a rater's page in a thread of its own; it is finished after."""
    ready: queue.Queue[str] = queue.Queue()
    sitting = Sitting(Ratings(session), name, count=count)
    thread = threading.Thread(
        target=server.serve,
        args=(sitting, open_files((media,), None, 960, 0.02)),
        kwargs={"open_browser": False, "on_ready": ready.put},
        daemon=True,
    )
    thread.start()
    address = ready.get(timeout=WAIT_S)
    origin, token = address.split("/#")
    place = Place(address, int(origin.rsplit(":", 1)[1]), token)
    try:
        yield place
    finally:
        ask(place, "/finish", "POST")
        thread.join(WAIT_S)
        assert not thread.is_alive()


def ask(
    place: Place, path: str, method: str = "GET", body: bytes | str = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    own = {
        "Host": f"127.0.0.1:{place.port}",
        "Authorization": f"Bearer {place.token}",
        "Content-Length": str(len(body)),
    }
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=WAIT_S)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (own | headers).items():
            connection.putheader(name, value)
        connection.endheaders(body.encode() if isinstance(body, str) else body)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def put(at: Place, /, **message: Any) -> tuple[int, dict[str, Any]]:
    status, _, body = ask(at, "/answer", "POST", json.dumps(message))
    return status, json.loads(body)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rated.small(tmp_path_factory.mktemp("talk") / "talk.mp4")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, talk: Path) -> Session:
    return rated.folder(tmp_path_factory.mktemp("rate") / "talk.cuesense", talk)


@pytest.fixture(scope="module")
def door(session: Session, talk: Path) -> Iterator[Place]:
    """A server for what must leave no trace."""
    with served(session, "door", talk) as place:
        yield place
    assert not (session.path / "ratings" / "door.csv").exists()


# ---- who is let in ------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "0.0.0.0:{port}", ""])
def test_another_name_is_refused(door: Place, host: str) -> None:
    for path in ("/", "/sheet", "/clip/0"):
        assert ask(door, path, Host=host.format(port=door.port))[0] in (400, 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_another_site_is_refused(door: Place, origin: str) -> None:
    body = json.dumps({"place": 0, **SAID})
    assert ask(door, "/answer", "POST", body, Origin=origin)[0] == 403
    assert ask(door, "/sheet", Origin=origin)[0] == 403


@pytest.mark.parametrize("word", ["", "Bearer ", "Bearer wrong", "Basic x", "Bearer \xe9"])
@pytest.mark.parametrize(
    ("path", "method"),
    [("/sheet", "GET"), ("/clip/0", "GET"), ("/answer", "POST"), ("/finish", "POST")],
)
def test_nobody_without_the_token_is_told_or_heard(
    door: Place, word: str, path: str, method: str
) -> None:
    status, _, body = ask(door, path, method, Authorization=word)
    assert status == 401
    assert json.loads(body) == {"error": "open the address that cuesense printed in the terminal"}


@pytest.mark.parametrize(
    "path",
    [
        "/session.json",
        "/../session.json",
        "/ratings/door.csv",
        "/%2e%2e/x",
        "/clip/../sheet.csv",
        "/clip/-1",
        "/clip/99999999",
        "/clip/1.5",
        "/report.html",
        "/state.parquet",
        "/units.json",
    ],
)
def test_there_is_no_way_to_a_file(door: Place, path: str) -> None:
    assert ask(door, path)[0] == 404


def test_every_answer_has_the_safety_headers(door: Place) -> None:
    for path in ("/", "/rate.js", "/sheet", "/nowhere"):
        _, headers, _ = ask(door, path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "connect-src 'self'; media-src blob:" in policy
        assert "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_the_page_asks_for_nothing_elsewhere_and_has_no_inline_script() -> None:
    folder = Path(server.__file__).parent / "static"
    assert {p.name for p in folder.iterdir()} == {
        name for package, name, _ in server.STATIC.values() if package == "cuesense.rating"
    }
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(https?|wss?)://", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", text)
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*src=)", html) == []
    assert not re.search(r"\son\w+=|\sstyle=|<style", html)
    for question in QUESTIONS:
        assert (
            tuple(re.findall(rf'name="{question.name}" value="([^"]+)"', html)) == question.answers
        )
        assert question.words.split()[-1] in html


# ---- what is never told -------------------------------------------------------------------------


def everything(place: Place) -> dict[str, tuple[int, dict[str, str], bytes]]:
    """Return all that the server of a rater with 6 bouts can be made to say."""
    paths = [*server.STATIC, "/sheet", "/nowhere", *(f"/clip/{i}" for i in (0, 3, 7))]
    said = {path: ask(place, path) for path in paths}
    answer = SAID | {"place": 2, "stance": "regulating", "sure": 2, "words": "warm"}
    for name, message in (("right", answer), ("wrong", answer | {"place": 99}), ("odd", [])):
        said[name] = ask(place, "/answer", "POST", json.dumps(message))
    said["after"] = ask(place, "/sheet")
    return said


def test_what_the_tool_found_makes_no_difference_to_anything_a_rater_can_see(
    tmp_path: Path, talk: Path
) -> None:
    """One recording, but the tool's findings and another rater's answers differ."""
    said = []
    for i, stance in enumerate(("mirroring", "disengaged")):
        made = rated.folder(
            tmp_path / f"s{i}" / "talk.cuesense", talk, stances=[stance], contingency=[i]
        )
        Ratings(made).plan(6)
        rated.code(made, "ben", [stance] * 6, [("yes", "no")[i]] * 6)
        with served(made, "anna", talk) as place:
            said.append(everything(place))
    assert said[0].keys() == said[1].keys()
    for path in said[0]:
        assert said[0][path] == said[1][path], path
    assert said[0]["/clip/0"][0] == 200
    assert said[0]["after"] != said[0]["/sheet"]


def test_a_page_is_told_its_bouts_and_nothing_of_where_they_are(door: Place) -> None:
    told = json.loads(ask(door, "/sheet")[2])
    assert told.keys() == {"name", "listener", "side", "picture", "stereo", "questions", "bouts"}
    assert len(told["bouts"]) == 6
    for bout in told["bouts"]:
        assert bout == {
            "lead_s": 8.0,
            "length_s": 12.0,
            "stance": "",
            "responds": "",
            "sure": None,
            "words": "",
        }


def test_a_rater_sees_the_bouts_in_an_order_of_their_own(session: Session) -> None:
    ratings = Ratings(session)
    ratings.plan(6)
    orders = {name: Sitting(ratings, name).stretches for name in ("anna", "ben", "eve", "kim")}
    assert len({tuple(order) for order in orders.values()}) >= 3
    assert len({tuple(sorted(order)) for order in orders.values()}) == 1
    assert orders["anna"] == Sitting(Ratings(Session(session.path)), "anna").stretches


# ---- answers ------------------------------------------------------------------------------------


def test_an_answer_is_on_the_disk_before_the_page_is_told_so(tmp_path: Path, talk: Path) -> None:
    session = rated.folder(tmp_path / "s", talk)
    with served(session, "anna", talk) as place:
        half = {"stance": "disengaged", "responds": "", "sure": 3, "words": "käse"}
        assert put(place, place=4, **half) == (200, {"done": 0})
        ratings = Ratings(session)
        plan = ratings.plan()
        (unit,) = ratings.codes("anna", plan)
        code = ratings.codes("anna", plan)[unit]
        assert (code.answers, code.sure, code.words) == (("disengaged", ""), 3, "käse")
        sitting = Sitting(ratings, "anna")
        assert sitting.stretches[4][1] == plan.units[unit].end
        assert (sitting.done, sitting.first) == (0, 0)
        assert put(place, place=4, **SAID) == (200, {"done": 1})
        assert put(place, place=0, **SAID) == (200, {"done": 2})
        assert Sitting(ratings, "anna").first == 1


@pytest.mark.parametrize(
    "message",
    [
        {"place": 6},
        {"place": -1},
        {"place": True},
        {"place": 0.0},
        {"stance": "angry"},
        {"stance": ["mirroring"]},
        {"stance": None},
        {"responds": "mirroring"},
        {"responds": True},
        {"sure": 0},
        {"sure": "1"},
        {"words": "x" * 2001},
        {"words": None},
        {"words": "\ud800"},
        {"words": "a\0b"},
        {"more": 1},
        {"name": "../eve"},
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(door: Place, message: dict[str, Any]) -> None:
    status, told = put(door, **({"place": 0} | SAID | message))
    assert status == 400
    assert told["error"]


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 400), ("[" * 9000, 400), ("null", 400), ("\xff", 400), ("x" * 20_000, 413)],
)
def test_a_body_that_is_no_answer_is_refused(door: Place, body: str, status: int) -> None:
    assert ask(door, "/answer", "POST", body)[0] == status


def test_a_disk_that_is_full_is_told_and_nothing_is_lost(
    tmp_path: Path, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = rated.folder(tmp_path / "s", talk)
    with served(session, "anna", talk) as place:
        answer = {"place": 0} | SAID
        with monkeypatch.context() as patch:

            def full(_: int) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr("os.fsync", full)
            status, told = put(place, **answer)
            assert status == 507
            assert "No space left" in told["error"]
        assert put(place, **answer) == (200, {"done": 1})


def test_a_bout_that_cannot_be_shown_says_so(tmp_path: Path, talk: Path) -> None:
    """Another, much shorter file in the recording's place: the bouts lie after its end."""
    session = rated.folder(tmp_path / "s", talk)
    with served(session, "anna", cut(talk, 3.0, tmp_path / "short.mp4")) as place:
        status, _, body = ask(place, "/clip/0")
        assert status == 422
        assert "cannot be shown" in json.loads(body)["error"]
        assert ask(place, "/sheet")[0] == 200


def test_the_server_is_on_this_machine_only(door: Place) -> None:
    rows = Path("/proc/net/tcp")
    if not rows.exists():
        pytest.skip("no /proc/net/tcp here to look at")
    fields = [line.split() for line in rows.read_text().splitlines()[1:]]
    own = [f[1] for f in fields if f[3] == "0A" and f[1].endswith(f":{door.port:04X}")]
    assert own == [f"0100007F:{door.port:04X}"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("wish", WISHES)
def test_a_signal_ends_it_well_and_leaves_nothing_behind(
    tmp_path: Path, talk: Path, wish: signal.Signals
) -> None:
    session = rated.folder(tmp_path / "s", talk)
    (tmp_path / "tmp").mkdir()
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cuesense",
            "rate",
            str(session.path),
            "--as",
            "anna",
            "--media",
            str(talk),
            "--no-browser",
            "--units",
            "6",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
    )
    try:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("cuesense: http://127.0.0.1:")
        running.send_signal(wish)
        out, rest = running.communicate(timeout=WAIT_S)
    finally:
        running.kill()
    assert (running.returncode, rest) == (0, "")
    assert "anna: 0 of 6 bouts are coded." in out
    assert list((tmp_path / "tmp").iterdir()) == []
