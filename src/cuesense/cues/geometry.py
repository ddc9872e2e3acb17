"""Pure maths on face landmarks: pose, gaze, shape, mouth, brows, quality.

Landmarks are those of MediaPipe's face mesh, (..., 478, 3): x and y in [0, 1] of the picture, z in
picture widths, negative towards the camera. `aspect` is the picture's width / height. Everything
here is taken in 3-D and in units of the distance between the eyes, so that neither the size of
the face nor a turn of the head changes it (beyond the landmark model's own error).

The head frame is right-handed: x to the picture's right, y up, z towards the camera. Signs of
angles: see `cuesense.types`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from cuesense.schema import BLENDSHAPES
from cuesense.types import F32, F64

_RIGID: Final = np.array(
    # landmark, its mirror image, x, y, z (cm), weight
    [
        (4, 4, 0.0, -0.463, 7.587, 0.0709),
        (6, 6, 0.0, 2.473, 5.789, 0.0321),
        (10, 10, 0.0, 8.262, 4.482, 0.0084),
        (33, 263, -4.446, 2.664, 3.173, 0.0587),
        (54, 284, -6.279, 6.615, 1.426, 0.0077),
        (67, 297, -3.524, 8.006, 3.729, 0.0091),
        (117, 346, -5.259, 0.946, 2.974, 0.0098),
        (119, 348, -3.301, 0.862, 3.873, 0.0146),
        (121, 350, -1.821, 1.468, 4.224, 0.0186),
        (127, 356, -7.743, 2.365, -2.005, 0.0052),
        (129, 358, -1.786, -0.978, 4.850, 0.1206),
        (132, 361, -7.271, -2.891, -2.252, 0.0056),
        (133, 362, -1.856, 2.585, 3.758, 0.0533),
        (136, 365, -5.085, -7.179, 0.715, 0.0669),
        (143, 372, -6.408, 2.236, 1.561, 0.0148),
        (147, 376, -6.235, -1.944, 1.664, 0.0143),
        (198, 420, -1.247, 0.230, 5.681, 0.0255),
        (205, 425, -3.833, -1.537, 4.138, 0.0473),
    ]
)
"""The points that move least with expression, in the canonical face model that comes with
MediaPipe's face geometry module (Apache-2.0), with that module's weights."""

_SIDES: Final = _RIGID[_RIGID[:, 0] != _RIGID[:, 1]]
RIGID_POINTS: Final = np.r_[_RIGID[:, 0], _SIDES[:, 1]].astype(int)
_MODEL: Final = np.r_[_RIGID[:, 2:5], _SIDES[:, 2:5] * (-1, 1, 1)]
_WEIGHT: Final = np.r_[_RIGID[:, 5], _SIDES[:, 5]] / (_RIGID[:, 5].sum() + _SIDES[:, 5].sum())

# The person's right eye is on the left of the picture.
RIGHT_EYE, LEFT_EYE = (33, 133), (263, 362)  # outer corner, inner corner
RIGHT_IRIS, LEFT_IRIS = 468, 473
_EYES: Final = [*RIGHT_EYE, *LEFT_EYE]

EYE_TURN_RAD = 0.6
"""rad of eye-in-head rotation at which an eyeLook blendshape is 1 (about 35 degrees)."""
EYE_WIDTHS_PER_RADIUS = 2.3
"""Eye width (corner to corner, 28 mm) over the eyeball's radius (12 mm)."""

_LOOK: Final = {
    name: BLENDSHAPES.index("eyeLook" + name)
    for name in (
        "OutLeft",
        "InLeft",
        "OutRight",
        "InRight",
        "UpLeft",
        "UpRight",
        "DownLeft",
        "DownRight",
    )
}


def space(landmarks: npt.NDArray[np.floating], aspect: float) -> F64:
    """Return landmarks in a right-handed space in picture widths: x right, y up, z to the camera.

    Parameters
    ----------
    landmarks
        (..., n, 3).
    aspect
        width / height of the picture.

    Returns
    -------
    ndarray
        (..., n, 3), picture widths.
    """
    points: F64 = landmarks * np.array([1.0, -1.0 / aspect, -1.0])
    return points


def box(landmarks: npt.NDArray[np.floating]) -> F64:
    """Return x, y, width, height of the face's outline, (4,), in the units of x and y."""
    points = np.asarray(landmarks[:468, :2], float)
    low = points.min(axis=0)
    return np.concatenate([low, points.max(axis=0) - low])


