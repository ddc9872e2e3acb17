"""What goes over a page's socket: what comes in is checked whole, what goes out is plain JSON.

Text is JSON, one message each, at most `TEXT_LIMIT`. Binary is a picture or a block of sound,
little-endian, at most `BINARY_LIMIT`::

    to the page     u8 1, u8 view, f64 t, JPEG
    from the page   u8 2, u8 view, f64 at_ms, JPEG
                    u8 3, u8 channels, u32 rate, f64 index, f64 at_ms, f32 samples (interleaved)
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from cuesense.errors import ParameterError
from cuesense.types import F32

TEXT_LIMIT: Final = 16 * 1024
"""Bytes of a text message."""
BINARY_LIMIT: Final = 2 * 1024 * 1024
"""Bytes of a binary message; taken only while the page is the camera."""

PICTURE: Final = struct.Struct("<BBd")
"""Head of a picture, either way: kind, view, time."""
_SOUND: Final = struct.Struct("<BBIdd")
_SHOWN, _TAKEN, _HEARD = 1, 2, 3
_MAX_VIEWS, _MAX_CHANNELS, _MAX_NOTE = 2, 8, 2000
_HALF: Final = re.compile("[\ud800-\udfff]")
_RATES: Final = (8_000, 192_000)


class _Field(NamedTuple):
    holds: Callable[[Any], bool]
    rule: str


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x)


def _is_text(x: Any) -> bool:
    # JSON can smuggle in half a character, which no file could be written with.
    return isinstance(x, str) and len(x) <= _MAX_NOTE and not _HALF.search(x)


def _one_of(*choices: str) -> _Field:
    return _Field(lambda x: isinstance(x, str) and x in choices, f"one of {', '.join(choices)}")


_NUMBER = _Field(_is_number, "a number")
_YES_NO = _Field(lambda x: isinstance(x, bool), "true or false")
_NOTE = _Field(_is_text, f"text of at most {_MAX_NOTE} characters")
_CALM = _Field(
    lambda x: isinstance(x, int) and not isinstance(x, bool) and 0 <= x <= 10,
    "a whole number from 0 to 10",
)
_VIEW = _Field(
    lambda x: isinstance(x, int) and not isinstance(x, bool) and 0 <= x < _MAX_VIEWS,
    f"less than {_MAX_VIEWS}",
)
_PASSPHRASE = _Field(
    lambda x: x is None or (_is_text(x) and x != ""), f"null or text of 1 to {_MAX_NOTE} characters"
)

_FIELDS: Final[dict[str, dict[str, _Field]]] = {
    "hello": {"token": _NOTE},
    "begin": {
        "listener": _one_of("left", "right", "A", "B", "auto"),
        "keep_picture": _YES_NO,
        "keep_sound": _YES_NO,
        "passphrase": _PASSPHRASE,
        "consent": _YES_NO,
    },
    "pause": {},
    "resume": {},
    "mark": {"text": _NOTE},
    "end": {},
    "checkin": {"when": _one_of("before", "after"), "calm": _CALM, "note": _NOTE},
    "ready": {},
    "seen": {"view": _VIEW, "t": _NUMBER, "late": _NUMBER},
    "ping": {"at": _NUMBER},
}
"""All messages of a page, and the fields that each has: no more and no fewer."""


def read(text: str) -> dict[str, Any]:
    """Return a page's message.

    Raises
    ------
    ParameterError
        If it is not JSON, not a message of a page, or a field is missing, unknown or wrong.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise ParameterError("message of the page is not JSON: reload the page") from None
    kind = message.get("type") if isinstance(message, dict) else None
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        raise ParameterError("message of the page is of no known type: reload the page")
    if message.keys() - {"type"} != fields.keys():
        raise ParameterError(f"message {kind!r} must have the fields {sorted(fields)}")
    for name, field in fields.items():
        if not field.holds(message[name]):
            raise ParameterError(f"{name} of message {kind!r} must be {field.rule}")
    return message  # type: ignore[no-any-return]  # a dict with exactly these fields


def write(message: Mapping[str, Any]) -> str:
    """Return a message as JSON: what is missing (NaN inside the program) is null."""
    try:
        return json.dumps(message, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_without_nan(message), allow_nan=False, separators=(",", ":"))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return value


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page's camera: `at_ms` on the page's clock, `jpeg` as it came."""

    view: int
    at_ms: float
    jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Sound of a page's microphone: `samples` is float32 (n, channels) in [-1, 1].

    `index` counts samples since the microphone was opened, `at_ms` is the time of the first one
    on the page's clock, `rate` is in Hz.
    """

    index: int
    at_ms: float
    rate: int
    samples: F32


def taken(data: bytes) -> Picture | Sound:
    """Return what a page's camera or microphone sent.

    Raises
    ------
    ParameterError
        If it is neither a picture nor sound, or its numbers cannot be true.
    """
    if data[:1] == bytes([_TAKEN]) and len(data) > PICTURE.size:
        _, view, at_ms = PICTURE.unpack_from(data)
        jpeg = data[PICTURE.size :]
        if view < _MAX_VIEWS and math.isfinite(at_ms) and jpeg.startswith(b"\xff\xd8"):
            return Picture(view, at_ms, jpeg)
    elif data[:1] == bytes([_HEARD]) and len(data) > _SOUND.size:
        _, channels, rate, index, at_ms = _SOUND.unpack_from(data)
        fits = 0 < channels <= _MAX_CHANNELS and (len(data) - _SOUND.size) % (4 * channels) == 0
        known = _RATES[0] <= rate <= _RATES[1] and math.isfinite(at_ms) and 0 <= index < 2**53
        if fits and known:
            samples = np.frombuffer(data, "<f4", offset=_SOUND.size).reshape(-1, channels)
            if np.isfinite(samples).all():
                return Sound(int(index), at_ms, rate, samples.astype(np.float32, copy=False))
    raise ParameterError("binary message of the page is neither a picture nor sound")


def shown(picture: bytes) -> tuple[int, float]:
    """Return the view and the time (s) of a picture that is posted for pages."""
    kind, view, t = PICTURE.unpack_from(picture)
    assert kind == _SHOWN, kind
    return view, t
