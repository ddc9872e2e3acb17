"""The live page as camera and microphone, in a real browser with devices played from files."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import live_desk as scripted
from cuesense.web import pages
from live_browser import Page, chromium, in_session
from live_desk import RecordingFeed, ScriptedDesk

pytestmark = pytest.mark.browser

TONE_HZ = 1000.0


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return scripted.pictures(30)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedDesk:
    monkeypatch.setattr(pages, "RELOAD_S", 0.3)
    return ScriptedDesk(tmp_path)


@pytest.fixture(scope="module")
def media(jpegs: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A film and a tone for the browser's fake devices."""
    folder = tmp_path_factory.mktemp("media")
    film, tone = folder / "film.mjpeg", folder / "tone.wav"
    film.write_bytes(b"".join(jpegs))
    t = np.arange(48_000 * 2) / 48_000
    with wave.open(str(tone), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes((8000 * np.sin(2 * np.pi * TONE_HZ * t)).astype("<i2").tobytes())
    return film, tone


@pytest.fixture(scope="module")
def browser(media: tuple[Path, Path]) -> Iterator[Any]:
    """A browser with a camera and a microphone, which both may be used."""
    film, tone = media
    with chromium(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
        f"--use-file-for-fake-audio-capture={tone}",
    ) as running:
        yield running


def decoded(jpeg: bytes) -> Any:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def test_the_page_is_the_camera_and_the_microphone(
    browser: Any, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    feed = RecordingFeed()
    with scripted.served(desk, feed) as place:
        page = Page(browser, place)
        page.view("setup")
        feed.wait(lambda f: len(f.pictures) >= 40 and len(f.sounds) >= 100 and len(f.syncs) >= 2)
        # Its own picture is shown, mirrored, and lies where pictures of the server would.
        assert page.run("return document.getElementById('own').offsetParent !== null")
        desk.faces()
        page.until("document.querySelectorAll('.outlines .over').length === 2")
        above = "document.elementsFromPoint(x, y).map((e) => e.id || e.className).slice(0, 4)"
        middle = "const b = document.getElementById('stage').getBoundingClientRect();"
        middle += "const [x, y] = [b.x + b.width / 2, b.y + b.height / 2];"
        layers = page.run(f"{middle} return {above}")
        assert layers.index("views") < layers.index("own")  # the outlines are over the picture
        page.keys("h")
        assert page.complaints() == []
        browser.get("about:blank")

    times = np.array([at_ms for at_ms, _ in feed.pictures])
    assert np.all(np.diff(times) > 0)
    assert 15 < np.median(np.diff(times)) < 120
    film, sent = decoded(jpegs[0]), decoded(feed.pictures[-1][1])
    sent = cv2.resize(sent, (film.shape[1], film.shape[0]), interpolation=cv2.INTER_AREA)
    upright, turned = (np.corrcoef(p.ravel(), film.ravel())[0, 1] for p in (sent, sent[:, ::-1]))
    assert upright > 0.9 > turned  # a picture of the film, not mirrored

    rates = {rate for _, _, rate, _ in feed.sounds}
    assert len(rates) == 1
    rate = rates.pop()
    starts = np.array([index for _, index, _, _ in feed.sounds])
    lengths = np.array([len(samples) for _, _, _, samples in feed.sounds])
    assert np.all(np.abs(lengths / rate - 0.02) < 0.005)
    np.testing.assert_array_equal(np.diff(starts), lengths[:-1])  # not one sample was lost
    sound = np.concatenate([samples[:, 0] for *_, samples in feed.sounds])[: 2 * rate]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.argmax(spectrum) * rate / len(sound) == pytest.approx(TONE_HZ, abs=5)

    # Both are on the clock that the page's pings tell.
    offsets = [received - page_ms / 1000 for page_ms, received in feed.syncs]
    assert max(offsets) - min(offsets) < 0.5
    heard = np.array([at_ms for at_ms, *_ in feed.sounds])
    drift_ms = heard - heard[0] - 1000 * (starts - starts[0]) / rate
    assert np.median(np.abs(drift_ms)) < 100
    assert abs(heard[0] - times[0]) < 5000


def test_the_picture_goes_on_while_nobody_looks_at_it(browser: Any, desk: ScriptedDesk) -> None:
    feed = RecordingFeed()
    with scripted.served(desk, feed) as place:
        page = Page(browser, place)
        page.view("setup")
        feed.wait(lambda f: len(f.pictures) >= 5)
        in_session(desk, page)
        for key in ("n", "f", "h"):
            page.keys(key)
            feed.more(15)
        browser.get("about:blank")


REFUSE = """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.refuse = "%s";
    navigator.mediaDevices.getUserMedia = (wanted) => window.refuse
        ? Promise.reject(new DOMException("no", window.refuse)) : ask(wanted);
"""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("NotAllowedError", "allow both in the browser's address bar"),
        ("NotFoundError", "plug one in"),
        ("NotReadableError", "in use by another program"),
    ],
)
def test_a_refused_camera_is_explained_and_can_be_tried_again(
    browser: Any, desk: ScriptedDesk, error: str, sentence: str
) -> None:
    feed = RecordingFeed()
    script = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": REFUSE % error}
    )
    try:
        with scripted.served(desk, feed) as place:
            page = Page(browser, place)
            page.text("ask-text", sentence)
            assert page.run("return document.getElementById('ask-button').innerText") == "Try again"
            page.run("window.refuse = ''")
            page.click("#ask-button")
            feed.wait(lambda f: bool(f.pictures and f.sounds))
            assert not page.browser.find_element("id", "ask").is_displayed()
            browser.get("about:blank")
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


def test_an_unplugged_camera_is_said_and_tried_again_by_itself(
    browser: Any, desk: ScriptedDesk
) -> None:
    feed = RecordingFeed()
    with scripted.served(desk, feed) as place:
        page = Page(browser, place)
        page.view("setup")
        feed.wait(lambda f: len(f.pictures) >= 3)
        in_session(desk, page)
        # What a browser does when a device goes: the track ends, with an event of its own.
        page.run(
            "const [track] = document.getElementById('own').srcObject.getVideoTracks();"
            "track.stop(); track.dispatchEvent(new Event('ended'));"
        )
        page.text("notices", "plug them in again")
        feed.more(10)
        page.until("document.getElementById('notices').innerText === ''")
        browser.get("about:blank")
