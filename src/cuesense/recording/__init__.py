"""Keeping a session's camera and sound, if that was chosen: `Recorder` writes, `unlock` decrypts.

A recording is Matroska on the session's clock, so analysing it gives what the session gave, but for
what the picture's compression costs. It can be broken off at any time and played up to there.
"""

from __future__ import annotations

import errno
import math
import shutil
import threading
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, Self

from av.error import FFmpegError

from cuesense.capture import SourceInfo
from cuesense.errors import OutputError, ParameterError
from cuesense.recording.mux import MAX_CHANNELS, MediaFile
from cuesense.recording.vault import Vault, WholeFile, unlock
from cuesense.types import AudioBlock, Packet, VideoFrame

__all__ = ["Recorder", "unlock"]

QUEUED_BYTES: Final = 96 * 2**20
"""Pictures wait in this much memory at most: a second of 720p at 30 a second."""
QUEUED_S: Final = 60.0
"""Sound waits this long at most: whoever falls behind by so much will not catch up."""
RESERVE_BYTES: Final = 256 * 2**20
"""Left free on the disk: a session must not lose its tables to its recording."""
LOOK_S: Final = 1.0
"""Between two looks at the disk."""
CLOSE_S: Final = 30.0
"""For what is queued to be written at the end."""
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Recorder:
    """Writes packets into files, in a thread of its own. A context manager.

    There is one file, ``recording.mkv``, or with two cameras or microphones one for each person,
    ``recording-A.mkv`` and ``recording-B.mkv``, on one clock; encrypted ones end in ``.enc``.
    Nothing is overwritten.

    What goes wrong once it runs does not raise: the recording ends, `problem` says why, and the
    session goes on.

    Parameters
    ----------
    folder
        where the files are made; it must exist.
    info
        of the source whose packets will come.
    picture
        whether pictures are kept.
    sound
        whether sound is kept.
    passphrase
        encrypts the files as they are written; None leaves them plain.

    Raises
    ------
    ParameterError
        If there is nothing to record; on entering, if the passphrase is empty.
    OutputError
        On entering, if the files cannot be made or are there already.
    """

    def __init__(
        self,
        folder: Path,
        info: SourceInfo,
        *,
        picture: bool,
        sound: bool,
        passphrase: str | None = None,
    ) -> None:
        self._contents = _contents(info, picture, sound)
        self._kinds = ((VideoFrame,) if picture else ()) + ((AudioBlock,) if sound else ())
        self._folder = folder
        self._passphrase = passphrase
        self._files: dict[int, MediaFile] = {}
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._change = threading.Condition()  # guards what follows
        self._queue: deque[VideoFrame | AudioBlock] = deque()
        self._picture_bytes = 0  # that are queued
        self._sound_s = 0.0  # that are queued
        self._open = False
        self._end = 0.0  # s, of what was written
        self.problem = ""
        """One sentence for the user if the recording had to end early."""
        self.left_out = 0
        """Pictures that were not recorded because encoding fell behind."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files: that of A, or of both people, first."""
        names = ("recording",) if len(self._contents) == 1 else ("recording-A", "recording-B")
        suffix = ".mkv" if self._passphrase is None else ".mkv.enc"
        return tuple(self._folder / (name + suffix) for name in names)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            for path, (view, content) in zip(self.paths, self._contents.items(), strict=True):
                try:
                    self._files[view] = _new_file(path, content, self._passphrase, undo)
                except (OSError, FFmpegError) as error:
                    raise OutputError(
                        f"recording '{path}' cannot be made ({_why(error)}): "
                        "choose another folder with -o"
                    ) from None
            undo.pop_all()
        self._open = True
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._open = False
            self._change.notify()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._fail("its end could not be written, the disk does not answer")

    def push(self, packet: Packet) -> None:
        """Take the next packet; never waits and never raises.

        A picture is left out if too many wait to be encoded; sound never is.
        """
        if not isinstance(packet, self._kinds) or packet.view not in self._contents:
            return
        with self._change:
            if not self._open:
                return
            if isinstance(packet, AudioBlock):
                self._sound_s += packet.end - packet.t
                if self._sound_s > QUEUED_S:
                    self._fail("the disk does not keep up")
                    return
            elif self._picture_bytes + packet.image.nbytes > QUEUED_BYTES:
                self.left_out += 1
                return
            else:
                self._picture_bytes += packet.image.nbytes
            self._queue.append(packet)
            self._change.notify()

    # The thread

    def _work(self) -> None:
        looked = -LOOK_S
        try:
            while (packet := self._next()) is not None:
                if time.monotonic() - looked >= LOOK_S:
                    looked = time.monotonic()
                    if shutil.disk_usage(self._folder).free < RESERVE_BYTES:
                        self._fail("the disk is nearly full")
                        break
                file = self._files[packet.view]
                if isinstance(packet, VideoFrame):
                    file.picture(packet.t, packet.image)
                else:
                    file.sound(packet.t, packet.samples)
                self._end = packet.end
        except Exception as error:  # whatever it is, the session goes on
            self._fail(_why(error))
        for file in self._files.values():
            try:
                file.close()
            except Exception as error:
                self._fail(_why(error))

    def _next(self) -> VideoFrame | AudioBlock | None:
        """Wait for the next packet; None at the end."""
        with self._change:
            self._change.wait_for(lambda: self._queue or not self._open)
            if not self._queue:
                return None
            packet = self._queue.popleft()
            if isinstance(packet, VideoFrame):
                self._picture_bytes -= packet.image.nbytes
            else:
                self._sound_s -= packet.end - packet.t
            return packet

    def _fail(self, why: str) -> None:
        """End the recording; the first reason is the one that is told."""
        with self._change:
            minutes, seconds = divmod(int(self._end), 60)
            self.problem = self.problem or (
                f"The recording ended at {minutes}:{seconds:02d} ({why}); the session goes on."
            )
            self._open = False
            self._queue.clear()
            self._change.notify()


class _Content(NamedTuple):
    """What one file holds: see `MediaFile`."""

    size: tuple[int, int] | None
    fps: float
    rate: int
    channels: int


def _contents(info: SourceInfo, picture: bool, sound: bool) -> dict[int, _Content]:
    """Return by view what there is of what is wanted."""
    found: dict[int, _Content] = {}
    for view in range(max(info.views, len(info.rate))):
        seen = picture and view < info.views
        channels = info.channels[view] if sound and view < len(info.rate) else 0
        if channels > MAX_CHANNELS:
            raise ParameterError(
                f"sound of {channels} channels cannot be recorded, must be at most {MAX_CHANNELS}: "
                "choose another microphone"
            )
        if seen or channels:
            found[view] = _Content(
                info.size[view] if seen else None,
                info.fps[view] if seen else math.nan,
                info.rate[view] if channels else 0,
                channels,
            )
    if not found:
        raise ParameterError("there is nothing to record: choose picture or sound that is there")
    return found


def _new_file(path: Path, content: _Content, passphrase: str | None, undo: ExitStack) -> MediaFile:
    """Make one file; `undo` removes it again."""
    sink = WholeFile(path) if passphrase is None else Vault(path, passphrase)
    undo.callback(path.unlink, missing_ok=True)
    undo.callback(sink.close)
    return MediaFile(sink, *content)


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return "the disk is full"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
