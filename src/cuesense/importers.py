"""Readers of other programs' files, so that their series can be compared with ours.

Each returns a `cuesense.series.Signals`: times in s and one series per column of numbers, under
the program's own names and units. What the program marks as failed is NaN.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cuesense.errors import MediaError, ParameterError
from cuesense.series import Signals
from cuesense.types import F64

if TYPE_CHECKING:
    import pandas as pd


def read_openface(path: str | Path, *, face: int | None = None) -> Signals:
    """Read a CSV of OpenFace 2 (FeatureExtraction or FaceLandmarkVidMulti).

    Rows with ``success`` 0 are missing. Action units are ``AU12_r`` (intensity, 0 to 5) and
    ``AU12_c`` (0 or 1), angles in rad, as OpenFace has them.

    Parameters
    ----------
    path
        The file.
    face
        Which ``face_id``, if the file has several.

    Raises
    ------
    MediaError
        If the file cannot be read or is not of OpenFace.
    ParameterError
        If there are several faces and none is chosen, or not the one chosen.
    """
    frame = _table(path, "OpenFace", ("timestamp", "success"))
    frame = _one(frame, "face_id", face, path)
    t = frame["timestamp"].to_numpy(np.float64)
    failed = frame["success"].to_numpy() == 0
    return _signals(path, t, frame, ("frame", "timestamp", "face_id"), failed)


def read_pyfeat(path: str | Path, *, fps: float, face: object = None) -> Signals:
    """Read a CSV of py-feat (`Fex.to_csv`, or `output=` of its detector).

    Rows without a face (``FaceScore`` empty or 0) are missing. Time is the frame's number over
    `fps`: the file's own times are rounded to whole seconds.

    Parameters
    ----------
    path
        The file.
    fps
        Pictures per s of the video.
    face
        Which ``Identity``, if the file has several.

    Raises
    ------
    MediaError
        If the file cannot be read or is not of py-feat.
    ParameterError
        If there are several faces and none is chosen, or not the one chosen; if `fps` is not
        above 0.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ParameterError(f"fps={fps!r} must be > 0")
    frame = _table(path, "py-feat", ("frame", "FaceScore"))
    frame = _one(frame, "Identity", face, path)
    t = frame["frame"].to_numpy(np.float64) / fps
    score = frame["FaceScore"].to_numpy(np.float64)
    return _signals(path, t, frame, ("frame", "approx_time"), ~(score > 0))


def read_libreface(path: str | Path) -> Signals:
    """Read a CSV of LibreFace's video analysis.

    Action units are ``au_12`` (0 or 1) and ``au_12_intensity`` (0 to 5). Frames without a face
    are left out there, so they become gaps in time.

    Raises
    ------
    MediaError
        If the file cannot be read or is not of LibreFace.
    """
    frame = _table(path, "LibreFace", ("frame_idx", "frame_time_in_ms"))
    t = frame["frame_time_in_ms"].to_numpy(np.float64) / 1000
    return _signals(path, t, frame, ("frame_idx", "frame_time_in_ms"))


def read_opensmile(path: str | Path) -> Signals:
    """Read low-level descriptors of openSMILE: SMILExtract's CSV or opensmile-python's.

    Time is where each frame starts: ``frameTime``, or ``start``.

    Raises
    ------
    MediaError
        If the file cannot be read or is not of openSMILE.
    ParameterError
        If it holds several files or one row only (functionals of a whole file are no series).
    """
    import pandas as pd

    frame = _table(path, "openSMILE", (), separators=";,")
    for column in ("file", "name"):
        if column in frame and frame[column].nunique() > 1:
            raise ParameterError(f"{str(path)!r} holds several files; write one file for each")
    if "frameTime" in frame:
        t = frame["frameTime"].to_numpy(np.float64)
    elif "start" in frame:
        t = pd.to_timedelta(frame["start"]).dt.total_seconds().to_numpy(np.float64)
    else:
        raise _foreign(path, "openSMILE", "frameTime or start")
    if len(t) < 2:
        raise ParameterError(f"{str(path)!r} holds one row: no series; extract LLDs")
    own = ("file", "name", "frameTime", "frameIndex", "start", "end")
    return _signals(path, t, frame, own)


