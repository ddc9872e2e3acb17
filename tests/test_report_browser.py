"""The report in a real browser: opened from disk, no request, usable by keyboard, on a phone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import report_sessions as made
from cuesense import report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

pytestmark = pytest.mark.browser

PHONE, DESKTOP = (360, 780), (1440, 900)
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver on the PATH: install both to test the report")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as running:
        # A page that scrolls at once needs no waiting for.
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        running.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    sessions = {
        "talk": made.session(),
        "short": made.session(5.0),
        "alone": made.alone(),
        "sound": made.sound_only(),
        "nobody": made.nothing(),
        "hour": made.session(3600.0),
    }
    paths = {}
    for name, session in sessions.items():
        paths[name] = folder / f"{name}.html"
        paths[name].write_text(report.render(session), encoding="utf-8")
    return paths


@pytest.fixture
def visit(browser: Any, pages: dict[str, Path]) -> Open:
    def visit(name: str, size: tuple[int, int] = DESKTOP, fragment: str = "") -> Any:
        browser.get("about:blank")
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        browser.get(pages[name].as_uri() + fragment)
        return browser

    return visit


def _slider(browser: Any) -> Any:
    return browser.find_element("id", "cursor")


def _now(browser: Any) -> float:
    return float(_slider(browser).get_attribute("aria-valuenow"))


def _press(browser: Any, *keys: str) -> None:
    for key in keys:
        _slider(browser).send_keys(key)


def _overhang(browser: Any) -> int:
    """Return by how many px the page is wider than the window."""
    script = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
    return int(browser.execute_script(script))


def _times(browser: Any) -> list[str]:
    """Return the labels of the time axis."""
    texts: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('#overview .axis')].map((t) => t.textContent)"
    )
    return texts


@pytest.mark.parametrize("name", ["talk", "short", "alone", "sound", "nobody", "hour"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_opens_without_errors_requests_or_sideways_scrolling(
    visit: Open, name: str, size: tuple[int, int]
) -> None:
    browser = visit(name, size)
    assert browser.get_log("browser") == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in urls if not url.startswith("file:")] == []
    assert len([url for url in urls if url.startswith("file:")]) == 1
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0
    assert _overhang(browser) == 0


def test_opened_tables_and_folds_stay_within_a_phone(visit: Open) -> None:
    browser = visit("talk", PHONE)
    browser.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert _overhang(browser) == 0


def test_the_policy_stops_a_foreign_script_and_request(visit: Open) -> None:
    browser = visit("talk")
    browser.execute_script(
        "const s = document.createElement('script'); s.textContent = 'window.foreign = 1';"
        "document.body.append(s);"
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i);"
    )
    assert browser.execute_script("return window.foreign") is None
    messages = " ".join(entry["message"] for entry in browser.get_log("browser"))
    assert "Content Security Policy" in messages


def test_axes_have_labels_and_traces_have_gaps(visit: Open) -> None:
    browser = visit("talk")
    assert _times(browser)[:3] == ["0:00", "0:30", "1:00"]
    script = (
        "const svg = document.querySelector('[data-track=arousal] svg');"
        "return [[...svg.querySelectorAll('text.axis')].map((t) => t.textContent),"
        " [...svg.querySelectorAll('path.line')].map((p) => p.getAttribute('d').split('M').length),"
        " svg.querySelectorAll('path.band').length, svg.querySelectorAll('rect.gap').length]"
    )
    labels, pieces, bands, gaps = browser.execute_script(script)
    assert {"\N{MINUS SIGN}2", "usual", "+2"} <= set(labels)
    # One baseline and one lost face: two pieces each (a path's text before its first M counts).
    assert pieces == [3, 3]
    assert bands == 2
    assert gaps == 4


def test_where_usual_was_learned_is_marked_to_scale(visit: Open) -> None:
    browser = visit("talk")
    script = (
        "const svg = document.querySelector('[data-track=arousal] svg'),"
        " mark = svg.querySelector('.learned'), rail = svg.querySelector('.usual');"
        "const [a, b] = [mark, rail].map((e) => e.getBoundingClientRect());"
        "return [(a.left - b.left) / b.width, a.width / b.width]"
    )
    start, width = browser.execute_script(script)
    assert (start, width) == (pytest.approx(0.0, abs=0.003), pytest.approx(45 / 300, abs=0.003))


def test_missing_gaze_is_hatched_and_never_drawn_as_looking_away(visit: Open) -> None:
    browser = visit("talk", fragment="#t=93-102")  # A's face is lost
    drawn = (
        "const [a] = document.querySelectorAll('[data-track=gaze] path.gap');"
        "return a.getAttribute('d').split('M').length - 1"
    )
    assert browser.execute_script(drawn) == pytest.approx(9 / 0.2, abs=2)


def test_keyboard_moves_the_cursor_and_says_what_is_there(visit: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = visit("talk")
    _press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert _now(browser) == 2.0
    _press(browser, Keys.SHIFT + Keys.ARROW_RIGHT)
    assert _now(browser) == 12.0
    _press(browser, Keys.PAGE_DOWN, Keys.PAGE_DOWN, Keys.ARROW_LEFT)
    assert _now(browser) == 71.0
    said = _slider(browser).get_attribute("aria-valuetext")
    assert said.startswith("1:11. ")
    assert "activation" in said
    assert "±" in said
    readout = browser.find_element("id", "readout").text
    assert readout.startswith("1:11.0")
    _press(browser, Keys.END, Keys.ARROW_RIGHT)
    assert _now(browser) == 300.0
    _press(browser, Keys.HOME)
    assert _now(browser) == 0.0


def test_keyboard_zooms_about_the_cursor(visit: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = visit("talk")
    whole = _times(browser)
    _press(browser, *[Keys.PAGE_DOWN] * 5, "+", "+", "+")
    near = _times(browser)
    assert near[0] == "2:15"
    assert near[-1] == "2:45"
    _press(browser, "-", "-", "-", "-")
    assert _times(browser) == whole


def test_hovering_reads_the_values_under_the_pointer(visit: Open) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    browser = visit("talk")
    track = browser.find_element("css selector", "[data-track=arousal] svg")
    ActionChains(browser).move_to_element(track).perform()
    width, pad, right = track.size["width"], 42, 8
    want = 300 * (width / 2 - pad) / (width - pad - right)
    assert _now(browser) == pytest.approx(want, abs=1.0)


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_a_sentence_takes_the_timeline_to_its_moment(visit: Open, size: tuple[int, int]) -> None:
    browser = visit("talk", size)
    link = browser.find_element("css selector", "#cues a.at")
    start = float(link.get_attribute("hash").removeprefix("#t=").split("-")[0])
    link.click()
    assert _now(browser) == pytest.approx(start, abs=0.05)
    assert browser.find_element("id", "glow").is_displayed()
    top = browser.execute_script(
        "return document.getElementById('timeline').getBoundingClientRect().top"
    )
    assert -1 <= top < size[1] / 2
    spoken = browser.find_element("id", "spoken").get_attribute("textContent")
    assert spoken.startswith("Timeline at ")


def test_a_link_to_a_moment_opens_there(visit: Open) -> None:
    browser = visit("talk", fragment="#t=125-140")
    assert _now(browser) == 125.0
    times = _times(browser)
    assert times[0] == "1:50"
    assert times[-1] == "2:35"


def test_sound_alone_draws_no_face(visit: Open) -> None:
    browser = visit("sound")
    assert browser.find_elements("css selector", "[data-track=valence] svg") == []
    assert browser.find_elements("css selector", "[data-track=gaze] svg") == []
    drawn = "return document.querySelectorAll('[data-track=voice_A] path.line').length"
    assert browser.execute_script(drawn) == 3


def test_printing_shows_the_whole_recording_and_how_it_is_made(visit: Open) -> None:
    browser = visit("talk", fragment="#t=125-140")
    browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    folds = browser.execute_script(
        "return [...document.querySelectorAll('.how')].map((d) => d.open)"
    )
    assert folds == [True] * 5
    assert _times(browser)[0] == "0:00"
