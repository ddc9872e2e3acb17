"""Pictures in worse light, out of focus, with noise or with glasses drawn on, by known amounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cuesense.types import F64, U8
from validation.faces import Look

EYES = ((33, 133), (362, 263))
"""Corners of each eye."""
FRAME = (25, 20, 20)
"""RGB of the glasses' frame."""

Change = Callable[[U8, Look], U8]
"""Takes a picture and its undisturbed face."""


def noisy(sd: float, share: float = 1.0) -> Change:
    """Return a picture at a share of its light, with noise of `sd` grey levels."""

    def change(image: U8, _: Look) -> U8:
        grain = np.random.default_rng(0).normal(0.0, sd, image.shape[:2])
        return _grey(share * image + grain[..., None])

    return change


def pale(contrast: float) -> Change:
    """Return a picture of less contrast, as in fog or against the light."""
    return lambda image, _: _grey(128.0 + contrast * (image - 128.0))


def one_sided(least: float) -> Change:
    """Return a picture lit from one side: the far side of the face has `least` of the light."""

    def change(image: U8, look: Look) -> U8:
        width = image.shape[1]
        left, face = look.cue.box[0] * width, look.cue.box[2] * width
        light = np.interp(np.arange(width), [left, left + face], [1.0, least])
        return _grey(image * light[None, :, None])

    return change


def blurred(share: float) -> Change:
    """Return a picture out of focus: a Gaussian, its SD a share of the face's width."""

    def change(image: U8, look: Look) -> U8:
        sd = share * look.cue.box[2] * image.shape[1]
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sd), np.uint8)

    return change


def glasses(thick: float) -> Change:
    """Return a picture with a dark frame around both eyes, `thick` in distances of the eyes."""

    def change(image: U8, look: Look) -> U8:
        height, width = image.shape[:2]
        points = look.cue.landmarks[:, :2] * (width, height)
        centres = [points[list(corners)].mean(axis=0) for corners in EYES]
        apart = centres[1] - centres[0]
        unit = float(np.linalg.norm(apart))
        line = max(1, round(thick * unit))
        out = image.copy()
        for centre in centres:
            axes = (round(0.42 * unit), round(0.33 * unit))
            place = _pixel(centre + np.array([0.0, 0.06 * unit]))
            cv2.ellipse(out, place, axes, 0, 0, 360, FRAME, line, cv2.LINE_AA)
        bridge = [_pixel(c + s * 0.42 * apart) for c, s in zip(centres, (1, -1), strict=True)]
        cv2.line(out, bridge[0], bridge[1], FRAME, line, cv2.LINE_AA)
        return out

    return change


CHANGES: Final[dict[str, Change]] = {
    "noise, SD 8 of 255": noisy(8.0),
    "40 % of the light, and noise": noisy(3.0, 0.4),
    "25 % of the light, and noise": noisy(3.0, 0.25),
    "15 % of the contrast": pale(0.15),
    "lit from one side, 10 % on the other": one_sided(0.1),
    "blur, SD 1 % of the face's width": blurred(0.01),
    "blur, 2 %": blurred(0.02),
    "blur, 3 %": blurred(0.03),
    "glasses, thin frame": glasses(0.04),
    "glasses, thick frame": glasses(0.09),
}


def _grey(levels: npt.NDArray[np.floating]) -> U8:
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def _pixel(place: F64) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))
