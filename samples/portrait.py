"""Two neutral portraits out of one public-domain photograph.

The photograph is scikit-image's ``data.astronaut()`` (NASA, public domain). Person A is
the photograph itself at rest; person B is its mirror image with another head shape,
hair, skin, suit and wall. Each comes as two layers (head, torso) on a still background,
so that a head can turn over its collar without tearing it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from warp import HEIGHT, WIDTH, Array, bump, pull, push

# The canvas is the photograph enlarged twice (a face about 180 px wide), cut from here:
_ORIGIN = (65, -30)  # photograph px

# Hand-drawn outlines in photograph px: the person, the neck below the jaw, the bare skin.
_PERSON = [
    (150, 75), (162, 50), (190, 22), (230, 12), (270, 22), (298, 60), (300, 90), (290, 115),
    (272, 132), (262, 150), (262, 172), (285, 195), (305, 228), (345, 262), (360, 310),
    (362, 340), (20, 340), (32, 290), (50, 262), (105, 212), (112, 190), (125, 168),
    (150, 151), (182, 147), (180, 130), (158, 108),
]  # fmt: skip
_NECK = [(183, 146), (183, 152), (187, 178), (205, 188), (230, 191), (255, 183), (257, 165),
         (263, 146)]  # fmt: skip
_SKIN = [(172, 118), (180, 112), (180, 90), (190, 80), (212, 78), (240, 82), (262, 85),
         (272, 96), (271, 122), (277, 122), (275, 137), (263, 146), (257, 165), (255, 188),
         (187, 188), (183, 150), (180, 132), (173, 129)]  # fmt: skip
_COLLAR = [(178, 148), (205, 151), (235, 160), (264, 176), (268, 200), (178, 200)]
_UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]  # inner edge, left to right
_LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]


@dataclass(frozen=True, eq=False)
class Portrait:
    """A person at rest: closed lips, eyes ahead.

    Attributes
    ----------
    head, torso : (720, 640, 4) uint8
        Layers, premultiplied RGBA.
    wall : (720, 640, 3) uint8
        What is behind.
    landmarks : (478, 3) float64
        Face mesh in canvas px; z grows away from the camera.
    seam : (n, 2) float64
        The line where the closed lips meet, left to right, canvas px.
    teeth : (3,) float64
        Colour of the teeth, RGB.
    iris : (3,) float64
        Colour of the iris, RGB.
    """

    head: Array
    torso: Array
    wall: Array
    landmarks: Array
    seam: Array
    teeth: Array
    iris: Array


def model_path(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the face landmarker: given, else the models folder, else fetched."""
    if given is not None:
        return Path(given)
    folder = os.environ.get("CUESENSE_MODELS")
    if folder and (found := Path(folder) / "face_landmarker.task").is_file():
        return found
    from cuesense import models  # only needed when no file was given

    return Path(models.fetch("face_landmarker"))


