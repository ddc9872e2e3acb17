"""Geometry against faces built from known angles, and against turned copies of a photograph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from skimage.io import imread

from cuesense.config import Faces as FacesConfig
from cuesense.cues import geometry
from cuesense.cues.face_tracker import Sweeper, Tracker
from cuesense.cues.sightings import Face, Order
from cuesense.schema import BLENDSHAPES
from cuesense.types import F64, Reason

ASPECT = 16 / 9
Reader = Callable[[np.ndarray], Face]


def face(pose: tuple[float, float, float] = (0, 0, 0), *, seed: int = 0) -> F64:
    """Landmarks of a rigid head: the canonical points where they are known, others at random."""
    rng = np.random.default_rng(seed)
    head = rng.uniform(-6, 6, (478, 3))
    head[geometry.RIGID_POINTS] = geometry._MODEL
    for corners, iris in (
        (geometry.RIGHT_EYE, geometry.RIGHT_IRIS),
        (geometry.LEFT_EYE, geometry.LEFT_IRIS),
    ):
        head[iris] = head[list(corners)].mean(axis=0)
    head[[13, 14]] = (0, -3.5, 5.5), (0, -4.5, 5.5)
    return picture(head, pose)


def picture(
    head: F64, pose: tuple[float, float, float], at: tuple[float, float] = (0.4, 0.3)
) -> F64:
    """Put a head (478, 3), in cm, into a picture: 0.01 picture widths per cm."""
    turned = head @ geometry.matrix_of(np.array(pose)).T * 0.01
    return turned * (1, -ASPECT, -1) + (*at, 0.0)


def head_of(landmarks: F64) -> F64:
    return (landmarks - (0.4, 0.3, 0.0)) / (1, -ASPECT, -1) / 0.01


POSES = [(0.0, 0.0, 0.0), (0.3, 0.0, 0.0), (0.0, -0.7, 0.0), (0.0, 0.0, 0.5), (-0.2, 0.6, -0.4)]


@pytest.mark.parametrize("pose", POSES)
def test_pose_recovers_the_angles_a_head_was_turned_by(pose: tuple[float, float, float]) -> None:
    assert geometry.pose(face(pose), ASPECT) == pytest.approx(pose, abs=1e-6)


@pytest.mark.parametrize("pose", POSES)
def test_angles_invert_the_matrix(pose: tuple[float, float, float]) -> None:
    assert geometry.angles(geometry.matrix_of(np.array(pose))) == pytest.approx(pose, abs=1e-12)


@pytest.mark.parametrize(
    ("pose", "axis", "seen"),
    [
        ((0.3, 0, 0), 2, (0, 1)),  # chin up: the nose points up
        ((0, 0.3, 0), 2, (1, 0)),  # the nose points to the picture's right
        ((0, 0, 0.3), 0, (1, -1)),  # clockwise: the head's right-hand side goes down
    ],
)
def test_signs_are_as_written(
    pose: tuple[float, float, float], axis: int, seen: tuple[int, int]
) -> None:
    direction = geometry.matrix_of(np.array(pose))[:2, axis]
    assert np.sign(np.round(direction, 9)).tolist() == list(seen)


@pytest.mark.parametrize("pose", POSES)
def test_shape_and_mouth_are_free_of_pose(pose: tuple[float, float, float]) -> None:
    still, turned = face(), face(pose)
    expected = geometry.shape(still, ASPECT, np.zeros(3))
    assert geometry.shape(turned, ASPECT, np.array(pose)) == pytest.approx(expected, abs=1e-9)
    # 1 cm between the lips, 6.30 cm between the centres of the eyes
    assert geometry.mouth_opening(turned, ASPECT) == pytest.approx(1 / 6.303, rel=1e-3)


def test_shape_is_free_of_place_size_and_aspect() -> None:
    head = head_of(face())
    expected = geometry.shape(face(), ASPECT, np.zeros(3))
    small = (head * 0.004) * (1, -1.25, -1) + (0.9, 0.1, 0.0)
    assert geometry.shape(small, 1.25, np.zeros(3)) == pytest.approx(expected, abs=1e-9)


def test_smile_rises_with_the_lip_corners_and_brows_fall_in_a_frown() -> None:
    shape = geometry.shape(face(), ASPECT, np.zeros(3))
    smiling, frowning = shape.copy(), shape.copy()
    smiling[61] += (-0.1, 0.05, 0)
    smiling[291] += (0.1, 0.05, 0)
    assert geometry.smile(smiling) - geometry.smile(shape) == pytest.approx(0.05)
    for point, side in ((55, 1), (107, 1), (285, -1), (336, -1)):
        frowning[point] += (0.02 * side, -0.1, 0)
    assert geometry.brow_height(frowning) - geometry.brow_height(shape) == pytest.approx(-0.1)
    assert geometry.brow_gap(frowning) - geometry.brow_gap(shape) == pytest.approx(-0.04)


def test_face_motion_is_rms_speed() -> None:
    before = geometry.shape(face(), ASPECT, np.zeros(3))
    now = before + np.array([0.03, 0.0, 0.04])
    assert geometry.face_motion(now, before, 0.1) == pytest.approx(0.5)


def looking(**named: float) -> np.ndarray:
    blendshapes = np.zeros(52, np.float32)
    for name, value in named.items():
        blendshapes[BLENDSHAPES.index(name)] = value
    return blendshapes


def test_gaze_follows_the_head_when_the_eyes_rest() -> None:
    for pose in POSES:
        gaze = geometry.gaze(face(pose), ASPECT, looking(), np.array(pose))
        assert gaze == pytest.approx((pose[1], pose[0]), abs=1e-6)


def test_gaze_to_the_right_and_up_is_positive() -> None:
    # The person's left eye is on the picture's right: it looks out, the other in.
    right = looking(eyeLookOutLeft=0.5, eyeLookInRight=0.5)
    up = looking(eyeLookUpLeft=0.5, eyeLookUpRight=0.5)
    assert geometry.gaze(face(), ASPECT, right, np.zeros(3)) == pytest.approx((0.15, 0), abs=1e-6)
    assert geometry.gaze(face(), ASPECT, up, np.zeros(3)) == pytest.approx((0, 0.3), abs=1e-6)
    head = head_of(face())
    head[[geometry.RIGHT_IRIS, geometry.LEFT_IRIS], 0] += 0.4
    yaw, pitch = geometry.gaze(picture(head, (0, 0, 0)), ASPECT, looking(), np.zeros(3))
    assert 0.1 < yaw < 0.3
    assert pitch == pytest.approx(0, abs=1e-6)


def test_eye_closure_is_the_mean_of_the_blinks() -> None:
    closed = looking(eyeBlinkLeft=1.0, eyeBlinkRight=0.5)
    assert geometry.eye_closure(closed) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("box", "share"),
    [((0.2, 0.2, 0.2, 0.2), 1.0), ((-0.1, 0.2, 0.2, 0.2), 0.5), ((1.2, 0.2, 0.2, 0.2), 0.0)],
)
def test_inside_is_the_share_within_the_picture(box: tuple[float, ...], share: float) -> None:
    assert geometry.inside(np.array(box)) == pytest.approx(share)


GOOD = {"width_px": 120.0, "sharpness": 0.3, "light": 110.0, "inside": 1.0}


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [
        ({}, 1.0, 1.0),
        ({"width_px": 30.0}, 0.2, 0.3),
        ({"sharpness": 0.01}, 0.0, 0.0),
        ({"light": 35.0}, 0.4, 0.6),
        ({"inside": 0.7}, 0.2, 0.3),
    ],
)
def test_quality_falls_with_each_fault(change: dict[str, float], low: float, high: float) -> None:
    quality = geometry.quality(**{**GOOD, **change}, pose=np.zeros(3), low_light=35.0)
    assert low <= quality <= high


def test_quality_falls_as_the_head_turns_away() -> None:
    turned = [
        geometry.quality(**GOOD, pose=np.array([0.0, yaw, 0.0]), low_light=35.0)
        for yaw in (0.0, 0.5, 0.9, 1.4)
    ]
    assert turned[:2] == [1.0, 1.0]
    assert 0.4 < turned[2] < 0.7
    assert turned[3] == 0.0


# On a photograph


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A portrait, its face away from the edges, so that it can be turned."""
    image = np.full((512, 512, 3), 128, np.uint8)
    image[60:460, 56:456] = astronaut()[:400, 24:424]  # type: ignore[no-untyped-call]
    return image


