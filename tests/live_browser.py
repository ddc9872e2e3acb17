"""A real browser for the live page's tests, and one page in it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import live_desk as scripted
from live_desk import Place, ScriptedDesk

TAB = "\ue004"
"""The key, as WebDriver names it."""
PHONE, DESKTOP = (360, 740), (1280, 800)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    # What would otherwise talk to the browser's maker in the background.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextmanager
def chromium(*flags: str) -> Iterator[Any]:
    """A headless browser with further flags; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no chromium and chromedriver on the PATH: install both to test the page")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as running:
        yield running


class Page:
    """One page in the browser, with words for what a test does to it."""

    def __init__(self, browser: Any, place: Place, size: tuple[int, int] = DESKTOP) -> None:
        self.browser = browser
        self.place = place
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        still = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": still})
        browser.get(place.address)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any, within_s: float = scripted.WAIT_S) -> Any:
        """Return what an expression gives, once it is true."""
        end = time.monotonic() + within_s
        while not (found := self.run(f"return {script}", *arguments)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)
        return found

    def view(self, name: str) -> None:
        self.until("document.body.dataset.view === arguments[0]", name)

    def text(self, name: str, wanted: str) -> None:
        """Wait until an element, by its id, is seen to say something."""
        script = "document.getElementById(arguments[0])?.innerText.includes(arguments[1])"
        self.until(script, name, wanted)

    def click(self, selector: str) -> None:
        self.browser.find_element("css selector", selector).click()

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self) -> str:
        found = self.run(
            "const e = document.activeElement; return e.id || e.dataset.do || e.value || e.tagName"
        )
        return str(found)

    def tab_to(self, name: str) -> None:
        """Press Tab until an element has the focus: it must be reachable."""
        for _ in range(40):
            self.keys(TAB)
            if self.focused() == name:
                return
        raise AssertionError(f"{name} was never reached by Tab; now at {self.focused()}")

    def complaints(self) -> list[str]:
        """Return what the browser complained about."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] in ("WARNING", "SEVERE")]


def in_session(desk: ScriptedDesk, page: Page) -> None:
    """Let the session run, as far as the page can tell."""
    desk.enter("session")
    page.view("session")