def detect_landmarks(image: Array, model: str | os.PathLike[str]) -> Array:
    """Return the (478, 3) mesh of the one face in an RGB image, in px."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=Path(model).read_bytes())
    )
    rgb = np.ascontiguousarray(image[..., :3])
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        found = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=rgb))
    if not found.face_landmarks:
        raise RuntimeError("the face landmarker found no face in the portrait")
    height, width = rgb.shape[:2]
    # z is scaled like x, so both take the width.
    return np.array([(p.x * width, p.y * height, p.z * width) for p in found.face_landmarks[0]])


def _mask(polygon: list[tuple[int, int]], shape: tuple[int, ...]) -> Array:
    drawn = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(drawn, [np.array(polygon, np.int32)], 1)
    return drawn


def _cut_out(photo: Array) -> Array:
    """Separate the person from the studio: GrabCut around a hand-drawn outline."""
    drawn = _mask(_PERSON, photo.shape)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    label: Array = np.full(drawn.shape, cv2.GC_BGD, np.uint8)
    label[cv2.dilate(drawn, kernel) > 0] = cv2.GC_PR_BGD
    label[drawn > 0] = cv2.GC_PR_FGD
    label[cv2.erode(drawn, kernel) > 0] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    empty = np.zeros((1, 65))
    cv2.grabCut(photo, label, (0, 0, 1, 1), empty, empty.copy(), 4, cv2.GC_INIT_WITH_MASK)
    kept = np.isin(label, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return np.asarray(cv2.erode(kept, np.ones((2, 2), np.uint8)))


def _to_canvas(image: Array, interpolation: int) -> Array:
    """Cut and enlarge to the canvas; above the photograph its edge is repeated."""
    x, y = _ORIGIN
    cut = image[0 : y + HEIGHT // 2 + 1, x : x + WIDTH // 2]
    cut = cv2.copyMakeBorder(cut, -y, 0, 0, 0, cv2.BORDER_REPLICATE)[: HEIGHT // 2]
    return np.asarray(cv2.resize(cut, (WIDTH, HEIGHT), interpolation=interpolation))


def _soft(mask: Array, sigma: float) -> Array:
    canvas = _to_canvas(mask.astype(np.float32), cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), sigma))


def _close_lips(image: Array, mesh: Array) -> tuple[Array, Array]:
    """Shut a toothy smile: cut out what is between the lips, then lower the corners."""
    upper, lower = mesh[_UPPER_LIP, :2], mesh[_LOWER_LIP, :2]
    x = np.arange(WIDTH, dtype=np.float64)
    top = np.interp(x, upper[:, 0], upper[:, 1]) + 0.5
    bottom = np.interp(x, lower[:, 0], lower[:, 1]) - 0.5
    line = 0.55 * top + 0.45 * bottom
    y = np.arange(HEIGHT, dtype=np.float64)[:, None]
    above = (line - top)[None] * np.exp(-(((y - line) / 40.0) ** 2))
    below = (line - bottom)[None] * np.exp(-(((y - line) / 34.0) ** 2))
    field = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    field[..., 1] = np.where(y < line, above, below)
    shut = pull(image, field)
    # Only a face at rest leaves room for both a smile and a frown.
    left, right, chin = mesh[61], mesh[291], mesh[17]
    relax = sum(
        (
            bump(left, 24, 22, (10.5, 14.0)),
            bump(right, 24, 22, (-10.5, 14.0)),
            bump(chin, 26, 16, (0.0, -3.0)),
            bump((mesh[0] + mesh[2]) / 2, 26, 10, (0.0, -2.0)),
            bump(mesh[159], 16, 6, (0.0, -1.5)) + bump(mesh[386], 16, 6, (0.0, -1.5)),
        ),
        start=np.zeros_like(field),
    )
    seam = np.column_stack([x, line])[int(upper[0, 0]) : int(upper[-1, 0]) + 2]
    return pull(shut, relax), push(seam, relax)


def _other_shape(mesh: Array) -> Array:
    """Return the field that gives person B a broader jaw, flatter hair and a longer face."""
    brow, chin = mesh[9], mesh[152]
    jaw_l, jaw_r = mesh[172], mesh[397]
    return sum(
        (
            bump(jaw_l, 32, 44, (-11.0, 3.0)) + bump(jaw_r, 32, 44, (11.0, 3.0)),
            bump(chin, 46, 34, (0.0, 11.0)),
            bump(np.array([brow[0], 40.0]), 120, 46, (0.0, 14.0)),
            bump(np.array([mesh[234, 0] - 42, 200.0]), 46, 64, (24.0, 0.0)),
            bump(np.array([mesh[454, 0] + 42, 200.0]), 46, 64, (-24.0, 0.0)),
            bump(mesh[61], 22, 20, (5.0, 4.0)) + bump(mesh[291], 22, 20, (-5.0, 4.0)),
            bump(mesh[48], 12, 14, (-3.0, 0.0)) + bump(mesh[278], 12, 14, (3.0, 0.0)),
        ),
        start=np.zeros((HEIGHT, WIDTH, 2), np.float32),
    )


def _repaint(image: Array, hair: Array, skin: Array, torso: Array, mesh: Array) -> Array:
    """Give person B dark hair, another complexion, a shaved beard and a blue suit."""
    rgb = image.astype(np.float32)
    grey = rgb.mean(2, keepdims=True)
    dark = np.clip(grey * 0.42 - 6, 4, 150) * np.array([1.0, 0.9, 0.84], np.float32)
    rgb += hair[..., None] * (dark - rgb)
    rgb += skin[..., None] * (rgb * np.array([0.86, 0.80, 0.74], np.float32) - rgb)
    x, y = np.arange(WIDTH)[None, :], np.arange(HEIGHT)[:, None]
    # Stubble: along the jaw, on the chin and over the lip, not on the cheeks.
    ring = np.hypot((x - mesh[1, 0]) / 68.0, (y - mesh[1, 1]) / 60.0)
    lips = np.hypot((x - mesh[13, 0]) / 44.0, (y - mesh[14, 1]) / 13.0)
    lip = np.exp(-0.5 * (((x - mesh[0, 0]) / 26.0) ** 2 + ((y - mesh[0, 1] + 7) / 7.0) ** 2))
    beard = np.clip((ring - 0.9) * 3, 0, 1) * np.clip((y - mesh[1, 1] + 30) / 60.0, 0, 1)
    beard = beard * np.clip((mesh[152, 1] + 8 - y) / 30, 0, 1)
    beard = np.maximum(beard, lip) * np.clip((lips - 0.75) * 2, 0, 1) * skin
    beard = cv2.GaussianBlur(beard, (0, 0), 4.0)[..., None]
    rgb *= 1 - beard * np.array([0.33, 0.29, 0.24], np.float32)
    brows = np.zeros(image.shape[:2], np.float32)
    for brow in ([70, 63, 105, 66, 107], [300, 293, 334, 296, 336]):
        points = (mesh[brow, :2] + (0, 3)).round().astype(np.int32)
        cv2.polylines(brows, [points], False, 1.0, 5)
    rgb *= 1 - 0.6 * cv2.GaussianBlur(brows, (0, 0), 1.8)[..., None]
    hsv = cv2.cvtColor(np.clip(rgb, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
    orange = torso * (1 - skin) * ((hsv[..., 0] < 20) | (hsv[..., 0] > 168)) * (hsv[..., 1] > 100)
    orange = orange * (y > 470)
    hsv[..., 0] = np.where(orange > 0.5, 106, hsv[..., 0])
    hsv[..., 1] = np.where(orange > 0.5, (hsv[..., 1] * 0.55).astype(np.uint8), hsv[..., 1])
    hsv[..., 2] = np.where(orange > 0.5, (hsv[..., 2] * 0.62).astype(np.uint8), hsv[..., 2])
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _wall(person: str, seed: int) -> Array:
    """Return a blurred, softly lit wall."""
    rng = np.random.default_rng([seed, ord(person)])
    tone = (198.0, 190.0, 178.0) if person == "A" else (168.0, 182.0, 186.0)
    blot = cv2.resize(rng.normal(0, 1, (7, 6)).astype(np.float32), (WIDTH, HEIGHT), None, 0, 0, 2)
    x, y = np.linspace(-1, 1, WIDTH)[None, :], np.linspace(-1, 1, HEIGHT)[:, None]
    light = 1.0 - 0.10 * y - 0.06 * x**2 + 0.02 * blot
    return np.asarray(np.clip(light[..., None] * np.array(tone), 0, 255), np.uint8)


def build(person: str, model: str | os.PathLike[str], *, seed: int = 0) -> Portrait:
    """Build person "A" or "B" at rest.

    Parameters
    ----------
    person : {"A", "B"}
        A is the photograph, B its mirrored and altered twin.
    model : path
        The face landmarker file.
    seed : int
        Seed of the wall's texture.
    """
    from skimage import data

    photo = np.ascontiguousarray(data.astronaut()[..., :3])  # type: ignore[no-untyped-call]
    body = _cut_out(photo)
    head = body * (_mask(_NECK, photo.shape) | (np.arange(512)[:, None] < 147).astype(np.uint8))
    skin = head * _mask(_SKIN, photo.shape)
    image = _to_canvas(photo, cv2.INTER_LANCZOS4)
    image = np.clip(1.35 * image - 0.35 * cv2.GaussianBlur(image, (0, 0), 2.0), 0, 255)
    image = image.astype(np.uint8)
    alpha_head, alpha_skin = _soft(head, 1.2), _soft(skin, 2.0)
    # Behind the head the collar goes on: fill what a moving head uncovers.
    collar = _mask(_COLLAR, photo.shape)
    trunk = (body & (1 - head)) | collar
    _, label, stats, _ = cv2.connectedComponentsWithStats(trunk)
    alpha_torso = _soft(label == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), 1.2)
    lost = (alpha_head > 0.02) & (_soft(collar, 3.0) > 0.02)
    hidden = cv2.dilate(lost.astype(np.uint8), np.ones((7, 7), np.uint8))
    dark = image * _soft(body & (1 - head), 1.2)[..., None]  # or wall and chin bleed in
    under = cv2.inpaint(dark.astype(np.uint8), hidden, 9, cv2.INPAINT_TELEA)
    # The fringe is told from the forehead by its colour.
    strong = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1], (0, 0), 1.0)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    hairy = (y < 248) | ((y < 300) & (np.abs(x - 320) > 84))
    hairy = cv2.GaussianBlur(hairy.astype(np.float32), (0, 0), 5.0)
    fringe = np.clip((strong - 78.0) / 35.0, 0, 1) * hairy
    alpha_skin = np.clip(alpha_skin - cv2.GaussianBlur(fringe, (0, 0), 1.0), 0, 1)
    layers = [image, under, alpha_head, alpha_torso, alpha_skin]
    if person == "B":
        layers = [np.ascontiguousarray(layer[:, ::-1]) for layer in layers]
    image, under, alpha_head, alpha_torso, alpha_skin = layers
    teeth, iris = np.array([222.0, 214.0, 202.0]), np.array([96.0, 70.0, 46.0])
    mesh = detect_landmarks(image, model)
    image, seam = _close_lips(image, mesh)
    if person == "B":
        image = _repaint(
            image, np.clip(alpha_head - alpha_skin, 0, 1), alpha_skin, alpha_torso, mesh
        )
        under = _repaint(under, 0 * alpha_skin, 0 * alpha_skin, alpha_torso, mesh)
        shape = _other_shape(mesh)
        image, alpha_head = pull(image, shape), pull(alpha_head, shape)
        seam, iris = push(seam, shape), np.array([74.0, 92.0, 104.0])
    mesh = detect_landmarks(image, model)
    return Portrait(
        head=_layer(image, alpha_head),
        # A camera focused on the face; it also saves a good part of the file's bits.
        torso=_layer(
            cv2.GaussianBlur(under, (0, 0), 1.6), cv2.GaussianBlur(alpha_torso, (0, 0), 1.2)
        ),
        wall=_wall(person, seed),
        landmarks=mesh,
        seam=seam,
        teeth=teeth,
        iris=iris,
    )


def _layer(image: Array, alpha: Array) -> Array:
    alpha = np.clip(alpha, 0, 1)[..., None]
    return np.dstack([image * alpha, 255 * alpha]).round().astype(np.uint8)