def rotation(landmarks: npt.NDArray[np.floating], aspect: float) -> F64:
    """Return the head's rotation matrix (3, 3): columns are the head's x, y, z in picture space.

    The weighted least-squares rotation between the canonical face and the landmarks under weak
    perspective (Kabsch 1976, 10.1107/S0567739476001873). The landmarker's own transformation
    matrix is not used: it assumes a camera with a 63-degree view centred on whatever picture it
    was given, so on a crop its angles depend on where the face lies in the crop (measured: 0.11
    rad of yaw over +-20 % of the crop, against 0.01 here), and it gave 34 degrees for a photograph
    taken at 45, against 43 here.

    Raises
    ------
    numpy.linalg.LinAlgError
        if landmarks are NaN.
    """
    points = space(landmarks[RIGID_POINTS], aspect)
    points -= _WEIGHT @ points
    model = _MODEL - _WEIGHT @ _MODEL
    u, _, vt = np.linalg.svd((points * _WEIGHT[:, None]).T @ model)
    u[:, 2] *= np.linalg.det(u @ vt)  # a rotation, not a reflection
    return np.asarray(u @ vt)


def angles(matrix: F64) -> F64:
    """Return pitch, yaw, roll (3,), rad, of a rotation matrix.

    With f the head's forward axis: yaw = atan2(f_x, f_z), pitch = asin(f_y); roll is what remains
    about f, positive clockwise as seen in the picture. Inverse of `matrix_of`.
    """
    forward = matrix[:, 2]
    pitch, yaw = np.arcsin(np.clip(forward[1], -1, 1)), np.arctan2(forward[0], forward[2])
    rest = matrix_of(np.array([pitch, yaw, 0.0])).T @ matrix
    return np.array([pitch, yaw, -np.arctan2(rest[1, 0], rest[0, 0])])


def matrix_of(pose: F64) -> F64:
    """Return the rotation matrix (3, 3) of pitch, yaw, roll in rad: R_y(yaw) R_x(pitch) R_z(roll).

    >>> matrix_of(np.array([0.0, np.pi / 2, 0.0]))[:, 2].round(6) + 0.0  # nose to the right
    array([1., 0., 0.])
    """
    (sp, sy, sr), (cp, cy, cr) = np.sin(pose), np.cos(pose)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
    about_z = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def pose(landmarks: npt.NDArray[np.floating], aspect: float) -> F64:
    """Return head pitch, yaw, roll (3,), rad, relative to the line from camera to face."""
    return angles(rotation(landmarks, aspect))


def shape(landmarks: npt.NDArray[np.floating], aspect: float, pose: F64) -> F64:
    """Return the face without the head's place, size and pose.

    Parameters
    ----------
    landmarks
        (478, 3).
    aspect
        width / height of the picture.
    pose
        (3,) pitch, yaw, roll in rad.

    Returns
    -------
    ndarray
        (468, 3): origin midway between the eyes, x to the picture's right along the head, y up,
        z out of the face, in units of the distance between the eyes' centres.
    """
    points = space(landmarks[:468], aspect) @ matrix_of(pose)
    right, left = points[list(RIGHT_EYE)].mean(axis=0), points[list(LEFT_EYE)].mean(axis=0)
    return np.asarray((points - (right + left) / 2) / np.linalg.norm(left - right))


def eye_distance(landmarks: npt.NDArray[np.floating], aspect: float) -> float:
    """Return the 3-D distance between the centres of the eyes, in picture widths."""
    corners = space(landmarks[_EYES], aspect)
    return float(np.linalg.norm(corners[:2].mean(axis=0) - corners[2:].mean(axis=0)))


def mouth_opening(landmarks: npt.NDArray[np.floating], aspect: float) -> float:
    """Return the distance between the inner lips over the distance between the eyes."""
    lips = space(landmarks[[13, 14]], aspect)
    return float(np.linalg.norm(lips[0] - lips[1])) / eye_distance(landmarks, aspect)


def smile(shape: F64) -> float:
    """Return the mean height of the lip corners above the base of the nose, in eye distances.

    A neutral face is not 0 (the corners are below); only changes mean something. Not above the
    lips, which speech opens; and without the mouth's width, which grows in grimaces as well.
    """
    return float((shape[61, 1] + shape[291, 1]) / 2 - shape[2, 1])


def brow_height(shape: F64) -> float:
    """Return the mean height of the inner brows above the eye line, in eye distances."""
    return float(shape[[55, 107, 285, 336], 1].mean())


def brow_gap(shape: F64) -> float:
    """Return the distance between the inner ends of the brows, in eye distances."""
    return float(shape[285, 0] - shape[55, 0])


def face_motion(now: F64, before: F64, dt: float) -> float:
    """Return the RMS speed of the upper face's shape over `dt` s, eye distances per s.

    Only points above the base of the nose count: below it speech moves the face, so that talking
    would pass for agitation and listening for calm.
    """
    upper = before[:, 1] > before[2, 1]
    return float(np.sqrt(((now - before)[upper] ** 2).sum(axis=1).mean())) / dt


