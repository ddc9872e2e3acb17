"""A confined process has no network, whatever it tries; what it needs still works."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from cuesense.capture import open_source
from cuesense.config import Faces as FacesConfig
from cuesense.cues.confine import MACHINES, _refused, confine
from cuesense.cues.faces import Faces
from cuesense.types import FaceCue, VideoFrame

CAN = sys.platform == "linux" and platform.machine() in MACHINES
linux = pytest.mark.skipif(not CAN, reason="seccomp filters are Linux's, for x86-64 and aarch64")

TRIALS = """
import ctypes, dataclasses, errno, json, mmap, os, platform, socket, subprocess, sys
import tempfile, threading
from pathlib import Path
from cuesense.cues import confine

found = {}
libc = ctypes.CDLL(None, use_errno=True)
machine = confine.MACHINES[platform.machine()]

def trial(name, attempt):
    try:
        attempt()
        found[name] = "worked"
    except OSError as error:
        found[name] = errno.errorcode[error.errno]

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")

def dial(family, address):
    # Nobody listens there: to be refused by that machine is to have reached the network.
    with socket.socket(family) as end:
        try:
            end.connect(address)
        except ConnectionRefusedError:
            pass

def local():
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(f"{folder}/s")
            end.sendall(b"x")

def pair():
    a, b = socket.socketpair()
    with a, b:
        a.sendall(b"x")
        assert b.recv(1) == b"x"

def child():
    code = "import socket; socket.socket(socket.AF_INET)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise OSError(errno.EACCES if "PermissionError" in done.stderr else errno.EIO, "child")

def entry_of_32_bit():
    # push rbx; eax=359 (socket), ebx=AF_INET, ecx=SOCK_STREAM, edx=0; int 0x80; pop rbx; ret
    code = bytes.fromhex("53b867010000bb02000000b90100000031d2cd805bc3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    at = ctypes.addressof(ctypes.c_char.from_buffer(page))
    other = os.fork()
    if other == 0:
        os._exit(max(-ctypes.CFUNCTYPE(ctypes.c_int)(at)(), 0))
    status = os.waitpid(other, 0)[1]
    if status:  # an error number, or a signal where there are no 32-bit programs at all
        raise OSError(os.WEXITSTATUS(status) or errno.EACCES, "refused")

def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"x", ("127.0.0.1", 9))

go = threading.Event()
early = threading.Thread(target=lambda: (go.wait(), trial("thread from before", udp)), daemon=True)
early.start()
means = MEANS
go.set()
early.join()
late = threading.Thread(target=trial, args=("thread from after", udp))
late.start()
late.join()
trial("tcp", lambda: dial(socket.AF_INET, ("127.0.0.1", 9)))
trial("tcp 6", lambda: dial(socket.AF_INET6, ("::1", 9)))
trial("udp", udp)
trial("netlink", lambda: socket.socket(16, socket.SOCK_RAW).close())
trial("family in the upper bits", lambda: checked(libc.syscall(
    ctypes.c_long(machine.socket), ctypes.c_long(1 << 32 | 2), ctypes.c_long(1), ctypes.c_long(0))))
trial("io_uring", lambda: checked(libc.syscall(425, 8, ctypes.create_string_buffer(256))))
if platform.machine() == "x86_64":
    trial("x32", lambda: checked(libc.syscall(0x40000000 + 41, 2, 1, 0)))
    trial("32 bit", entry_of_32_bit)
trial("child", child)
trial("local", local)
trial("pair", pair)
trial("file", lambda: Path("/proc/self/status").read_bytes())
print(json.dumps([means, found]))
"""


def tried(means: str) -> tuple[str, dict[str, str]]:
    """Run the trials in a process of its own, after evaluating `means` there."""
    done = subprocess.run(
        [sys.executable, "-c", TRIALS.replace("MEANS", means)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said, found = json.loads(done.stdout)
    return said, found


@linux
def test_a_confined_process_reaches_this_machine_only() -> None:
    means, found = tried("confine.confine()")
    assert means == "seccomp"
    for name in ("local", "pair", "file"):
        assert found.pop(name) == "worked", name
    assert len(found) >= 9
    assert found == dict.fromkeys(found, "EACCES")


@linux
def test_without_it_the_trials_reach_the_network() -> None:
    _, found = tried("None")
    for name in ("tcp", "udp", "thread from before", "thread from after", "child", "netlink"):
        assert found[name] == "worked", name
    assert found["family in the upper bits"] == "worked"


@linux
def test_a_kernel_that_refuses_leaves_the_proxy() -> None:
    # A first filter takes prctl(2) away, of which the second needs a promise.
    prctl = {"x86_64": 157, "aarch64": 167}[platform.machine()]
    first = f"confine._install(dataclasses.replace(machine, socket={prctl}, socketpair={prctl}))"
    means, found = tried(f"{first} and confine.confine()")
    assert means == "proxy"
    assert found["tcp"] == "worked"


def test_unknown_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert confine() == "proxy"
    assert not _refused()


def cues(frames: list[VideoFrame], model: Path, workers: int) -> tuple[list[FaceCue], list[str]]:
    """Read the faces; return also how each process stands with seccomp."""
    height, width = frames[0].image.shape[:2]
    config = replace(FacesConfig(), workers=workers)
    with Faces(config, model, sizes=[(width, height)]) as faces:
        found = [cue for frame in frames for cue in faces.push(frame)] + faces.flush()
        status = [Path(f"/proc/{pid}/status").read_text() for pid in faces.processes]
    return found, [line for text in status for line in text.splitlines() if "Seccomp:" in line]


@linux
def test_face_workers_are_confined_and_see_the_same(clip: Path, face_model: Path) -> None:
    with open_source(clip, max_side=640) as source:
        frames = list(islice((p for p in source.packets() if isinstance(p, VideoFrame)), 12))
    confined, modes = cues(frames, face_model, workers=2)
    free, mode = cues(frames, face_model, workers=0)
    assert [line.split()[1] for line in modes] == ["2", "2"]
    assert mode == ["Seccomp:\t0"]
    assert len(confined) == len(free) == 24
    assert all(cue.present for cue in confined)
    for a, b in zip(confined, free, strict=True):
        np.testing.assert_array_equal(a.landmarks, b.landmarks)
        np.testing.assert_array_equal(a.blendshapes, b.blendshapes)