@pytest.fixture(scope="module")
def read(face_model: Path) -> Reader:
    config = FacesConfig()
    sweeper = Sweeper(face_model, config)
    tracker = Tracker(face_model, config, sweeper)

    def read_one(image: np.ndarray) -> Face:
        (place, *_) = (d.place for d in sweeper.sweep(image, 0.1))
        found = tracker.look(image, 0.0, Order(start=place)).face
        assert found is not None
        return found

    return read_one


def turn(image: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a picture clockwise about the face."""
    about = cv2.getRotationMatrix2D((256, 165), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(image, about, (512, 512), borderMode=cv2.BORDER_REPLICATE))


@pytest.mark.parametrize("degrees", [-25, 25])
def test_roll_follows_a_turned_photograph(
    read: Reader, photograph: np.ndarray, degrees: float
) -> None:
    upright, turned = read(photograph), read(turn(photograph, degrees))
    change = np.degrees(turned.pose - upright.pose)
    assert change[2] == pytest.approx(degrees, abs=3)
    assert np.abs(change[:2]).max() < 8


def test_a_mirrored_photograph_mirrors_yaw_roll_and_gaze(
    read: Reader, photograph: np.ndarray
) -> None:
    plain = read(photograph)
    mirrored = read(np.ascontiguousarray(photograph[:, ::-1]))
    assert mirrored.pose == pytest.approx(plain.pose * (1, -1, -1), abs=0.04)
    assert mirrored.gaze == pytest.approx(plain.gaze * (-1, 1), abs=0.1)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "degrees"), [("0-f1-su-ph.jpg", 0), ("15-f13-anc-ph.jpg", 15), ("45-m7-di-ph.jpg", 45)]
)
def test_yaw_of_photographs_taken_from_the_side(
    read: Reader, real_data: Path, name: str, degrees: float
) -> None:
    image = imread(real_data / "face_images" / "pyfeat" / name)
    yaw = np.degrees(read(image).pose[1])
    assert abs(yaw) == pytest.approx(degrees, abs=6)
    nose_is_left_of_eyes = yaw < -5
    assert nose_is_left_of_eyes == (degrees > 0)  # both turn to the picture's left


def test_light_and_blur_are_told(read: Reader, photograph: np.ndarray) -> None:
    dark = read((photograph * 0.12).astype(np.uint8))
    soft = read(cv2.GaussianBlur(photograph, (0, 0), 5))
    plain = read(photograph)
    assert plain.reason is Reason.OK
    assert plain.quality == pytest.approx(1.0, abs=0.05)
    assert dark.reason == "low_light"
    assert soft.reason == "blurred"
    assert max(dark.quality, soft.quality) < 0.5


def test_a_face_cut_by_the_edge_is_told(read: Reader, photograph: np.ndarray) -> None:
    cut = np.ascontiguousarray(photograph[:, 225:])
    found = read(cut)
    assert found.reason == "out_of_frame"
    assert found.box[0] < 0
    assert found.quality < 0.9
