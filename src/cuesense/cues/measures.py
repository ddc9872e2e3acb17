"""The measures of a face's expression: distances that facial actions change.

Each is a height, width or depth between points of the face without the head's pose
(`geometry.shape`). What lies above the mouth is measured from the inner corners of the eyes, which
hang on bone: the outer corners sink when the eyes close, and would raise everything else. What
belongs to the mouth is measured from the base of the nose.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from cuesense.schema import MEASURES
from cuesense.types import F64

_EYES, _NOSE = (133, 362), (2,)
_X, _Y, _Z = range(3)
_TABLE: Final[dict[str, tuple[tuple[int, ...], tuple[int, ...], int]]] = {
    # name: points, points from which they are measured, axis
    "lip_corners": ((61, 291), _NOSE, _Y),
    "mouth_width": ((291,), (61,), _X),
    "lip_corners_depth": ((61, 291), _NOSE, _Z),
    "brows_inner": ((55, 107, 285, 336), _EYES, _Y),
    "brows_middle": ((52, 105, 282, 334), _EYES, _Y),
    "brows_outer": ((46, 70, 276, 300), _EYES, _Y),
    "brow_gap": ((285,), (55,), _X),
    "upper_lids": ((158, 159, 385, 386), _EYES, _Y),
    "lower_lids": ((145, 153, 374, 380), _EYES, _Y),
    "cheeks": ((50, 101, 205, 280, 330, 425), _EYES, _Y),
    "nose_wings": ((98, 129, 327, 358), _EYES, _Y),
    "nose_width": ((358,), (129,), _X),
    "upper_lip": ((0,), _NOSE, _Y),
    "upper_lip_red": ((0,), (13,), _Y),
    "lower_lip_red": ((14,), (17,), _Y),
    "lips_apart": ((13,), (14,), _Y),
    "lower_lip": ((17,), _NOSE, _Y),
    "chin": ((152,), _NOSE, _Y),
    "chin_boss": ((17,), (199, 200), _Y),
    "lips_depth": ((0, 17), _NOSE, _Z),
    "mouth_tilt": ((291,), (61,), _Y),
    "mouth_shift": ((61, 291), _NOSE, _X),
}
_POINTS: Final = sorted({point for a, b, _ in _TABLE.values() for point in (*a, *b)})


def _matrix() -> F64:
    """Return the measures as linear functions of the points' coordinates, (n, 3 * points)."""
    matrix = np.zeros((len(MEASURES), len(_POINTS), 3))
    for row, name in zip(matrix, MEASURES, strict=True):
        points, origin, axis = _TABLE[name]
        for some, sign in ((points, 1.0), (origin, -1.0)):
            for point in some:
                row[_POINTS.index(point), axis] += sign / len(some)
    return matrix.reshape(len(MEASURES), -1)


_MATRIX: Final = _matrix()


def measures(shape: F64) -> F64:
    """Return the measures of one face.

    Parameters
    ----------
    shape
        (468, 3), of `geometry.shape`.

    Returns
    -------
    ndarray
        (n,) in the order of `schema.MEASURES`, in distances between the eyes.
    """
    return np.asarray(_MATRIX @ shape[_POINTS].ravel())