def eye_closure(blendshapes: npt.NDArray[np.floating]) -> float:
    """Return how closed the eyes are, [0, 1]: the mean of both blink blendshapes."""
    blinks = [BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("eyeBlinkRight")]
    return float(np.mean(blendshapes[blinks]))


def gaze(landmarks: npt.NDArray[np.floating], aspect: float, blendshapes: F32, pose: F64) -> F64:
    """Return gaze yaw and pitch (2,), rad, of head and eyes together.

    Eye in head, sideways: the mean of two readings. (1) iris: asin(2.3 d), d the iris centre's
    offset from the middle of the eye's corners along the head's x axis, in eye widths, mean of both
    eyes (eye width 28 mm, eyeball radius 12 mm). (2) blendshapes: 0.6 rad times
    (OutLeft - InLeft + InRight - OutRight) / 2. Up and down: blendshapes only,
    0.6 rad times the mean of Up - Down, since the lids move with the eye and hide the iris. The
    eyes' direction is then turned by the head's rotation.
    """
    head = matrix_of(pose)
    offsets = []
    for (outer, inner), iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        a, b, centre = space(landmarks[[outer, inner, iris]], aspect) @ head
        offsets.append((centre[0] - (a[0] + b[0]) / 2) / np.linalg.norm(a - b))
    iris_yaw = np.arcsin(np.clip(EYE_WIDTHS_PER_RADIUS * np.mean(offsets), -0.9, 0.9))
    look = {name: float(blendshapes[i]) for name, i in _LOOK.items()}
    sideways = look["OutLeft"] - look["InLeft"] + look["InRight"] - look["OutRight"]
    upwards = look["UpLeft"] - look["DownLeft"] + look["UpRight"] - look["DownRight"]
    yaw = (iris_yaw + EYE_TURN_RAD * sideways / 2) / 2
    pitch = EYE_TURN_RAD * upwards / 2
    eyes = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    x, y, z = head @ eyes
    return np.array([np.arctan2(x, z), np.arcsin(np.clip(y, -1, 1))])


def _ramp(x: float, low: float, high: float) -> float:
    return float(np.clip((x - low) / (high - low), 0.0, 1.0))


def inside(box: F64) -> float:
    """Return the share of a box (x, y, w, h in [0, 1] of the picture) that lies in the picture."""
    x, y, w, h = box
    seen_w = min(x + w, 1.0) - max(x, 0.0)
    seen_h = min(y + h, 1.0) - max(y, 0.0)
    return float(max(seen_w, 0.0) * max(seen_h, 0.0) / (w * h))


def quality(
    width_px: float, sharpness: float, light: float, inside: float, pose: F64, low_light: float
) -> float:
    """Return how far a face can be trusted, [0, 1]: the product of five ramps.

    Parameters
    ----------
    width_px
        width of the face; 0 at 20 px, 1 from 60 px.
    sharpness
        see `face_tracker.light_and_sharpness`; 0 at 0.04, 1 from 0.12.
    light
        mean grey level 0-255; 0 at half of `low_light`, 1 from 1.5 times it.
    inside
        share of the face in the picture; 0 at 0.6, 1 from 0.98.
    pose
        (3,) rad; the angle between nose and camera: 1 up to 0.6 rad, 0 from 1.3.
    low_light
        grey level below which it is too dark.
    """
    away = float(np.arccos(np.clip(np.cos(pose[0]) * np.cos(pose[1]), -1, 1)))
    return (
        _ramp(width_px, 20, 60)
        * _ramp(sharpness, 0.04, 0.12)
        * _ramp(light, 0.5 * low_light, 1.5 * low_light)
        * _ramp(inside, 0.6, 0.98)
        * _ramp(-away, -1.3, -0.6)
    )


# Pairs of points whose distance tells people apart and moves little with expression.
_PAIRS: Final = np.array(
    [
        (33, 133),
        (263, 362),
        (133, 362),
        (33, 263),
        (168, 4),
        (168, 2),
        (4, 2),
        (129, 358),
        (98, 327),
        (127, 356),
        (132, 361),
        (136, 365),
        (10, 168),
        (234, 454),
        (33, 2),
        (263, 2),
        (127, 33),
        (356, 263),
        (10, 4),
        (4, 132),
        (4, 361),
    ]
)


def signature(shape: F64) -> F64:
    """Return the face's geometry (21,): log distances between stable points, in eye distances."""
    return np.asarray(np.log(np.linalg.norm(shape[_PAIRS[:, 0]] - shape[_PAIRS[:, 1]], axis=1)))
