"""The command line as a user meets it: exit codes, one-line errors, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media import Audio, Video, wav_bytes, write_media

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cuesense(tmp_path: Path) -> Run:
    """Run ``cuesense`` in an empty working folder."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cuesense", *map(str, arguments)]
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            command, capture_output=True, text=True, cwd=work, timeout=300, check=False, **options
        )

    return run


def assert_user_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Besides the progress bar, one line is on stderr: ours. argparse's comes after its usage."""
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    if lines[0].startswith("usage: "):
        lines = [line for line in lines[1:] if not line.startswith(" ")]
    lines = [line for line in lines if not line.startswith(("preparing ", "analysing "))]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(("cuesense: ", "cuesense analyze: error: "))
    for word in words:
        assert word in lines[0]


def test_help_names_every_command(cuesense: Run) -> None:
    done = cuesense("--help")
    assert done.returncode == 0
    for verb in (
        "analyze",
        "demo",
        "report",
        "rate",
        "export",
        "study",
        "schema",
        "models",
        "config",
        "doctor",
    ):
        assert verb in done.stdout
        assert cuesense(verb, "--help").returncode == 0


def test_version(cuesense: Run) -> None:
    assert cuesense("--version").stdout.startswith("cuesense 0.")


def missing(folder: Path) -> tuple[Path, tuple[str, ...]]:
    return folder / "none.mp4", ("none.mp4",)


def directory(folder: Path) -> tuple[Path, tuple[str, ...]]:
    return folder, ("folder",)


def text_file(folder: Path) -> tuple[Path, tuple[str, ...]]:
    path = folder / "notes.mp4"
    path.write_text("not a recording\n" * 50, encoding="utf-8")
    return path, ("notes.mp4",)


def zero_bytes(folder: Path) -> tuple[Path, tuple[str, ...]]:
    path = folder / "empty.mp4"
    path.touch()
    return path, ("empty.mp4",)


def no_channels(folder: Path) -> tuple[Path, tuple[str, ...]]:
    path = folder / "none.wav"
    path.write_bytes(wav_bytes(np.zeros((1000, 1), np.float32), 16_000, channels=0))
    return path, ("none.wav",)


def one_hertz(folder: Path) -> tuple[Path, tuple[str, ...]]:
    path = folder / "slow.wav"
    path.write_bytes(wav_bytes(np.zeros((10, 1), np.float32), 1))
    return path, ("slow.wav",)


@pytest.mark.parametrize(
    "make", [missing, directory, text_file, zero_bytes, no_channels, one_hertz]
)
def test_what_cannot_be_analysed_is_a_one_line_error(
    cuesense: Run, tmp_path: Path, make: Callable[[Path], tuple[Path, tuple[str, ...]]]
) -> None:
    path, words = make(tmp_path)
    assert_user_error(cuesense("analyze", path, "-o", "out"), *words)
    assert list((tmp_path / "work").iterdir()) == []


