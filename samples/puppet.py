"""A talking head: a portrait moved by expression, gaze, mouth and head pose.

Three maps are chained, from the frame back to the portrait: head pose (a depth map under
rotation), expression (a sum of coefficient times smooth field) and, in the portrait's own
coordinates, the parts that open and shut (eyes and lips). The first two are smooth, so they
are worked out on a coarse grid; the picture is resampled once. Everything is a function of
the coefficients alone: same coefficients, same frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from portrait import Portrait
from warp import HEIGHT, WIDTH, Array, bump, grid, look

# What `Puppet.render` takes; everything is 0 at rest.
# [0, 1]: smile, frown, brow_lower, brow_inner, blink, mouth; [-1, 1]: eye_open;
# rad: head_pitch (+ chin up), head_yaw (+ nose to the image's right), head_roll (+ clockwise),
# gaze_yaw (+ to the image's right), gaze_pitch (+ up), both relative to the head;
# px: sway_x (+ right), sway_y (+ down).
COEFFICIENTS = (
    "smile", "frown", "brow_lower", "brow_inner", "blink", "mouth", "eye_open", "head_pitch_rad",
    "head_yaw_rad", "head_roll_rad", "gaze_yaw_rad", "gaze_pitch_rad", "sway_x", "sway_y",
)  # fmt: skip

_STEP = 4  # cell of the coarse grid, px
_MOUTH_PX = 24.0  # distance of the lips at mouth = 1
_BALL_PX = 17.0  # radius of the eyeball: iris shift per sine of the gaze angle
_LID_PX = 15.0  # skin above the eye that a blink stretches
_CLOSED, _LIP_FADE = 1.28, 24.0
# Head window: nothing of the head is ever drawn outside it.
_TOP, _BOTTOM, _LEFT, _RIGHT = 24, 496, 96, 544

_EYES = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133),
     (468, 469, 470, 471, 472)),
    ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263),
     (473, 474, 475, 476, 477)),
)  # fmt: skip


class _Eye(NamedTuple):
    """An eye's window in the portrait and its lid lines, one value per column."""

    top: int
    left: int
    x: Array
    y: Array
    upper: Array
    lower: Array
    iris: Array
    radius: float


def _expressions(mesh: Array) -> dict[str, Array]:
    """Return a displacement field (coarse grid, px) per expression at full strength."""

    def pair(left: int, right: int, sx: float, sy: float, dx: float, dy: float) -> Array:
        return bump(mesh[left], sx, sy, (dx, dy), _STEP) + bump(
            mesh[right], sx, sy, (-dx, dy), _STEP
        )

    brow_l, brow_r = (mesh[[70, 63, 105, 66, 107]], mesh[[300, 293, 334, 296, 336]])
    middle_l, middle_r = brow_l.mean(0), brow_r.mean(0)
    whole = bump(middle_l, 24, 11, (1.5, 7.0), _STEP) + bump(middle_r, 24, 11, (-1.5, 7.0), _STEP)
    return {
        "smile": pair(61, 291, 21, 17, -12.0, -12.0)
        + pair(50, 280, 24, 20, 0.0, -5.0)
        + bump(mesh[0], 14, 9, (0.0, 2.0), _STEP),
        "frown": pair(61, 291, 17, 15, 2.0, 13.0) + bump(mesh[17], 15, 11, (0.0, -4.0), _STEP),
        "brow_lower": whole + pair(107, 336, 13, 11, 3.0, 3.0),
        "brow_inner": pair(107, 336, 14, 13, 1.0, -11.0),
        "jaw": bump(mesh[152], 58, 30, (0.0, 21.0), _STEP) + pair(61, 291, 20, 16, 5.0, 3.0),
    }


