"""The examination of this machine, and what it says where something is missing."""

from __future__ import annotations

import builtins
import sys
from pathlib import Path

import pytest

from cuesense import doctor, models


def test_this_machine_is_examined() -> None:
    found = {finding.what: finding for finding in doctor.examine()}
    for package in doctor.PACKAGES:
        assert found[package].state == "ok", found[package]
    for what in ("python", "cache folder", "decoders", "processor", "microphone"):
        assert what in found
    assert any(what.startswith("camera") for what in found)
    assert all("\n" not in finding.detail and finding.detail for finding in found.values())


def test_a_proof_tells_the_last_words_of_what_fails() -> None:
    assert doctor.fault("print(1)") == ""
    assert doctor.fault("import no_such_module") == (
        "ModuleNotFoundError: No module named 'no_such_module'"
    )
    missing = doctor.fault("import ctypes; ctypes.CDLL('libnone.so.9')")
    assert missing.startswith("OSError: ")
    assert "libnone.so.9" in missing


def test_a_crash_is_a_fault_too() -> None:
    assert doctor.fault("import os; os._exit(3)") == "ended with code 3"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
            "apt-get install libgl1 libglib2.0-0 libegl1 libgles2",
        ),
        ("ImportError: DLL load failed while importing cv2", "Visual C++"),
        ("ModuleNotFoundError: No module named 'cv2'", "pip install --force-reinstall opencv-p"),
        ("ended with code -11", "pip install --force-reinstall opencv-p"),
    ],
)
def test_each_fault_has_its_remedy(words: str, expected: str) -> None:
    assert expected in doctor.remedy("opencv-python", words)


def test_an_installed_package_that_cannot_be_imported_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"av": "import no_such_module", "not-there": "pass"})
    broken, absent = list(doctor._packages())
    assert broken.state == absent.state == "failed"
    assert "No module named 'no_such_module'" in broken.detail
    assert "pip install --force-reinstall av" in broken.detail
    assert absent.detail == "not installed: pip install not-there"


@pytest.mark.parametrize("module", ["cv2", "sounddevice", "av"])
def test_a_missing_module_is_a_finding_not_an_error(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    findings = [*doctor._cameras(), doctor._microphones(), doctor._decoders()]
    assert any(module in finding.detail for finding in findings if finding.state != "ok")


def test_a_missing_portaudio_is_a_warning_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without_library(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_library)
    finding = doctor._microphones()
    assert finding.state == "warning"
    assert "PortAudio library not found: apt-get install libportaudio2" in finding.detail


def test_a_cache_folder_that_can_be_made_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "new" / "models"))
    assert doctor._cache() == doctor.Finding("cache folder", "ok", str(tmp_path / "new" / "models"))
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_under_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(models.FOLDER_VARIABLE, str(tmp_path / "file" / "models"))
    finding = doctor._cache()
    assert finding.state == "warning"
    assert "cannot be written" in finding.detail
    assert models.FOLDER_VARIABLE in finding.detail
