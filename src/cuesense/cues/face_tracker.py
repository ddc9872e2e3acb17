"""What is done to a picture: look for faces on tiles, follow one face on a crop.

The only file that calls the face landmarker. It runs in the worker processes
(`cues.face_worker`), never in the main process unless `config.workers` is 0.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

from cuesense.config import Faces as FacesConfig
from cuesense.cues import geometry
from cuesense.cues.sightings import Detection, Face, Look, Order, Place, distance, identity
from cuesense.types import F64, U8, Reason

DETECTOR_SIDE = 128
"""px; what the detector takes. Tiles are reduced to it here, averaging (its own way aliases)."""
DETECTED_SHARE = 0.15
"""Narrowest face that the detector finds, as share of the tile's side (measured)."""
SMALLEST_TILE_PX = 160
"""A smaller tile only finds faces that are too small to read."""
RECENTRE, RESCALE = 0.1, 1.2
"""The crop moves when the face's centre has moved by this share of it, or its size by this factor.
Measured: such a step costs no detection and shifts landmarks by < 0.5 px; twice the step loses the
face for one picture."""
PATCH_PX = 64
"""px; the face is resized to this for light and sharpness."""


@dataclass(frozen=True, slots=True)
class Level:
    """One size of square tiles: their side and corners (x, y), px."""

    side: int
    corners: tuple[tuple[int, int], ...]


def levels(width: int, height: int, smallest_px: float) -> list[Level]:
    """Return tiles, coarse to fine, that hold every face of at least `smallest_px`.

    The whole picture (padded to a square), then squares of its shorter side, then smaller ones,
    each level at most 2.6 times finer. Neighbours overlap by a third, so that a face that spans
    two tiles is whole on one of them or on a coarser level.
    """
    short, long = sorted((width, height))
    finest = min(max(smallest_px / DETECTED_SHARE, SMALLEST_TILE_PX), short)
    steps = max(int(np.ceil(np.log(short / finest) / np.log(2.2) - 0.2)), 0)
    sides = [round(short * (finest / short) ** (i / max(steps, 1))) for i in range(steps + 1)]
    found = [Level(long, ((0, 0),))] if long > 1.2 * short else []
    for side in sides:
        across, down = _starts(width, side), _starts(height, side)
        found.append(Level(side, tuple((x, y) for y in down for x in across)))
    return found


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = 1 + int(np.ceil((length - side) / (side * 2 / 3)))
    return [int(x) for x in np.linspace(0, length - side, count).round()]


