"""Displacement fields on one person's half of the frame, and warps by them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

WIDTH, HEIGHT = 640, 720  # px


def bump(
    centre: Array, sigma_x: float, sigma_y: float, shift: tuple[float, float], step: int = 1
) -> Array:
    """Return a (H, W, 2) Gaussian field that moves `centre` by `shift` px (x, y)."""
    x, y = np.moveaxis(grid(step), 2, 0)
    weight = np.exp(-0.5 * (((x - centre[0]) / sigma_x) ** 2 + ((y - centre[1]) / sigma_y) ** 2))
    return np.asarray(weight[..., None] * np.asarray(shift, np.float32), np.float32)


def grid(step: int = 1) -> Array:
    """Return the canvas coordinates (x, y) of the middles of cells of `step` px."""
    y, x = np.mgrid[0:HEIGHT:step, 0:WIDTH:step].astype(np.float32) + (step - 1) / 2
    return np.dstack([x, y])


def look(
    image: Array,
    where: Array,
    interpolation: int = cv2.INTER_LINEAR,
    border: int = cv2.BORDER_REPLICATE,
) -> Array:
    """Return what an image shows at (h, w, 2) coordinates (x, y)."""
    # Two maps: OpenCV 5 takes an empty second one without a word and returns rubbish.
    x, y = where[..., 0].astype(np.float32), where[..., 1].astype(np.float32)
    return np.asarray(cv2.remap(image, x, y, interpolation, borderMode=border))


def pull(image: Array, field: Array) -> Array:
    """Warp an image: output at p shows the input at p - field(p)."""
    return look(image, grid() - field, cv2.INTER_CUBIC)


def push(points: Array, field: Array) -> Array:
    """Move points along with an image warped by `pull` (a fixed point in 6 steps)."""
    moved = points.copy()
    for _ in range(6):
        moved = points + look(field, moved[:, None])[:, 0]
    return moved