def truncated(folder: Path) -> Path:
    path = write_media(folder / "cut.mkv", Video(seconds=4.0), Audio(seconds=4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def no_face(folder: Path) -> Path:
    return write_media(folder / "wall.mp4", Video(size=(320, 240)), Audio())


def audio_only(folder: Path) -> Path:
    return write_media(folder / "voice.flac", None, Audio("flac", 44_100, seconds=2.0))


def one_frame(folder: Path) -> Path:
    return write_media(folder / "one.mp4", Video(times=[0.0]), None)


def nan_samples(folder: Path) -> Path:
    samples = np.random.default_rng(0).normal(0, 0.1, (32_000, 1)).astype(np.float32)
    samples[8_000:16_000] = np.nan
    path = folder / "nan.wav"
    path.write_bytes(wav_bytes(samples, 16_000))
    return path


def very_wide(folder: Path) -> Path:
    return write_media(
        folder / "wide.avi",
        Video("mjpeg", size=(10_000, 64), pix_fmt="yuvj420p", seconds=0.2),
        None,
    )


@pytest.mark.parametrize(
    "make", [truncated, no_face, audio_only, one_frame, nan_samples, very_wide]
)
def test_what_is_odd_gives_a_finished_result_with_reasons(
    cuesense: Run, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    import pyarrow.parquet as pq

    done = cuesense("analyze", make(tmp_path), "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    out = tmp_path / "work" / "out"
    table = pq.read_table(out / "timeline.parquet", columns=["arousal", "state_reason"])
    assert table.num_rows > 0
    assert all(table.column("state_reason").to_pylist())
    assert (out / "report.html").stat().st_size > 10_000
    assert "Report: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listener", "me"), ("me", "left")),
        (("--offset", "soon"), ("offset='soon' must be a number of seconds",)),
        (("--offset", "nan"), ("offset='nan' must be a number of seconds",)),
        (("--offset", "1e9"), ("offset=1e9 must be within a day",)),
        (("--config", "none.toml"), ("none.toml", "cannot be read")),
        (("--baseline", "best"), ("baseline='best'", "auto or START:END", "60:105")),
        (("--baseline", "10:12"), ("baseline='10:12'", "15 to 600 s long")),
        (("--baseline", "10:45"), ("baseline='10:45'", "within the recording", "1 s long")),
        (("--profile", "anna"), ("'anna' must be SIDE=NAME, such as left=anna",)),
        (("--profile", "up=anna"), ("'up=anna' must begin with A, B, left, right",)),
        (("--profile", "left=anna"), ("profile='anna' is not there", "--save-profile")),
        (("--save-profile", "left=../anna"), ("'../anna'", "letters, digits")),
        (("--save-profile", "A=a", "--save-profile", "left=b"), ("a second profile for A",)),
    ],
)
def test_wrong_options(
    cuesense: Run, tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    path = write_media(tmp_path / "v.mp4", Video(), None)
    assert_user_error(cuesense("analyze", path, *arguments), *words)


def test_three_recordings_are_too_many(cuesense: Run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Video(), None)
    assert_user_error(cuesense("analyze", path, path, path), "3")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="Windows has no such permissions; root may write anywhere",
)
def test_a_folder_that_cannot_be_written(cuesense: Run, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    path = write_media(tmp_path / "v.mp4", Video(), None)
    assert_user_error(cuesense("analyze", path, "-o", closed / "out"), "closed", "-o")


def test_a_folder_under_a_file(cuesense: Run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Video(), None)
    assert_user_error(cuesense("analyze", path, "-o", path / "out"), "v.mp4", "-o")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write")
def test_a_folder_where_nothing_can_be_made(cuesense: Run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Video(), None)
    assert_user_error(cuesense("analyze", path, "-o", "/proc/nowhere/out"), "/proc/nowhere", "-o")


def test_a_full_disk(cuesense: Run, tmp_path: Path) -> None:
    """Every file may grow to 4 kB only: writing fails as on a full disk."""
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of files")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    path = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=3.0))
    done = cuesense("analyze", path, "-o", "out", preexec_fn=limit)
    assert_user_error(done, "out", "free some space")
    assert list((tmp_path / "work").iterdir()) == []


def heed_interrupts() -> None:
    """Undo an ignored SIGINT, which children of a run in the background would inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to a process there")
def test_ctrl_c_leaves_nothing_and_says_so(clip: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cuesense", "analyze", str(clip), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    deadline = time.monotonic() + 60
    # Interrupt it in the midst of its work: once it writes.
    while not list(tmp_path.glob(".out.*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "stopped" in errors
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


def test_nothing_but_our_own_words_on_the_terminal(cuesense: Run, clip: Path) -> None:
    done = cuesense("analyze", clip, "-q")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1].startswith("Report: ")


def test_the_demo_leaves_the_session_of_another_recording_alone(
    cuesense: Run, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=1.0))
    assert cuesense("analyze", path, "-o", "out").returncode == 0
    report = tmp_path / "work" / "out" / "report.html"
    before = report.read_bytes()
    assert_user_error(cuesense("demo", "-o", "out", "-q"), "out", "another recording")
    assert report.read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are valid text")
def test_a_name_that_is_not_valid_text(cuesense: Run, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=1.0)).rename(path)
    done = cuesense("analyze", path)
    assert done.returncode == 0, done.stderr
    (out,) = (tmp_path / "work").iterdir()
    assert "caf\ufffd.wav" in (out / "session.json").read_text("utf-8")


def test_report_is_written_anew(cuesense: Run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=2.0))
    assert cuesense("analyze", path, "-o", "out").returncode == 0
    report = tmp_path / "work" / "out" / "report.html"
    before = report.read_bytes()
    report.unlink()
    assert cuesense("report", "out").returncode == 0
    assert report.read_bytes() == before
    assert_user_error(cuesense("report", tmp_path), "session.json")


def test_a_name_longer_than_the_system_allows(cuesense: Run) -> None:
    name = "x" * 300
    assert_user_error(cuesense("report", name), name, "cannot be read")
    assert_user_error(cuesense("export", name, "--format", "csv"), name, "cannot be read")
    failed = cuesense("study", "add", "study", name, "-q")
    assert failed.returncode == 1, failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_passphrase_that_nobody_can_be_asked_for(cuesense: Run, tmp_path: Path) -> None:
    done = cuesense("unlock", "recording.mkv.enc", stdin=subprocess.DEVNULL, start_new_session=True)
    assert_user_error(done, "no terminal", "CUESENSE_PASSPHRASE")


def test_models_are_listed_and_verified(cuesense: Run, face_model: Path) -> None:
    done = cuesense("models", "list")
    assert done.returncode == 0
    assert "face_landmarker" in done.stdout
    assert cuesense("models", "verify").returncode == 0
    assert_user_error(cuesense("models", "fetch", "none"), "none", "face_landmarker")


def test_profiles_are_listed_shown_and_deleted(cuesense: Run, tmp_path: Path) -> None:
    from cuesense.profiles import FOLDER_VARIABLE

    folder = tmp_path / "profiles"
    folder.mkdir()
    kept = {**os.environ, FOLDER_VARIABLE: str(folder)}
    assert cuesense("profiles", "list", env=kept).stdout == ""
    zero = {"median": 0.0, "sd": 1.0, "error_sd": 0.1}
    usual = {"arousal": {"cues": {"f0_hz": zero}, "mean": zero}, "expression": None, "gaze": {}}
    content = {"version": 1, "made": "2026-11-23T10:00:00", "learned_s": 45.0, "usual": usual}
    text = json.dumps({**content, "voice": None})
    (folder / "profile-anna.json").write_text(text, encoding="utf-8")
    (folder / "profile-ben.json").write_text("{", encoding="utf-8")
    assert cuesense("profiles", "list", env=kept).stdout.split() == ["anna", "ben"]
    shown = cuesense("profiles", "show", "anna", env=kept).stdout
    assert "from 45 s of talk; holds activation" in shown
    assert_user_error(cuesense("profiles", "show", "ben", env=kept), "'ben' is damaged", "delete")
    assert_user_error(cuesense("profiles", "show", env=kept), "name is missing")
    assert cuesense("profiles", "delete", "anna", "ben", env=kept).returncode == 0
    assert list(folder.iterdir()) == []
    assert_user_error(cuesense("profiles", "delete", "anna", env=kept), "'anna' is not there")


def test_config_prints_what_analyze_takes(cuesense: Run, tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", None, Audio("pcm_s16le", 16_000, seconds=1.0))
    settings = tmp_path / "my.toml"
    settings.write_text(cuesense("config").stdout, encoding="utf-8")
    assert cuesense("analyze", path, "-o", "out", "--config", settings).returncode == 0


def test_doctor_says_what_works(cuesense: Run, face_model: Path) -> None:
    done = cuesense("doctor")
    assert done.returncode == 0, done.stdout
    for word in ("python", "mediapipe", "decoders", "microphone", "camera"):
        assert word in done.stdout