def cut(image: U8, x: int, y: int, side: int, size: int) -> U8:
    """Return the square of `side` px at (x, y), which may reach outside, resized to `size` px."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    part = image[y0 : max(y1, y0), x0 : max(x1, x0)]
    if part.shape[:2] != (side, side):
        square = np.zeros((side, side, 3), np.uint8)
        square[y0 - y : y0 - y + part.shape[0], x0 - x : x0 - x + part.shape[1]] = part
        part = square
    how = cv2.INTER_AREA if side > 2 * size else cv2.INTER_LINEAR  # averaging takes 5 x as long
    return np.ascontiguousarray(cv2.resize(part, (size, size), interpolation=how))


def appearance(image: U8, right_eye: F64, left_eye: F64) -> F64:
    """Return the colours of hair, face, neck and chest (45,), RGB in [0, 1].

    Means over 3 x 5 squares of one eye distance, in a frame fixed to the eyes: from two above
    them to three below.

    Parameters
    ----------
    image
        the whole picture.
    right_eye
        (2,) centre of the eye on the picture's left, px.
    left_eye
        (2,) centre of the other eye, px.
    """
    cell = 6
    middle, across = (right_eye + left_eye) / 2, (left_eye - right_eye) / cell
    down = np.array([-across[1], across[0]])
    corner = middle - 1.5 * cell * across - 2 * cell * down
    to_picture = np.column_stack([across, down, corner])
    patch = cv2.warpAffine(
        image,
        to_picture,
        (3 * cell, 5 * cell),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(patch, (3, 5), interpolation=cv2.INTER_AREA).ravel() / 255.0)


def light_and_sharpness(image: U8, box: F64) -> tuple[float, float]:
    """Return mean grey level (0-255) and sharpness of the box (x, y, w, h, px).

    Sharpness is the mean absolute Laplacian over the SD of grey levels, of the box at 64 x 64 px:
    free of contrast, and of size as long as the face is larger than that.
    """
    height, width = image.shape[:2]
    x0, y0 = np.clip(box[:2], 0, (width - 2, height - 2)).astype(int)
    x1, y1 = np.clip(box[:2] + box[2:], (x0 + 2, y0 + 2), (width, height)).astype(int)
    patch = cv2.resize(image[y0:y1, x0:x1], (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean()
    return float(grey.mean()), float(edges / (grey.std() + 1.0))


class Sweeper:
    """Finds every face of a picture with the face model's own detector on tiles."""

    def __init__(self, model: Path, config: FacesConfig) -> None:
        with zipfile.ZipFile(model) as bundle:
            weights = bundle.read("face_detector.tflite")
        self._detector = vision.FaceDetector.create_from_options(
            vision.FaceDetectorOptions(
                base_options=BaseOptions(model_asset_buffer=weights),
                min_detection_confidence=config.detection_score,
            )
        )

    def close(self) -> None:
        """Free the detector."""
        self._detector.close()

    def sweep(self, image: U8, smallest: float) -> tuple[Detection, ...]:
        """Return the faces at least `smallest` picture lengths wide, the surest first."""
        height, width = image.shape[:2]
        found: list[Detection] = []
        for level in levels(width, height, smallest * max(width, height)):
            zoom = DETECTOR_SIDE / level.side
            size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
            reduced = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            for x, y in level.corners:
                tile = cut(reduced, round(x * zoom), round(y * zoom), DETECTOR_SIDE, DETECTOR_SIDE)
                found += self._detect(tile, image, x, y, level.side)
        found.sort(key=lambda d: -d.score)
        kept: list[Detection] = []
        for one in found:
            if all(distance(one.place, other.place) > 0.6 for other in kept):
                kept.append(one)
        return tuple(kept)

    def _detect(self, tile: U8, image: U8, x: int, y: int, side: int) -> list[Detection]:
        """Return the faces of the tile that stands for `side` px of the image at (x, y)."""
        long = max(image.shape[:2])
        result = self._detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=tile))
        found = []
        for hit in result.detections:
            box, zoom = hit.bounding_box, side / DETECTOR_SIDE
            eyes = np.array([(p.x, p.y) for p in hit.keypoints[:2]]) * side + (x, y)
            place = Place(
                (x + (box.origin_x + box.width / 2) * zoom) / long,
                (y + (box.origin_y + box.height / 2) * zoom) / long,
                box.width * zoom / long,
            )
            score = float(hit.categories[0].score)
            found.append(Detection(place, score, appearance(image, eyes[0], eyes[1])))
        return found


