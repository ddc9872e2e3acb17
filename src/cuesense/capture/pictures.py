"""A stream of pictures -> RGB, upright, square pixels, at strictly increasing times."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from cuesense.capture.decode import (
    Damage,
    Stream,
    declared_end,
    first_frame,
    open_container,
    timed,
    timed_keyframes,
)
from cuesense.types import U8, VideoFrame

__all__ = ["Picture", "pictures", "probe_picture", "stills", "upright"]

STILLS_DECODED = 300  # pictures; a recording this short is decoded for stills, not sought in


@dataclass(frozen=True, slots=True)
class Picture(Stream):
    """A stream of pictures.

    Attributes
    ----------
    size
        (width, height) in px to which the stored picture is scaled before it is turned.
    matrix
        its display matrix (see `upright`), () if there is none.
    fps
        pictures per s on average, NaN if unknown.
    threads
        that decode it; 0: as many as the decoder likes.
    """

    size: tuple[int, int]
    matrix: tuple[int, ...]
    fps: float
    threads: int

    @property
    def shown(self) -> tuple[int, int]:
        """(width, height) in px of the upright picture."""
        return self.size[::-1] if _on_its_side(self.matrix) else self.size


def probe_picture(
    path: Path, stream: Any, view: int, max_side: int, threads: int, notes: list[str]
) -> Picture | None:
    """Find out what a stream of pictures shows by decoding its first frame.

    Parameters
    ----------
    path
        the file.
    stream
        PyAV's stream in it.
    view
        for its packets.
    max_side
        px; larger pictures will be reduced.
    threads
        that will decode it; 0: as many as the decoder likes.
    notes
        sentences for the user, to which those on this stream are added.

    Returns
    -------
    picture
        None if the stream cannot be used.
    """
    frame, start = first_frame(path, stream, notes)
    if frame is None:
        return None
    size = _scaled(frame.width, frame.height, stream.sample_aspect_ratio, max_side)
    if max(frame.width, frame.height) > max_side:
        reduced = f"{frame.width}x{frame.height} to {size[0]}x{size[1]} px"
        notes.append(f"{path.name}: picture reduced from {reduced}")
    matrix = _display_matrix(frame)
    if matrix and np.sign(matrix[:5]).tolist() != [1, 0, 0, 0, 1]:
        notes.append(f"{path.name}: picture turned upright as the file says")
    fps = float(stream.average_rate or math.nan)
    end = declared_end(stream)
    return Picture(path, stream.index, view, start, end, size, matrix, fps, threads)


def _scaled(width: int, height: int, aspect: Fraction | None, max_side: int) -> tuple[int, int]:
    """Return the (width, height) with square pixels and no side longer than `max_side`."""
    wide, high = float(width), float(height)
    if aspect and 0.1 <= aspect <= 10:  # by stretching, so that no pixel is lost
        wide, high = wide * max(1.0, float(aspect)), high / min(1.0, float(aspect))
    scale = min(1.0, max_side / max(wide, high))
    return max(1, round(wide * scale)), max(1, round(high * scale))


def _display_matrix(frame: Any) -> tuple[int, ...]:
    """Return the 9 numbers of the frame's display matrix, () if it has none."""
    for data in frame.side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            return tuple(np.frombuffer(data, np.int32).tolist())
    return ()


def _on_its_side(matrix: tuple[int, ...]) -> bool:
    """Return whether the display matrix swaps width and height."""
    return bool(matrix) and abs(matrix[1]) + abs(matrix[3]) > abs(matrix[0]) + abs(matrix[4])


def upright(image: U8, matrix: tuple[int, ...]) -> U8:
    """Turn and flip a picture as its display matrix says.

    The matrix maps stored to shown coordinates: x' = a x + c y, y' = b x + d y, with a, b, c, d
    its elements 0, 1, 3, 4 (ISO/IEC 14496-12, 8.3.2). Only multiples of 90 degrees are followed.

    Parameters
    ----------
    image
        (height, width, 3).
    matrix
        9 numbers, by row; any scale; () leaves the picture as it is.

    Returns
    -------
    image
        (height, width, 3) or (width, height, 3).
    """
    if not matrix:
        return image
    a, b, _, c, d = matrix[:5]
    flip_x, flip_y = a < 0, d < 0
    if _on_its_side(matrix):
        image = cv2.transpose(image)  # type: ignore[assignment]
        flip_x, flip_y = c < 0, b < 0
    if flip_x or flip_y:
        # OpenCV's code: -1 both axes, 0 upside down, 1 left to right.
        image = cv2.flip(image, -1 if flip_x and flip_y else int(flip_x))  # type: ignore[assignment]
    return image


def _image(frame: Any, picture: Picture, scaler: VideoReformatter) -> U8:
    """Return the frame as read-only RGB (height, width, 3): square pixels, upright."""
    wide, high = picture.size
    stored = scaler.reformat(frame, wide, high, "rgb24")
    image = upright(cast(U8, stored.to_ndarray()), picture.matrix)
    image.flags.writeable = False
    return image


def pictures(
    picture: Picture, shift: float, damage: Damage, since: float = -math.inf
) -> Generator[VideoFrame, None, None]:
    """Decode the pictures of a stream.

    Parameters
    ----------
    picture
        the stream.
    shift
        s from the container's clock to the session's.
    damage
        told what goes wrong.
    since
        s on the container's clock: what is shown before it is left out.

    Yields
    ------
    frame
        times strictly increasing.

    Raises
    ------
    MediaError
        if the file cannot be opened any more.
    """
    scaler = VideoReformatter()
    last = -math.inf
    index = 0
    with open_container(picture.path) as container:
        for frame, t in timed(container, picture.index, damage, since, picture.threads):
            if t < since:
                continue
            if not t > last:
                damage.add("pictures without a time of their own left out")
                continue
            try:
                image = _image(frame, picture, scaler)
            except (FFmpegError, ValueError) as error:
                damage.add("pictures that could not be converted", error)
                continue
            yield VideoFrame(t + shift, image, index, picture.view)
            last = t
            index += 1


def stills(picture: Picture, end: float, shift: float, n: int) -> Iterator[VideoFrame]:
    """Decode some pictures spread over a stream.

    A short recording may have one keyframe only and is decoded through; a long one is sought in.

    Parameters
    ----------
    picture
        the stream.
    end
        s on the container's clock, where the recording should end; NaN yields nothing.
    shift
        s from the container's clock to the session's.
    n
        how many, at most.

    Yields
    ------
    frame
        times strictly increasing; `index` counts the stills.
    """
    length = end - picture.start
    if not length > 0:
        return
    wanted = [picture.start + length * i / n for i in range(n)]
    scaler = VideoReformatter()
    with open_container(picture.path) as container:
        through = length * picture.fps <= STILLS_DECODED
        found = (
            timed(container, picture.index, Damage())
            if through
            else timed_keyframes(container, picture.index, wanted)
        )
        last, index = -math.inf, 0
        for frame, t in found:
            if t > last and (not through or t >= wanted[index]):
                yield VideoFrame(t + shift, _image(frame, picture, scaler), index, picture.view)
                last, index = t, index + 1
                if index == n:
                    return
