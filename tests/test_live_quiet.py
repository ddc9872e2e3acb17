"""A live session talks to nobody: every network call of all its processes is watched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

import devices
from cuesense import Session
from cuesense.web import wire
from devices import SoundServer, WebCamera
from live_rig import DEADLINE_S, Command, speech

LASTING_S = 90.0
CALL = re.compile(r"^(\d+) +(connect|bind|sendto|sendmsg|sendmmsg)\(")
FAMILY = re.compile(r"sa_family=(AF_\w+)")
ADDRESS = re.compile(r'inet_(?:addr|pton)\((?:AF_INET6, )?"([^"]+)"')
PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
LOCAL = ("127.0.0.1", "::1")
RESOLVERS = ("/run/systemd/resolve", "nscd", "avahi-daemon")
"""Who would ask the network on behalf of others, in the names of their sockets."""
WITHIN = ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC")
"""Families of addresses on this machine: other programs, its kernel, none."""


@pytest.fixture(scope="module")
def tracer() -> str:
    strace = shutil.which("strace") or ""
    if not strace:
        pytest.skip("no strace on the PATH: install it to watch what is sent")
    tried = subprocess.run([strace, "-f", "--seccomp-bpf", "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip().splitlines()[-1]}")
    return strace


@pytest.fixture
def camera(sample: Path) -> Iterator[WebCamera]:
    with WebCamera(devices.film(sample, 6.0)) as running:
        yield running


@pytest.fixture
def microphone(tmp_path: Path, sample: Path) -> Iterator[SoundServer]:
    (tmp_path / "sound").mkdir()
    talk = speech(sample, tmp_path / "talk.wav")
    with devices.sound_server(tmp_path / "sound") as server, server.play(talk) as player:
        yield server
        player.kill()


def foreign(line: str) -> str:
    """Return why a traced call leaves this machine, or asks somebody who would; "" if not."""
    for family in FAMILY.findall(line):
        if family in ("AF_INET", "AF_INET6"):
            addresses, ports = ADDRESS.findall(line), PORT.findall(line)
            if not addresses or any(a not in LOCAL for a in addresses):
                return "another machine"
            if "53" in ports:
                return "a name server"
        elif family not in WITHIN:
            return str(family)
    return next((f"a resolver: {name}" for name in RESOLVERS if name in line), "")


def inet(call: str, address: str, port: int = 80) -> str:
    """Return a line as strace writes it."""
    to = f'sin_port=htons({port}), sin_addr=inet_addr("{address}")'
    return f"7 {call}(3, {{sa_family=AF_INET, {to}}}, 16) = 0"


def unix(path: str) -> str:
    return f'7 connect(3, {{sa_family=AF_UNIX, sun_path="{path}"}}, 110) = -1 ENOENT'


INET6 = (
    "7 sendto(3, ..., 9, 0, {sa_family=AF_INET6, sin6_port=htons(9), sin6_flowinfo=htonl(0), "
    'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 9'
)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (inet("connect", "192.0.2.1"), "another machine"),
        (inet("bind", "0.0.0.0", 0), "another machine"),
        (INET6, "another machine"),
        (inet("connect", "127.0.0.53", 53), "another machine"),
        (inet("connect", "127.0.0.1", 53), "a name server"),
        (unix("/var/run/nscd/socket"), "a resolver: nscd"),
        (unix("/tmp/pulse.socket"), ""),
        (inet("connect", "127.0.0.1"), ""),
        (inet("bind", "127.0.0.1", 0), ""),
        (INET6.replace("2001:db8::1", "::1"), ""),
    ],
)
def test_what_leaves_the_machine_is_noticed(line: str, why: str) -> None:
    assert CALL.match(line)
    assert foreign(line) == why


class Page:
    """What a page says and is told, without a browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.pictures = 0

    def say(self, kind: str, **words: Any) -> None:
        self._socket.send(json.dumps({"type": kind, **words}))

    def until(self, kind: str, within_s: float = DEADLINE_S, **words: Any) -> dict[str, Any]:
        """Take messages until one of a kind comes that holds the words (numbers: at least)."""
        deadline = time.monotonic() + within_s
        while True:
            message = self._socket.recv(max(deadline - time.monotonic(), 0.0))
            if isinstance(message, bytes):
                self.pictures += 1
                view, t = wire.shown(message)
                self.say("seen", view=view, t=t, late=0.0)
                continue
            found: dict[str, Any] = json.loads(message)
            assert found["type"] != "error", found
            if found["type"] == kind and all(
                found[k] >= v if isinstance(v, float) else found[k] == v for k, v in words.items()
            ):
                return found


def fetched(address: str) -> int:
    with urllib.request.urlopen(address, timeout=DEADLINE_S) as answer:
        return int(answer.status)


def test_a_session_with_page_and_recording_talks_to_nobody(
    tracer: str,
    camera: WebCamera,
    microphone: SoundServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whoever tests may have told libraries to be quiet; users need not.
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    folder, trace = tmp_path / "session", tmp_path / "trace"
    strace = (tracer, "-f", "--seccomp-bpf", "-e", "trace=%network", "-o", str(trace))
    with Command(folder, "--camera", camera.url, "--no-browser", under=strace) as live:
        base, token = live.told("http://127.0.0.1:").split("/#")
        assert fetched(base + "/main.js") == 200
        address = base.replace("http", "ws") + "/socket"
        with connect(address, origin=Origin(base), max_size=None) as socket:
            page = Page(socket)
            page.say("hello", token=token)
            page.until("checks")
            page.say("checkin", when="before", calm=5, note="")
            page.say(
                "begin",
                listener="right",
                keep_picture=True,
                keep_sound=True,
                passphrase=None,
                consent=True,
            )
            page.until("phase", phase="baseline")
            page.say("mark", text="here")
            page.until("mark")
            page.until("phase", phase="session")
            page.say("pause")
            page.until("phase", phase="paused")
            page.say("resume")
            page.until("state", within_s=2 * LASTING_S, t=LASTING_S)
            page.say("end")
            assert fetched(base + page.until("ended")["report"]) == 200
        assert live.ended() == 0, live.errors
    assert page.pictures > LASTING_S
    assert Session(folder).meta["source"]["duration_s"] > LASTING_S - 1
    calls = [found for line in trace.read_text().splitlines() if (found := CALL.match(line))]
    # What is watched is seen: the page's server, the camera, the sound server, other processes.
    lines = [found.string for found in calls]
    for address in (f"bind.*{LOCAL[0]}", f"connect.*htons\\({camera.port}\\)", "connect.*pulse"):
        assert any(re.search(address, line) for line in lines), address
    assert len({found[1] for found in calls}) > 1
    assert {line: why for line in lines if (why := foreign(line))} == {}
