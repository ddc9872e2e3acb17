"""Faces and voices of acted emotion, to compose conversations of: `composed`.

A face is a bank of pictures with the landmarks of each: of clips (MEAD, RAVDESS) or of stills
(JAFFE). Both are warped along their landmarks in three dimensions, so that a clip's last picture
flows into the next clip's first, a still can take on and lose an expression, and a head can nod and
turn. What plays in a baseline is kept apart from what plays later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from cuesense import models
from cuesense.types import F64, U8

SIDE = 384
"""px of the square picture of a person."""
RATE = 16_000
"""Hz of the sound."""
FILL = 0.85
"""Share of the picture's side that a face's own picture takes."""
GRID = 65
REST = 12
"""Pictures at a clip's start and end in which nobody speaks yet, or any more."""
NECK = 0.6
"""How far behind the nose the head turns, in face widths."""
LEAST_DB = -30.0
"""Re the loudest 20 ms of a clip: what is softer at its ends is cut off."""

RAVDESS = {"01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fear"}
EMODB = {"N": "neutral", "F": "happy", "T": "sad", "W": "angry", "A": "fear"}
JAFFE = {"NE": "neutral", "HA": "happy", "SA": "sad", "AN": "angry", "FE": "fear"}


@dataclass(frozen=True, eq=False)
class Face:
    """One person's pictures.

    Attributes
    ----------
    still
        whether these are stills, which have no motion of their own.
    pictures
        (n, side, side, 3) uint8 RGB.
    mesh
        (n, 478, 3) landmarks in px of the pictures, z grows away from the camera.
    runs
        picture numbers in playing order, by what they show: an emotion, or "neutral" and "rest"
        (lips closed), of which "baseline neutral" and "baseline rest" are other pictures.
    """

    still: bool
    pictures: U8
    mesh: F64
    runs: Mapping[str, tuple[npt.NDArray[np.intp], ...]]

    @cached_property
    def _weights(self) -> tuple[npt.NDArray[np.intp], F64]:
        """Corners (grid, 3) and shares (grid, 3) of the triangle that holds each grid point."""
        from scipy.spatial import Delaunay

        side = self.pictures.shape[1]
        points = np.concatenate((self.mesh.mean(axis=0)[:, :2], _frame(side)))
        mesh = Delaunay(points)
        x, y = np.meshgrid(*[np.linspace(0, side - 1, GRID)] * 2)
        at = np.column_stack((x.ravel(), y.ravel()))
        found = mesh.find_simplex(at, tol=1e-6)
        to = mesh.transform[found]
        two = np.einsum("nij,nj->ni", to[:, :2], at - to[:, 2])
        return mesh.simplices[found], np.column_stack((two, 1 - two.sum(axis=1)))

    def show(self, parts: Sequence[tuple[int, float]], yaw: float, pitch: float, jaw: float) -> U8:
        """Return a picture (`SIDE`, `SIDE`, 3).

        Parameters
        ----------
        parts
            numbers of pictures and their shares, which sum to 1.
        yaw, pitch
            rad, by which the head turns to the picture's right and up.
        jaw
            share of the face's height by which the jaw drops.
        """
        side = self.pictures.shape[1]
        target = sum(share * self.mesh[i] for i, share in parts)
        target = turned(_open(target, jaw), yaw, pitch)
        whole, sofar = np.zeros((SIDE, SIDE, 3), np.uint8), 0.0
        for i, share in parts:
            part = self._warped(i, target[:, :2] - self.mesh[i, :, :2], side)
            sofar += share
            new = share / sofar
            whole = np.asarray(cv2.addWeighted(whole, 1 - new, part, new, 0), np.uint8)
        return whole

    def _warped(self, i: int, move: F64, side: int) -> U8:
        corners, shares = self._weights
        move = np.concatenate((move, np.zeros((len(_frame(side)), 2))))
        field = np.einsum("nk,nkc->nc", shares, move[corners]).reshape(GRID, GRID, 2)
        field = cv2.GaussianBlur(field.astype(np.float32), (0, 0), 0.8)
        # The field is where each point goes; asked for is where each point comes from.
        axis = np.linspace(0, side - 1, GRID, dtype=np.float32)
        here = np.stack(np.meshgrid(axis, axis), axis=-1)
        source = here
        for _ in range(4):
            at = source * np.float32((GRID - 1) / (side - 1))
            back = cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, None, 1)
            source = here - back
        scale = FILL * SIDE / side
        to_grid = (GRID - 1) / (side - 1) / scale
        margin = -(1 - FILL) / 2 * SIDE * to_grid
        affine = np.array([[to_grid, 0, margin], [0, to_grid, margin]])
        dense = cv2.warpAffine(
            source,
            affine,
            (SIDE, SIDE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        found = cv2.remap(
            self.pictures[i],
            dense[..., 0],
            dense[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(found, np.uint8)


def turned(mesh: F64, yaw: float, pitch: float) -> F64:
    """Return landmarks (478, 3) of a head turned about its neck."""
    wide = np.ptp(mesh[:, 0])
    pivot = np.array([mesh[:, 0].mean(), mesh[:, 1].mean(), mesh[:, 2].min() + NECK * wide])
    x, y, z = (mesh - pivot).T
    x, z = x * np.cos(yaw) - z * np.sin(yaw), x * np.sin(yaw) + z * np.cos(yaw)
    y, z = y * np.cos(pitch) + z * np.sin(pitch), -y * np.sin(pitch) + z * np.cos(pitch)
    return np.asarray(np.column_stack((x, y, z)) + pivot)


def _open(mesh: F64, jaw: float) -> F64:
    """Return landmarks with what is below the lips' seam moved down."""
    seam, chin = mesh[13, 1], mesh[152, 1]
    out = mesh.copy()
    wide = np.exp(-(((mesh[:, 0] - mesh[13, 0]) / (0.35 * np.ptp(mesh[:, 0]))) ** 2))
    below = mesh[:, 1] > seam + 0.02 * (chin - seam)
    out[below, 1] += jaw * np.ptp(mesh[:, 1]) * wide[below]
    return out


def _frame(side: int) -> F64:
    """Return points on a picture's edge, which stay where they are."""
    s = np.linspace(-2.0, side + 1.0, 7)
    low, high = np.full(7, -2.0), np.full(7, side + 1.0)
    sides = [(s, low), (s, high), (low[1:-1], s[1:-1]), (high[1:-1], s[1:-1])]
    return np.concatenate([np.column_stack(pair) for pair in sides])


def pictures(path: Path) -> U8:
    """Return the pictures (n, height, width, 3) of a film, or the one of a still."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def _meshes(images: U8) -> F64:
    """Return the landmarks of each picture in px (n, 478, 3); NaN where no face is found."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(models.fetch("face_landmarker"))),
        running_mode=vision.RunningMode.IMAGE,
    )
    high, wide = images.shape[1:3]
    out = np.full((len(images), 478, 3), np.nan)
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for k, image in enumerate(images):
            seen = landmarker.detect(
                mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
            )
            if seen.face_landmarks:
                found = seen.face_landmarks[0]
                out[k] = [(p.x * wide, p.y * high, p.z * wide) for p in found]
    return out


def _filmed(clips: Mapping[str, U8]) -> Face:
    """Return the face of clips by emotion; the neutral one is shared out."""
    images = np.concatenate(list(clips.values()))
    mesh = _meshes(images)
    runs: dict[str, tuple[npt.NDArray[np.intp], ...]] = {}
    start = 0
    for emotion, clip in clips.items():
        run = start + np.arange(len(clip))
        start += len(clip)
        run = run[np.isfinite(mesh[run, 0, 0])]
        if emotion != "neutral":
            runs[emotion] = (run,)
            continue
        middle = len(run) * 6 // 10
        runs["baseline rest"], runs["baseline neutral"] = (run[:REST],), (run[REST:middle],)
        runs["neutral"], runs["rest"] = (run[middle:-REST],), (run[-REST:],)
    return Face(False, images, mesh, runs)


def mead(data: Path, name: str) -> Face:
    """Return a MEAD actor's face."""
    folder = data / "av_emotion" / "mead"
    emotions = ("neutral", "happy", "sad", "angry", "fear")
    return _filmed(
        {e: pictures(next(folder.glob(f"{name}_front_{e}_level?_001.mp4"))) for e in emotions}
    )


def ravdess(data: Path, name: str) -> Face:
    """Return a RAVDESS actor's face, as far as there are clips."""
    clips = {}
    for path in sorted((data / "av_emotion" / "ravdess_av").glob(f"01-*-{name}.mp4")):
        film = pictures(path)
        x, y, side = 325, 20, 660  # where the head is in all of these films
        cut = film[:, y : y + side, x : x + side]
        clips[RAVDESS[path.stem[6:8]]] = np.stack(
            [cv2.resize(p, (400, 400), interpolation=cv2.INTER_AREA) for p in cut]
        )
    return _filmed(clips)


def jaffe(data: Path, name: str) -> Face:
    """Return a JAFFE actor's face; all stills are laid over each other by the eyes."""
    folder = data / "face_images" / "jaffe"
    found = [
        (emotion, pictures(path)[0])
        for code, emotion in JAFFE.items()
        for path in sorted(folder.glob(f"{name}.{code}*.png"))
    ]
    images = np.stack([image for _, image in found])
    rough = _meshes(images)
    eyes = rough[:, [33, 263], :2]
    usual = np.nanmedian(eyes, axis=0)
    over = []
    for image, pair in zip(images, eyes, strict=True):
        affine = _similarity(pair, usual)
        over.append(cv2.warpAffine(image, affine, image.shape[:2], borderMode=cv2.BORDER_REPLICATE))
    images = np.stack(over).astype(np.uint8)
    runs: dict[str, tuple[npt.NDArray[np.intp], ...]] = {
        emotion: tuple(np.array([i]) for i, (e, _) in enumerate(found) if e == emotion)
        for emotion in JAFFE.values()
    }
    *before, after = runs["neutral"]
    runs["baseline neutral"] = runs["baseline rest"] = tuple(before)
    runs["neutral"] = runs["rest"] = (after,)
    return Face(True, images, _meshes(images), runs)


def _similarity(pair: F64, onto: F64) -> F64:
    """Return the (2, 3) shift, turn and scale that lays two points (2, 2) onto two others."""
    a, b = (complex(*(p[1] - p[0])) for p in (pair, onto))
    by = b / a
    turn = np.array([[by.real, -by.imag], [by.imag, by.real]])
    return np.column_stack((turn, onto[0] - turn @ pair[0]))


Utterances = Mapping[str, tuple[npt.NDArray[np.float32], ...]]
"""Mono sound at `RATE`, by emotion; "baseline neutral" holds none of the others."""


def _sound(path: Path) -> npt.NDArray[np.float32]:
    """Return an utterance without the silence around it."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        parts = [
            out.to_ndarray()[0]
            for frame in [*film.decode(audio=0), None]
            for out in resampler.resample(frame)
        ]
    whole = np.concatenate(parts)
    hop = RATE // 50
    power = np.square(whole[: len(whole) // hop * hop]).reshape(-1, hop).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (LEAST_DB / 10))
    return np.asarray(whole[loud[0] * hop : (loud[-1] + 1) * hop], np.float32)


def voice(data: Path, corpus: str, name: str) -> Utterances:
    """Return the utterances of a RAVDESS or EmoDB speaker."""
    folder, said = data / "speech_emotion" / corpus, {}
    if corpus == "ravdess":
        # The strong ones first.
        for code, emotion in RAVDESS.items():
            files = sorted(folder.glob(f"03-01-{code}-*-{name}.flac"), reverse=True)
            said[emotion] = tuple(_sound(path) for path in files)
    else:
        for code, emotion in EMODB.items():
            files = sorted(folder.glob(f"{name}*{code}?.flac"))
            said[emotion] = tuple(_sound(path) for path in files)
    plain, calm = said["neutral"], said.get("calm", ())
    much, half = len(plain) * 3 // 4, len(calm) // 2
    said["baseline neutral"] = (*plain[:much], *calm[:half])
    said["neutral"] = (*plain[much:], *calm[half:])
    return said