def read_rmea(
    path: str | Path, *, rate_hz: float, columns: Sequence[Sequence[int]] = ((1,), (2,))
) -> Signals:
    """Read motion energy as the R package rMEA does (`readMEA`): text, a row per picture.

    Parameters
    ----------
    path
        The file, separated by white space, commas or semicolons, with or without a header.
    rate_hz
        Pictures per s; the file does not say.
    columns
        For each series the columns, counted from 1, whose motion energies are summed: the
        regions of one person.

    Returns
    -------
        Series ``s1``, ``s2``, …

    Raises
    ------
    MediaError
        If the file cannot be read or holds no numbers.
    ParameterError
        If there is no such column, or `rate_hz` is not above 0.
    """
    if not (np.isfinite(rate_hz) and rate_hz > 0):
        raise ParameterError(f"rate_hz={rate_hz!r} must be > 0 Hz")
    lines = [line.split() for line in _text(path).replace(",", " ").replace(";", " ").splitlines()]
    rows = [line for line in lines if line]
    if rows and not all(map(_is_number, rows[0])):
        rows = rows[1:]
    width = min(map(len, rows), default=0)
    if not width:
        raise MediaError(f"{str(path)!r} holds no motion energy: give a text file of numbers")
    values = np.array([[_number(cell) for cell in row[:width]] for row in rows])
    found = {}
    for i, regions in enumerate(columns, 1):
        for region in regions:
            if not 1 <= region <= width:
                raise ParameterError(f"column={region} must be 1 to {width} in {str(path)!r}")
        found[f"s{i}"] = values[:, [r - 1 for r in regions]].sum(axis=1)
    return Signals(Path(path).name, np.arange(len(values)) / rate_hz, found)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MediaError(f"{str(path)!r} cannot be read ({why}); give a text file") from error


def _table(
    path: str | Path, program: str, needed: Sequence[str], separators: str = ","
) -> pd.DataFrame:
    """Return a CSV with a header; spaces around names and values do not count."""
    import pandas as pd

    text = _text(path)
    head = text.split("\n", 1)[0]
    separator = max(separators, key=head.count)
    try:
        frame = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True)
    except ValueError as error:  # pandas' errors of parsing are ValueErrors
        why = str(error).splitlines()[0]
        raise MediaError(f"{str(path)!r} cannot be read as CSV ({why})") from error
    frame.columns = frame.columns.str.strip()
    for column in needed:
        if column not in frame:
            raise _foreign(path, program, column)
    return frame


def _foreign(path: str | Path, program: str, column: str) -> MediaError:
    return MediaError(f"{str(path)!r} has no column {column}: give a CSV that {program} wrote")


def _one(frame: pd.DataFrame, column: str, face: object, path: str | Path) -> pd.DataFrame:
    """Return the rows of one face."""
    if column not in frame:
        if face is not None:
            raise ParameterError(f"face={face!r}: {str(path)!r} has no column {column}")
        return frame
    faces = frame[column].dropna().unique().tolist()
    if face is None and len(faces) > 1:
        named = ", ".join(map(str, faces[:5]))
        raise ParameterError(f"{str(path)!r} holds several faces ({named}); choose one with face=")
    if face is not None and face not in faces:
        raise ParameterError(f"face={face!r} must be one of {', '.join(map(str, faces[:5]))}")
    return frame if face is None else frame[frame[column] == face]


def _signals(
    path: str | Path,
    t: F64,
    frame: pd.DataFrame,
    without: Sequence[str],
    failed: np.ndarray | None = None,
) -> Signals:
    """Return the columns of numbers; NaN in the rows that failed."""
    numbers = frame.select_dtypes("number").drop(columns=[*without], errors="ignore")
    columns = {str(c): numbers[c].to_numpy(np.float64).copy() for c in numbers}
    if failed is not None:
        for values in columns.values():
            values[failed] = np.nan
    return Signals(Path(path).name, t, columns)


def _is_number(cell: str) -> bool:
    return not np.isnan(_number(cell)) or cell.upper() in ("NA", "NAN")


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