def _depth(mesh: Array) -> Array:
    """Return how far each cell stands out towards the camera, px (nose > 0 > ears)."""
    from scipy.interpolate import RBFInterpolator

    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    hair = np.column_stack([320 + 165 * np.cos(turn), 225 + 150 * np.sin(turn)])
    hair = hair[hair[:, 1] < 300]
    crown = np.array([(250.0, 150.0), (320.0, 140.0), (390.0, 150.0)])
    rim = np.array([(320.0, 470.0), (230.0, 450.0), (410.0, 450.0)])
    points = np.vstack([mesh[:468, :2], hair, crown, rim])
    values = np.concatenate(
        [-mesh[:468, 2], np.full(len(hair), -90.0), np.full(3, 0.0), np.full(3, -40.0)]
    )
    cells = grid(2 * _STEP).reshape(-1, 2)
    fit = RBFInterpolator(points, values, smoothing=60.0, kernel="linear", neighbors=60)
    depth = fit(cells).reshape(HEIGHT // (2 * _STEP), -1).astype(np.float32)
    # The mesh is flatter than a head: with this the pose read back has about the set size.
    depth = 1.3 * cv2.GaussianBlur(np.clip(depth, -95, 60), (0, 0), 1.2)
    return np.asarray(cv2.resize(depth, (WIDTH // _STEP, HEIGHT // _STEP)))


class Puppet:
    """Draws one person.

    Parameters
    ----------
    portrait : Portrait
        The person at rest.
    """

    def __init__(self, portrait: Portrait) -> None:
        mesh = portrait.landmarks
        self._portrait = portrait
        self._fields = _expressions(mesh)
        self._cells = grid(_STEP)
        self._depth = _depth(mesh)
        # The neck turns less than the head, and its base stays in the collar.
        chin = float(mesh[152, 1])
        self._hold = np.clip((chin + 46 - self._cells[..., 1]) / 50.0, 0.0, 1.0)[..., None]
        self._pivot = np.array([(mesh[234, 0] + mesh[454, 0]) / 2, (mesh[1, 1] + chin) / 2])
        self._pivot_depth = -95.0
        self._eyes = [_eye(mesh, *indices) for indices in _EYES]
        seam = portrait.seam[np.argsort(portrait.seam[:, 0])]
        self._lips_left = int(seam[0, 0])
        columns = np.arange(self._lips_left, int(seam[-1, 0]) + 1, dtype=np.float32)
        self._seam = np.interp(columns, seam[:, 0], seam[:, 1]).astype(np.float32)
        across = np.linspace(-1, 1, columns.size, dtype=np.float32)
        self._across, self._arch = across, (1 - across**2) ** 0.7
        self._lips_top = int(self._seam.min()) - 34
        rows = np.arange(self._lips_top, int(self._seam.max()) + 76, dtype=np.float32)
        self._lips_x, self._lips_y = np.meshgrid(columns, rows)

    def render(self, now: Mapping[str, float]) -> Array:
        """Draw a frame.

        Parameters
        ----------
        now : mapping
            Any of `COEFFICIENTS`; what is missing is at rest.

        Returns
        -------
        (720, 640, 3) uint8, RGB
        """
        get = {name: float(now.get(name, 0.0)) for name in COEFFICIENTS}
        head = self._portrait.head.copy()
        for eye in self._eyes:
            self._draw_eye(head, eye, get)
        self._draw_lips(head, get["mouth"])
        # In quarters of a pixel, as video codecs move blocks.
        sway = np.round(np.array([get["sway_x"], get["sway_y"]], np.float32) * 4) / 4

        out = self._portrait.wall.copy()
        shift = np.array([[1, 0, sway[0]], [0, 1, sway[1]]], np.float32)
        # The torso's last rows are repeated: a rise must not show what is below the frame.
        torso = cv2.warpAffine(self._portrait.torso[330:], shift, (WIDTH, HEIGHT - 330),
                               borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
        _over(out[330:], torso)
        where = self._trace(get, sway)[
            _TOP // _STEP : _BOTTOM // _STEP, _LEFT // _STEP : _RIGHT // _STEP
        ]
        where = cv2.resize(where, (_RIGHT - _LEFT, _BOTTOM - _TOP), interpolation=cv2.INTER_LINEAR)
        drawn = look(head, where, border=cv2.BORDER_CONSTANT)
        _over(out[_TOP:_BOTTOM, _LEFT:_RIGHT], drawn)
        return out

    def _trace(self, get: Mapping[str, float], sway: Array) -> Array:
        """Return, per coarse cell of the frame, the place in the portrait it shows."""
        moved = self._turn(get["head_pitch_rad"], get["head_yaw_rad"], get["head_roll_rad"])
        moved += sway
        back = self._cells - moved
        for _ in range(4):
            back = self._cells - _sample(moved, back)
        field = get["mouth"] * self._fields["jaw"]
        for name in ("smile", "frown", "brow_lower", "brow_inner"):
            field = field + get[name] * self._fields[name]
        return back - _sample(field, back)

    def _turn(self, pitch: float, yaw: float, roll: float) -> Array:
        """Return each cell's displacement (px) under a head rotation, seen from far away."""
        x, y = np.moveaxis(self._cells - self._pivot.astype(np.float32), 2, 0)
        z = self._depth - self._pivot_depth
        x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
        y = y * np.cos(pitch) - z * np.sin(pitch)
        # The neck ends below the pivot, and a tilting head bends there.
        y = y - 60
        x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
        turned = np.dstack([x, y + 60]).astype(np.float32) + self._pivot.astype(np.float32)
        return np.asarray((turned - self._cells) * self._hold, np.float32)

    def _draw_eye(self, head: Array, eye: _Eye, get: Mapping[str, float]) -> None:
        """Draw the eyeball where the lids leave it open, and the lids."""
        height = eye.lower - eye.upper
        # Lids follow the gaze up and down and narrow with a smile.
        shut = -0.28 * get["eye_open"] - 0.45 * get["gaze_pitch_rad"] + 0.10 * get["smile"]
        shut = min(max(shut, -0.45), 0.6) * (1 - get["blink"]) + _CLOSED * get["blink"]
        lid = eye.upper + shut * height
        top = eye.upper - _LID_PX
        share = np.clip((eye.y - top) / (lid - top), 0, 1)
        # The lid's own edge is a little above the mesh's line, which runs through the lashes.
        from_y = np.where(eye.y < lid, top + share * (_LID_PX - 2.5 * max(shut, 0.0)), eye.y)
        from_y = np.where(eye.y < top, eye.y, from_y).astype(np.float32)
        skin = cv2.remap(head, eye.x, from_y, cv2.INTER_LINEAR).astype(np.float32)

        centre_x = eye.iris[0] + _BALL_PX * np.sin(get["gaze_yaw_rad"])
        centre_y = eye.iris[1] - 0.9 * _BALL_PX * np.sin(get["gaze_pitch_rad"])
        far = np.hypot(eye.x - centre_x, eye.y - centre_y) / eye.radius
        below = np.clip((eye.y - lid) / np.maximum(height, 1.0), 0, 1)
        side = np.clip(np.abs(eye.x - eye.iris[0]) / (2.6 * eye.radius), 0, 1)
        white = np.array([206.0, 196.0, 190.0]) * (0.62 + 0.38 * below - 0.22 * side**2)[..., None]
        disc = self._portrait.iris * (0.75 + 0.5 * below[..., None])
        pupil, rim = np.clip((0.5 - far) * 6, 0, 1), np.clip((far - 0.8) * 5, 0, 1)
        disc = disc * (1 - 0.75 * pupil - 0.3 * np.minimum(rim, 1))[..., None]
        ball = white + np.clip((1.0 - far) * eye.radius + 0.5, 0, 1)[..., None] * (disc - white)
        glint = np.exp(-(np.hypot(eye.x - centre_x - 1.6, eye.y - centre_y + 1.8) ** 2) / 1.6)
        ball = ball + glint[..., None] * (245.0 - ball)
        seen = np.clip(eye.y - lid + 0.2, 0, 1) * np.clip(eye.lower - eye.y + 0.2, 0, 1)
        seen = (seen * (np.maximum(eye.lower - lid, 0) > 0.6))[..., None]
        skin[..., :3] += seen * (ball - skin[..., :3])
        lash = (
            np.exp(-(((eye.y - lid + 0.8) / 1.3) ** 2)) * np.clip(height / 4, 0, 1) * max(shut, 0.0)
        )
        skin[..., :3] *= 1 - 0.6 * lash[..., None]
        window = (
            slice(eye.top, eye.top + skin.shape[0]),
            slice(eye.left, eye.left + skin.shape[1]),
        )
        head[window] = np.clip(skin, 0, 255)

    def _draw_lips(self, head: Array, opening: float) -> None:
        """Part the lips along their seam and draw teeth and the dark behind."""
        gap = _MOUTH_PX * opening * self._arch
        if float(gap.max(initial=0.0)) < 0.4:
            return
        x, y, seam = self._lips_x, self._lips_y, self._seam
        up, down = 0.16 * gap, 0.84 * gap
        low, high = y - down, y + up
        for _ in range(4):  # undo a shift that fades with the distance from the seam
            low = y - down * np.exp(-(((low - seam) / _LIP_FADE) ** 2) / 2)
            high = y + up * np.exp(-(((high - seam) / _LIP_FADE) ** 2) / 2)
        from_y = np.where(y > seam + down, low, np.where(y < seam - up, high, seam)).astype(
            np.float32
        )
        skin = cv2.remap(head, x, from_y, cv2.INTER_LINEAR).astype(np.float32)
        inside = np.clip(y - (seam - up) + 0.5, 0, 1) * np.clip(seam + down - y + 0.5, 0, 1)
        inside = inside * np.clip(gap, 0, 1)
        depth = np.clip((y - (seam - up)) / _MOUTH_PX, 0, 1)
        dark = np.array([58.0, 22.0, 22.0]) + depth[..., None] * np.array([52.0, 20.0, 20.0])
        shade = (0.92 - 0.45 * self._across**2)[None, :, None]
        teeth = np.clip(seam + 3.5 - y, 0, 1) * np.clip(1.3 - 1.5 * np.abs(self._across), 0, 1)
        cavity = dark + teeth[..., None] * (self._portrait.teeth * shade - dark)
        skin[..., :3] += inside[..., None] * (cavity - skin[..., :3])
        rows = slice(self._lips_top, self._lips_top + y.shape[0])
        head[rows, self._lips_left : self._lips_left + y.shape[1]] = np.clip(skin, 0, 255)


def _eye(
    mesh: Array, upper: tuple[int, ...], lower: tuple[int, ...], iris: tuple[int, ...]
) -> _Eye:
    """Measure an eye of the mesh."""
    left, right = int(mesh[upper[0], 0]), int(mesh[upper[-1], 0]) + 1
    top = int(mesh[list(upper), 1].min() - _LID_PX - 8)
    bottom = int(mesh[list(lower), 1].max()) + 8
    x, y = np.meshgrid(
        np.arange(left, right + 1, dtype=np.float32), np.arange(top, bottom, dtype=np.float32)
    )
    line_up = np.interp(x[0], mesh[list(upper), 0], mesh[list(upper), 1]).astype(np.float32)
    line_low = np.interp(x[0], mesh[list(lower), 0], mesh[list(lower), 1]).astype(np.float32)
    ring = mesh[list(iris[1:]), :2]
    radius = float(np.hypot(*(ring - mesh[iris[0], :2]).T).mean())
    return _Eye(top, left, x, y, line_up, line_low, mesh[iris[0], :2], radius)


def _sample(field: Array, where: Array) -> Array:
    """Look a coarse field up at canvas coordinates."""
    return look(field, (where - (_STEP - 1) / 2) / _STEP)


def _over(below: Array, layer: Array) -> None:
    """Put a premultiplied RGBA layer over an RGB picture, in place."""
    clear = cv2.cvtColor(255 - layer[..., 3], cv2.COLOR_GRAY2RGB)
    colour = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB)
    below[:] = cv2.add(cv2.multiply(below, clear, scale=1 / 255.0), colour)
