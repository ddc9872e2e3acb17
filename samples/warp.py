"""Displacement fields on one person's half of the frame, and warps by them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

WIDTH, HEIGHT = 640, 720  # px
NO_MAP = np.empty((0, 0), np.float32)  # OpenCV: both coordinates are in the first map


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


def pull(image: Array, field: Array) -> Array:
    """Warp an image: output at p shows the input at p - field(p)."""
    where = grid() - field
    return np.asarray(
        cv2.remap(image, where, NO_MAP, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    )


def push(points: Array, field: Array) -> Array:
    """Move points along with an image warped by `pull` (a fixed point in 6 steps)."""
    moved = points.copy()
    for _ in range(6):
        x, y = (moved[:, k].astype(np.float32)[:, None] for k in (0, 1))
        step = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = points + step[:, 0, :]
    return moved