class Tracker:
    """Follows one face, and sweeps when told to. One landmarker for its whole life."""

    def __init__(self, model: Path, config: FacesConfig, sweeper: Sweeper) -> None:
        self._config = config
        self._sweeper = sweeper
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(model)),
                running_mode=vision.RunningMode.VIDEO,
                num_faces=1,
                output_face_blendshapes=True,
            )
        )
        self._ms = -1
        self._crop: tuple[int, int, int] | None = None
        self._long = 0  # px; longer side of the last picture
        self._held = False

    def close(self) -> None:
        """Free the landmarker."""
        self._landmarker.close()

    def look(self, image: U8, t: float, order: Order) -> Look:
        """Return what one picture shows; `image` is the whole picture."""
        swept = self._sweeper.sweep(image, order.sweep) if order.sweep > 0 else None
        long = max(image.shape[:2])
        if self._crop is not None and long != self._long:  # the recording changed its size
            x, y, side = (round(px * long / self._long) for px in self._crop)
            self._crop = (x, y, side)
        self._long = long
        if order.rest:
            self._crop = None
        elif order.start is not None:
            self._forget()
            self._aim(order.start, long)
        face = None if self._crop is None else self._follow(image, t, self._crop)
        return Look(face, swept)

    def _aim(self, place: Place, long: int) -> None:
        side = max(round(self._config.crop * place.size * long), 32)
        self._crop = (
            round(place.x * long - side / 2),
            round(place.y * long - side / 2),
            side,
        )

    def _forget(self) -> None:
        """Show a blank picture, so that neither place nor smoothing of the last face remains."""
        if self._held:
            size = self._config.crop_px
            self._detect(np.zeros((size, size, 3), np.uint8), 0.0)
            self._held = False

    def _detect(self, picture: U8, t: float) -> Any:
        self._ms = max(self._ms + 1, round(t * 1000))  # must rise with every call
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)
        return self._landmarker.detect_for_video(image, self._ms)

    def _follow(self, image: U8, t: float, crop: tuple[int, int, int]) -> Face | None:
        x, y, side = crop
        picture = cut(image, x, y, side, self._config.crop_px)
        result = self._detect(picture, t)
        if not result.face_landmarks and self._held:
            # It lost the face, and only the next call looks for it anew: that call is now.
            result = self._detect(picture, t)
        self._held = bool(result.face_landmarks)
        if not self._held:
            return None
        long = max(image.shape[:2])
        landmarks = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]])
        landmarks = landmarks * side + (x, y, 0.0)  # px of the whole picture
        box = geometry.box(landmarks)
        place = Place(
            (box[0] + box[2] / 2) / long,
            (box[1] + box[3] / 2) / long,
            max(box[2], 0.8 * box[3]) / long,
        )
        centre = np.array([place.x * long - x, place.y * long - y]) / side
        scale = self._config.crop * place.size * long / side
        if np.abs(centre - 0.5).max() > RECENTRE or not 1 / RESCALE < scale < RESCALE:
            self._aim(place, long)
        blendshapes = np.array([b.score for b in result.face_blendshapes[0]], np.float32)
        return self._read(image, landmarks, box, place, blendshapes)

    def _read(self, image: U8, pixels: F64, box: F64, place: Place, blendshapes: Any) -> Face:
        height, width = image.shape[:2]
        aspect = width / height
        landmarks = pixels / (width, height, width)
        pose = geometry.pose(landmarks, aspect)
        light, sharpness = light_and_sharpness(image, box)
        share = box / (width, height, width, height)
        inside = geometry.inside(share)
        low = self._config.low_light
        quality = geometry.quality(box[2], sharpness, light, inside, pose, low)
        eyes = [
            pixels[list(eye), :2].mean(axis=0) for eye in (geometry.RIGHT_EYE, geometry.LEFT_EYE)
        ]
        return Face(
            place=place,
            box=share,
            landmarks=landmarks.astype(np.float32),
            blendshapes=blendshapes,
            pose=pose,
            gaze=geometry.gaze(landmarks, aspect, blendshapes, pose),
            quality=quality,
            reason=_reason(inside, light, sharpness, box[2], low),
            identity=identity(
                geometry.signature(geometry.shape(landmarks, aspect, pose)),
                appearance(image, *eyes),
            ),
        )


BLURRED_BELOW: Final = 0.07
"""Sharpness below which a face counts as blurred: a Gaussian of SD 3 % of its width."""
SMALL_BELOW_PX: Final = 24.0
"""px; a narrower face is too small to read."""
CUT_BELOW: Final = 0.9
"""Share of the face in the picture below which it counts as cut by the edge."""


def _reason(
    inside: float, light: float, sharpness: float, width_px: float, low_light: float
) -> Reason:
    if inside < CUT_BELOW:
        return Reason.OUT_OF_FRAME
    if light < low_light:
        return Reason.LOW_LIGHT
    if sharpness < BLURRED_BELOW or width_px < SMALL_BELOW_PX:
        return Reason.BLURRED
    return Reason.OK
