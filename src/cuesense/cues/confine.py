"""Taking the network away from this process, before it loads a library that might use it.

On Linux a seccomp filter (Documentation/userspace-api/seccomp_filter.rst of the kernel) makes every
attempt to open a socket fail that is not one to a process of the same machine. It cannot be taken
off again and holds for all threads, those that run already included, and for all children.
Elsewhere there is only the proxy that nobody serves, which the parent sets (`environment`).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["confine", "environment"]

NOWHERE: Final = "http://127.0.0.1:9"
"""A proxy that nobody serves, for systems on which `confine` cannot take the network away."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """What the kernel calls things on one architecture."""

    audit: int  # AUDIT_ARCH_…: which table the number of a call belongs to
    seccomp: int
    socket: int
    socketpair: int


MACHINES: Final = {
    "x86_64": _Machine(0xC000003E, 317, 41, 53),
    "aarch64": _Machine(0xC00000B7, 277, 198, 199),
}
IO_URING_SETUP: Final = 425  # on both: it opens and connects sockets without the calls for that
X32: Final = 0x40000000  # x86-64 calls from here on are those of its 32-bit-pointer variant
AF_UNIX: Final = 1

LOAD, EQUAL, FROM, RETURN = 0x20, 0x15, 0x35, 0x06  # of classic BPF: ld [k], jeq, jge, ret k
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data, little-endian
ALLOW: Final = 0x7FFF0000
REFUSE: Final = 0x00050000 | errno.EACCES

PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def confine() -> Literal["seccomp", "proxy"]:
    """Deny this process the network, for good.

    Returns
    -------
    means
        "seccomp": the system refuses sockets to the network (EACCES); "proxy": it cannot, and
        only a dead proxy stands in the way of a library that asks for one.
    """
    machine = MACHINES.get(platform.machine())
    # A 32-bit Python on a 64-bit system makes other calls than its machine's name says.
    known = sys.platform == "linux" and sys.byteorder == "little" and sys.maxsize > 2**32
    if machine is None or not known:
        return "proxy"
    return "seccomp" if _install(machine) and _refused() else "proxy"


def environment() -> dict[str, str]:
    """Return the environment of a Python process to be confined, which finds our modules."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), NOWHERE),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE),
        "no_proxy": "",
        "NO_PROXY": "",
    }


def _filter(machine: _Machine) -> bytes:
    """Return the program: it refuses what opens a socket, unless that is a local one."""
    program = (
        # code, how many to skip if so, how many if not, operand
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 0, 9, machine.audit),  # calls of a 32-bit program
        (LOAD, 0, 0, NUMBER),
        (FROM, 7, 0, X32),
        (EQUAL, 6, 0, IO_URING_SETUP),
        (EQUAL, 2, 0, machine.socket),
        (EQUAL, 1, 0, machine.socketpair),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, FIRST_ARGUMENT),  # the family; the kernel, too, looks at 32 bits of it
        (EQUAL, 0, 1, AF_UNIX),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _install(machine: _Machine) -> bool:
    """Put the filter on all threads; return whether the kernel took it."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        call, prctl = libc.syscall, libc.prctl
    except (OSError, AttributeError):
        return False
    code = _filter(machine)
    program = _Program(len(code) // 8, code)
    word = ctypes.c_ulong
    # Without the promise never to gain rights, only root may filter.
    if prctl(PR_SET_NO_NEW_PRIVS, word(1), word(0), word(0), word(0)) != 0:
        return False
    call.restype = ctypes.c_long
    taken = call(
        ctypes.c_long(machine.seccomp),
        word(SECCOMP_SET_MODE_FILTER),
        word(SECCOMP_FILTER_FLAG_TSYNC),
        ctypes.byref(program),
    )
    return bool(taken == 0)


def _refused() -> bool:
    """Return whether sockets to the network are refused; some kernels' imitations only say so."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except PermissionError:
        return True
    except OSError:
        return False
    return False
