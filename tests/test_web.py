"""The page's server: who is let in, what is refused, and that no page holds anybody up."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

import live_desk as scripted
from cuesense.errors import ParameterError
from cuesense.web import app, local, pages, wire
from live_desk import Place, RecordingFeed, ScriptedDesk

JPEG = b"\xff\xd8" + bytes(4000) + b"\xff\xd9"


@pytest.fixture
def desk(tmp_path: Path) -> ScriptedDesk:
    return ScriptedDesk(tmp_path)


@pytest.fixture(scope="module", autouse=True)
def short_goodbye() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "RELOAD_S", 0.05)
        yield


@pytest.fixture
def place(desk: ScriptedDesk) -> Iterator[Place]:
    with scripted.served(desk) as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, ScriptedDesk]]:
    """A server for what must leave no trace: all such tests share it."""
    desk = ScriptedDesk(tmp_path_factory.mktemp("house"))
    with scripted.served(desk) as found:
        yield found, desk
        assert desk.commands == []


@pytest.fixture
def door(house: tuple[Place, ScriptedDesk]) -> Place:
    return house[0]


def get(
    place: Place, path: str, *, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=5)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": f"127.0.0.1:{place.port}"} | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, found, answer.read()
    finally:
        connection.close()


def knock(
    place: Place, *, host: str | None = "127.0.0.1", origin: str | None = ""
) -> ClientConnection:
    """Open a socket; `host` and `origin` may be another site's ("": this one's, None: none)."""
    return connect(
        f"ws://{host}:{place.port}/socket",
        sock=socket.create_connection(("127.0.0.1", place.port), timeout=5),
        origin=None if origin is None else Origin(origin or place.origin),
        compression=None,
        max_size=None,
        close_timeout=1,
        proxy=None,
    )


@contextmanager
def page(place: Place) -> Iterator[ClientConnection]:
    """A page that was let in; its hello was read."""
    with knock(place) as opened:
        send(opened, type="hello", token=place.token)
        assert hear(opened, "hello")
        yield opened


def send(opened: ClientConnection, **message: Any) -> None:
    opened.send(json.dumps(message))


def hear(opened: ClientConnection, kind: str) -> dict[str, Any]:
    """Return the next message of a kind."""
    end = time.monotonic() + scripted.WAIT_S
    while True:
        message = opened.recv(timeout=end - time.monotonic())
        if isinstance(message, str) and json.loads(message)["type"] == kind:
            found: dict[str, Any] = json.loads(message)
            return found


def code(opened: ClientConnection) -> int:
    """Return why the other side closed."""
    try:
        while True:
            opened.recv(timeout=scripted.WAIT_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


# ---- who is let in ------------------------------------------------------------------------------


def test_only_this_machine_is_served(door: Place) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("no /proc/net/tcp here to look at")
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    port = f"{door.port:04X}"
    own = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")]
    assert own == [f"0100007F:{port}"]
    six = Path("/proc/net/tcp6").read_text() if Path("/proc/net/tcp6").exists() else ""
    assert f":{port} " not in six


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "[::1]:{port}",
    ],
)
def test_a_foreign_host_is_refused(door: Place, host: str) -> None:
    status, headers, body = get(door, "/", Host=host.format(port=door.port))
    assert status == 403
    assert b"cuesense" in body
    assert "content-security-policy" in headers


def test_a_request_without_host_is_refused(door: Place) -> None:
    with socket.create_connection(("127.0.0.1", door.port), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert raw.recv(4096).split()[1] == b"403"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused(door: Place, origin: str) -> None:
    assert get(door, "/", Origin=origin)[0] == 403
    with pytest.raises(InvalidStatus) as refused:
        knock(door, origin=origin)
    assert refused.value.response.status_code == 403


def test_a_socket_of_another_name_or_of_no_page_is_refused(door: Place) -> None:
    for host, origin in (
        ("evil.example", ""),
        ("127.0.0.1", None),
        ("evil.example", "http://evil.example"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            knock(door, host=host, origin=origin)
        assert refused.value.response.status_code == 403


def test_localhost_is_the_same_place(door: Place) -> None:
    name = f"localhost:{door.port}"
    assert get(door, "/", Host=name, Origin=f"http://{name}")[0] == 200
    assert get(door, "/", Host=name, Origin=door.origin)[0] == 403
    with knock(door, host="localhost", origin=f"http://{name}") as opened:
        send(opened, type="hello", token=door.token)
        assert hear(opened, "hello")["phase"] == "setup"


@pytest.mark.parametrize(
    "first",
    [
        '{"type":"hello","token":"wrong"}',
        '{"type":"hello","token":""}',
        '{"type":"hello","token":"\\ud800"}',
        '{"type":"hello","token":7}',
        '{"type":"hello"}',
        '{"type":"begin"}',
        "[]",
        "nonsense",
        "[" * 5000,
        b"\x02\x00 bytes",
    ],
    ids=lambda first: str(first[:32]),
)
def test_without_the_token_nothing_is_told(door: Place, first: str | bytes) -> None:
    with knock(door) as opened:
        opened.send(first)
        assert code(opened) == pages.REFUSED


def test_a_page_that_says_nothing_is_closed(door: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "HELLO_S", 0.1)
    with knock(door) as opened:
        assert code(opened) == pages.REFUSED


def test_the_token_is_long_and_new_each_time(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(3):
        with scripted.served(ScriptedDesk(tmp_path)) as place:
            tokens.add(place.token)
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)


# ---- what is served -----------------------------------------------------------------------------


def test_every_static_file_is_served_with_the_safety_headers(door: Place) -> None:
    for path, (_, kind) in app.STATIC.items():
        status, headers, body = get(door, path)
        assert (status, headers["content-type"].split(";")[0]) == (200, kind)
        assert body
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "http:" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["permissions-policy"].startswith("camera=(), microphone=()")
        assert "server" not in headers


def test_every_file_of_the_page_is_in_the_table() -> None:
    folder = Path(app.__file__).parent / "static"
    assert {p.name for p in folder.iterdir()} == {name for name, _ in app.STATIC.values()}


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/../app.py",
        "/..%2fapp.py",
        "/%2e%2e/%2e%2e/pyproject.toml",
        "//etc/passwd",
        "/live.css/../../app.py",
        "/live.css%00.js",
        "/report/",
        "/report/x",
        "/report/..%2f..%2fpyproject.toml",
        "/index.html",
        "/main",
    ],
)
def test_there_is_no_way_to_another_file(door: Place, path: str) -> None:
    assert get(door, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_written_by_http(door: Place, method: str) -> None:
    assert get(door, "/", method=method)[0] == 405


def test_the_page_asks_for_nothing_elsewhere_and_has_no_inline_script() -> None:
    folder = Path(app.__file__).parent / "static"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        text = text.replace("http://www.w3.org/2000/svg", "").replace("ws://${location.host}", "")
        assert not re.search(r"(https?|wss?)://", text), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|\beval\(|new Function", text)
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*src=)", html) == []
    assert not re.search(r"\son\w+=|\sstyle=|<style", html)


def test_the_page_and_the_report_have_the_same_colours() -> None:
    root = Path(app.__file__).parents[1]

    def colours(path: Path) -> list[dict[str, str]]:
        blocks = re.findall(r":root \{(.*?)\}", path.read_text(encoding="utf-8"), re.S)
        return [dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in blocks[:2]]

    live, report = colours(root / "web/static/live.css"), colours(root / "report/report.css")
    for mine, theirs in zip(live, report, strict=False):
        shared = mine.keys() & theirs.keys()
        assert len(shared) >= 16
        assert {k: mine[k] for k in shared} == {k: theirs[k] for k in shared}


def test_the_report_is_served_to_its_ticket_only(place: Place, desk: ScriptedDesk) -> None:
    with page(place) as opened:
        desk.finish()
        path = hear(opened, "ended")["report"]
        assert re.fullmatch(r"/report/[\w-]{43}", path)
        status, headers, body = get(place, path)
        assert status == 200
        assert desk.report is not None
        assert body == desk.report.read_bytes()
        assert headers["content-security-policy"] == "frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert get(place, path[:-1] + ("a" if path[-1] != "a" else "b"))[0] == 404
        with page(place) as late:  # a page that is opened after the end has it too
            send(late, type="ping", at=1.0)
            assert hear(late, "pong")


def test_there_is_no_report_before_the_end(door: Place) -> None:
    with knock(door) as opened:
        send(opened, type="hello", token=door.token)
        assert hear(opened, "hello")["report"] is None


# ---- what pages say -----------------------------------------------------------------------------


BEGIN = {
    "type": "begin",
    "listener": "right",
    "keep_picture": False,
    "keep_sound": True,
    "passphrase": None,
    "consent": True,
}


def test_wishes_reach_the_desk_and_its_answer_all_pages(place: Place, desk: ScriptedDesk) -> None:
    with page(place) as one, page(place) as two:
        send(one, **BEGIN)
        assert hear(one, "phase")["phase"] == "starting"
        assert hear(two, "phase")["phase"] == "starting"
        assert desk.wait_for("begin") == BEGIN
        with page(place) as late:
            send(late, type="mark", text="here")
            assert hear(one, "mark")["t"] == hear(late, "mark")["t"]


def test_what_the_desk_refuses_is_told_to_that_page_alone(place: Place, desk: ScriptedDesk) -> None:
    with page(place) as one, page(place) as two:
        send(one, **BEGIN | {"consent": False})
        assert hear(one, "error")["sentence"] == "Both of you have to agree first."
        send(two, type="ping", at=1.0)
        assert json.loads(two.recv(timeout=5))["type"] == "pong"


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "{",
        "null",
        "7",
        "[]",
        "[" * 8000,
        '{"type":null}',
        '{"type":"format disk"}',
        '{"type":["end"]}',
        '{"type":"end","now":true}',
        '{"type":"mark"}',
        '{"type":"mark","text":7}',
        '{"type":"mark","text":"\\udc00"}',
        '{"type":"checkin","when":"before","calm":11,"note":""}',
        '{"type":"checkin","when":"before","calm":true,"note":""}',
        '{"type":"checkin","when":"now","calm":1,"note":""}',
        '{"type":"seen","view":0,"t":1e999,"late":0}',
        '{"type":"seen","view":9,"t":1,"late":0}',
        '{"type":"ping","at":"soon"}',
        json.dumps(BEGIN | {"listener": "../../etc"}),
        json.dumps(BEGIN | {"passphrase": ""}),
        json.dumps(BEGIN | {"consent": "yes"}),
        json.dumps({"type": "mark", "text": "x" * 2001}),
    ],
    ids=lambda junk: junk[:40] or "empty",
)
def test_junk_is_answered_with_a_sentence_and_nothing_else(door: Place, junk: str) -> None:
    with page(door) as opened:
        opened.send(junk)
        assert len(hear(opened, "error")["sentence"]) > 20
        send(opened, type="ping", at=5.0)
        assert hear(opened, "pong")["at"] == 5.0


def test_huge_messages_close_the_page_and_no_other(door: Place) -> None:
    with page(door) as other:
        for message in ("x" * (wire.TEXT_LIMIT + 1), bytes(wire.TEXT_LIMIT + 1)):
            with page(door) as opened:
                opened.send(message)
                assert code(opened) == pages.TOO_BIG
        with page(door) as opened:
            opened.send(b"\x02")
            assert code(opened) == pages.UNSUPPORTED
        send(other, type="ping", at=5.0)
        assert hear(other, "pong")


def test_a_clock_reading_is_answered_with_the_monotonic_clock(door: Place) -> None:
    with page(door) as opened:
        before = time.monotonic()
        send(opened, type="ping", at=123.25)
        pong = hear(opened, "pong")
        assert pong["at"] == 123.25
        assert before <= pong["t"] <= time.monotonic()


def test_missing_numbers_are_null_on_the_wire(place: Place, desk: ScriptedDesk) -> None:
    with page(place) as opened:
        desk.board.latest("state", scripted.state(3.0, "insufficient", needle=float("nan")))
        assert hear(opened, "state")["needle"] is None


# ---- pictures, slow pages -----------------------------------------------------------------------


def pictures_until(opened: ClientConnection, kind: str) -> list[float]:
    """Return the times of the pictures that come before the next message of a kind."""
    found = []
    while True:
        message = opened.recv(timeout=scripted.WAIT_S)
        if isinstance(message, bytes):
            found.append(wire.shown(message)[1])
        elif json.loads(message)["type"] == kind:
            return found


def test_a_page_that_draws_nothing_gets_no_more_pictures(place: Place, desk: ScriptedDesk) -> None:
    with page(place) as opened:
        posted, came = [], list[float]()
        for _ in range(20):
            posted.append(desk.picture(JPEG))
            send(opened, type="ping", at=1.0)
            came += pictures_until(opened, "pong")
        assert came == posted[: pages.AHEAD]
        send(opened, type="seen", view=0, t=came[-1], late=0.0)
        desk.wait_for("seen")
        send(opened, type="ping", at=1.0)
        assert pictures_until(opened, "pong") == posted[-1:]


def test_a_picture_does_not_wait_until_the_one_before_is_acknowledged() -> None:
    with local.listen(0) as listener, socket.create_connection(listener.getsockname()):
        opened, _ = listener.accept()
        with opened:
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_page_that_does_not_read_holds_nobody_up(place: Place, desk: ScriptedDesk) -> None:
    more = "x" * 200_000  # 20 MB in all: more than any buffer on the way takes
    with page(place), page(place) as other:  # the first one never reads again
        for i in range(100):
            desk.board.keep({"type": "health", "items": [], "more": more})
            desk.board.latest("state", scripted.state(i / 5, "mirroring"))
            assert hear(other, "health")


def test_a_page_that_is_too_far_behind_starts_afresh(
    place: Place, desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cuesense.board.KEPT_LIMIT", 3)
    with page(place) as opened:
        heavy = {"type": "health", "items": [], "more": "x" * 4_000_000}
        for _ in range(40):
            desk.board.keep(heavy)
        assert code(opened) == pages.AGAIN


# ---- a page as the camera -----------------------------------------------------------------------


def _taken(jpeg: bytes, view: int = 0, at_ms: float = 12.5) -> bytes:
    return struct.pack("<BBd", 2, view, at_ms) + jpeg


def _heard(samples: np.ndarray[Any, Any], rate: int = 48000, index: float = 960.0) -> bytes:
    head = struct.pack("<BBIdd", 3, samples.shape[1], rate, index, 20.0)
    return head + samples.astype("<f4").tobytes()


def test_the_first_page_is_the_camera_and_the_microphone(desk: ScriptedDesk) -> None:
    feed = RecordingFeed()
    rng = np.random.default_rng(3)
    samples = rng.uniform(-1, 1, (960, 2)).astype(np.float32)
    with scripted.served(desk, feed) as place:
        policy = get(place, "/")[1]["permissions-policy"]
        assert policy.startswith("camera=(self), microphone=(self)")
        with knock(place) as first, knock(place) as second:
            send(first, type="hello", token=place.token)
            assert hear(first, "hello")["capture"] == "browser"
            send(second, type="hello", token=place.token)
            assert hear(second, "hello")["capture"] == "device"
            first.send(_taken(JPEG))
            first.send(_heard(samples))
            send(first, type="ping", at=77.0)
            send(second, type="ping", at=99.0)
            assert hear(second, "pong")
            feed.wait(lambda f: bool(f.pictures and f.sounds and f.syncs))
            assert feed.pictures == [(12.5, JPEG)]
            at_ms, index, rate, heard = feed.sounds[0]
            assert (at_ms, index, rate) == (20.0, 960, 48000)
            np.testing.assert_array_equal(heard, samples)
            assert [page_ms for page_ms, _ in feed.syncs] == [77.0]
            # Its own picture does not come back to it; the other page sees it.
            t = desk.picture(JPEG)
            for opened, seen in ((first, []), (second, [t])):
                send(opened, type="ping", at=1.0)
                assert pictures_until(opened, "pong") == seen
            second.send(_taken(JPEG))
            assert code(second) == pages.UNSUPPORTED
        with knock(place) as third:  # the camera's page was closed: the next one is the camera
            send(third, type="hello", token=place.token)
            assert hear(third, "hello")["capture"] == "browser"


_SOUND = _heard(np.zeros((4, 1), np.float32))


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\x02",
        b"\x07" + bytes(100),
        _taken(b""),
        _taken(b"not a JPEG"),
        _taken(JPEG, view=7),
        _taken(JPEG, at_ms=float("nan")),
        _SOUND[:-1],
        _SOUND[:22],
        _heard(np.zeros((4, 1), np.float32), rate=1),
        _heard(np.zeros((4, 1), np.float32), index=-1.0),
        _heard(np.zeros((4, 1), np.float32), index=float("inf")),
        _heard(np.full((4, 1), np.nan, np.float32)),
        _heard(np.zeros((1, 9), np.float32)),
        struct.pack("<BBIdd", 3, 0, 48000, 0.0, 0.0) + bytes(8),
    ],
    ids=range(15),
)
def test_binary_junk_never_reaches_the_feed(desk: ScriptedDesk, junk: bytes) -> None:
    feed = RecordingFeed()
    with scripted.served(desk, feed) as place, page(place) as opened:
        opened.send(junk)
        assert "neither a picture nor sound" in hear(opened, "error")["sentence"]
        opened.send(_taken(JPEG))
        feed.wait(lambda f: bool(f.pictures))
        assert (len(feed.pictures), len(feed.sounds)) == (1, 0)


def test_what_is_beyond_the_limit_closes_the_page(desk: ScriptedDesk) -> None:
    feed = RecordingFeed()
    with scripted.served(desk, feed) as place:
        with page(place) as opened:
            with contextlib.suppress(ConnectionClosed):  # the server need not hear it to the end
                opened.send(_taken(b"\xff\xd8" + bytes(wire.BINARY_LIMIT)))
            # Its reason may be lost: a connection that is closed on unread data is reset.
            assert code(opened) in (pages.TOO_BIG, 1006)
        with page(place) as again:
            again.send("x" * (wire.TEXT_LIMIT + 1))
            assert code(again) == pages.TOO_BIG
    assert feed.pictures == []


# ---- the end ------------------------------------------------------------------------------------


def test_a_taken_port_is_refused_with_a_remedy(place: Place, desk: ScriptedDesk) -> None:
    with pytest.raises(ParameterError, match=rf"port={place.port} cannot be had .* free one"):
        app.serve(desk, port=place.port, open_browser=False, on_ready=lambda _: None)


def test_a_given_port_is_used_and_free_again_after(desk: ScriptedDesk, tmp_path: Path) -> None:
    with scripted.served(desk) as place:
        port = place.port
    with scripted.served(ScriptedDesk(tmp_path), port=port) as again:
        assert again.port == port


def test_serving_ends_with_the_session_when_pages_have_left(desk: ScriptedDesk) -> None:
    with scripted.served(desk) as place:
        with page(place) as opened:
            desk.finish()
            assert hear(opened, "ended")
            place.thread.join(0.5)
            assert place.thread.is_alive()  # the page may want its report
            assert get(place, "/")[0] == 200
        place.thread.join(scripted.WAIT_S)
        assert not place.thread.is_alive()


def test_pages_that_stay_are_told_that_it_is_over(
    desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STAY_S", 0.2)
    with scripted.served(desk) as place, page(place) as opened:
        desk.finish()
        assert code(opened) == pages.FINISHED


def test_a_session_that_failed_before_serving_ends_serving(desk: ScriptedDesk) -> None:
    desk.enter("failed", sentence="No camera and no microphone.")
    with scripted.served(desk) as place:
        place.thread.join(scripted.WAIT_S)
        assert not place.thread.is_alive()


SERVER = """
    import sys
    from pathlib import Path
    import live_desk
    from cuesense.web.app import serve

    desk = live_desk.ScriptedDesk(Path(sys.argv[1]))
    try:
        serve(desk, open_browser=False, on_ready=lambda url: print(url, flush=True))
    except KeyboardInterrupt:
        print("interrupted", desk.phase, desk.report is not None, flush=True)
        raise SystemExit(130) from None
"""


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_session_tells_pages_and_reaches_the_caller(
    tmp_path: Path, sent: signal.Signals
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(SERVER), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        origin, token = running.stdout.readline().strip().split("/#")
        place = Place("", origin, int(origin.rsplit(":", 1)[1]), token, None)  # type: ignore[arg-type]
        with page(place) as opened:
            running.send_signal(sent)
            assert hear(opened, "ended")["report"]
            assert code(opened) == pages.FINISHED
        out, err = running.communicate(timeout=scripted.WAIT_S)
    assert out == "interrupted ended True\n"
    assert err == ""
    assert running.returncode == 130
