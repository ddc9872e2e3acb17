"""The rater's page in a real browser: coded by keyboard, killed, gone on with, and blind."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rated
from cuesense import Session
from cuesense.rating.sitting import Sitting
from cuesense.rating.store import Ratings
from live_browser import DESKTOP, PHONE, Page, chromium
from live_desk import Place
from test_rating_server import served

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

NOW = "document.getElementById('video').currentTime"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("--autoplay-policy=document-user-activation-required") as running:
        yield running


def command(session: Session, *more: str) -> subprocess.Popen[str]:
    arguments = ["rate", str(session.path), "--as", "anna", "--no-browser", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "cuesense", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=session.path.parent,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def address(running: subprocess.Popen[str]) -> Place:
    assert running.stderr is not None
    line = running.stderr.readline()
    assert line.startswith("cuesense: http://127.0.0.1:"), line
    whole = line.removeprefix("cuesense: ").strip()
    origin, token = whole.split("/#")
    return Place(whole, origin, int(origin.rsplit(":", 1)[1]), token, None)  # type: ignore[arg-type]


def shown(page: Page, number: int) -> None:
    """Wait until a bout is on the page and runs, with its sound."""
    page.text("place", f"Bout {number} of")
    running = f"{NOW} > 0.1 && !document.getElementById('video').paused"
    page.until(running, within_s=60.0)  # a bout is cut and encoded first
    page.until("document.getElementById('video').videoWidth > 0")


def rows(session: Session) -> list[dict[str, str]]:
    path = session.path / "ratings" / "anna.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def kept(session: Session, count: int) -> list[dict[str, str]]:
    end = time.monotonic() + 15
    while not (session.path / "ratings" / "anna.csv").exists() or len(rows(session)) < count:
        assert time.monotonic() < end, "never written"
        time.sleep(0.05)
    return rows(session)


def test_three_bouts_by_keyboard_then_killed_then_gone_on_with(
    browser: Any, sample_session: Session, sample: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_session.path, tmp_path / "dyad.cuesense")
    session = Session(tmp_path / "dyad.cuesense")
    running = command(session, "--media", str(sample))
    try:
        page = Page(browser, address(running))
        page.view("intro")
        assert page.focused() == "begin"
        assert "person on the right" in page.run(
            "return document.getElementById('rule-who').innerText"
        )
        page.keys(Keys.ENTER)
        shown(page, 1)
        page.keys("1", "2")  # changed at once: the second counts
        page.text("next-text", "Skip the rest")
        page.tab_to("yes")
        page.keys(" ")  # on an answer it chooses
        page.text("next-text", "Next")
        page.tab_to("1")
        page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
        page.tab_to("words")
        page.keys("leans in, 12 nods")  # keys in words are words, kept while they are typed
        end = time.monotonic() + 15
        while kept(session, 1)[0]["words"] != "leans in, 12 nods":
            assert time.monotonic() < end, "words were never kept"
            time.sleep(0.05)
        page.until("document.getElementById('saved').textContent === 'Kept.'")
        page.run("document.getElementById('place').focus()")
        page.keys(Keys.ENTER)
        shown(page, 2)
        page.keys("4")
        kept(session, 2)
        page.keys(Keys.ENTER)
        shown(page, 3)
        page.keys("3", "n")
        kept(session, 3)
        page.until("document.getElementById('saved').textContent === 'Kept.'")
        assert page.complaints() == []
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()
    before = rows(session)

    running = command(session, "--media", str(sample))
    try:
        page = Page(browser, address(running))
        page.view("intro")
        page.text("intro-title", "2 of ")
        page.keys(Keys.ENTER)
        shown(page, 2)  # half of it is still open
        chosen = "[...document.querySelectorAll('[data-key]:checked')].map((radio) => radio.value)"
        assert page.run(f"return {chosen}") == ["cannot tell"]
        page.keys(Keys.ENTER)
        shown(page, 3)
        page.keys("b")
        shown(page, 2)
        page.keys("T", "2")
        page.until("document.getElementById('saved').textContent === 'Kept.'")
        page.click("[data-do=finish].quiet")
        page.view("stopped")
        out, _ = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 0
    total = len(Ratings(session).plan().units)
    assert f"anna: 3 of {total} bouts are coded." in out
    assert "Go on: cuesense rate" in out

    sitting = Sitting(Ratings(session), "anna")
    after = {row["start_s"]: row for row in rows(session)}
    assert len(before) == len(after) == 3
    found = [after[f"{end - 12.0:.3f}"] for _, end in sitting.stretches[:3]]
    assert [(row["stance"], row["responds"]) for row in found] == [
        ("regulating", "yes"),
        ("regulating", "cannot tell"),
        ("disengaged", "no"),
    ]
    assert [row["sure"] for row in found] == ["3", "", ""]
    assert found[0]["words"] == "leans in, 12 nods"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rated.small(tmp_path_factory.mktemp("talk") / "talk.mp4")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, talk: Path) -> Session:
    return rated.folder(tmp_path_factory.mktemp("page") / "talk.cuesense", talk)


@pytest.fixture
def place(session: Session, talk: Path) -> Iterator[Any]:
    shutil.rmtree(session.path / "ratings", ignore_errors=True)
    with served(session, "anna", talk, 4) as found:
        yield found


def test_space_plays_again_and_p_plays_the_part_to_code(browser: Any, place: Any) -> None:
    page = Page(browser, place)
    page.view("intro")
    page.keys(Keys.ENTER)
    shown(page, 1)
    assert page.run("return document.body.dataset.phase") == "before"
    page.keys("p")
    page.until(f"{NOW} >= 8")
    page.until("document.body.dataset.phase === 'code'")
    page.text("phase", "Code this")
    page.keys(" ")
    page.until(f"{NOW} < 4")
    page.until("document.body.dataset.phase === 'before'")
    page.run("document.getElementById('video').currentTime = 19.8")
    page.until("document.body.dataset.phase === 'over'")
    page.text("phase", "Your answer, please")
    page.keys(" ")
    page.until("document.body.dataset.phase === 'before'")
    assert page.complaints() == []


def test_all_bouts_to_the_end_with_one_left_open(
    browser: Any, place: Any, session: Session
) -> None:
    page = Page(browser, place)
    page.view("intro")
    page.keys(Keys.ENTER)
    for number in (1, 2, 3, 4):
        page.text("place", f"Bout {number} of 4")
        if number != 2:
            page.keys(str(number), "y")
        else:
            page.text("next-text", "Skip")
        page.keys(Keys.ENTER)
    page.view("done")
    page.text("done-text", "1 is not coded yet")
    page.click("#review")
    page.text("place", "Bout 2 of 4")
    page.keys("2", "n", Keys.ENTER, Keys.ENTER, Keys.ENTER)
    page.view("done")
    page.text("done-title", "All bouts are coded")
    assert {row["stance"] for row in kept(session, 4)} >= {"regulating", "disengaged"}


def test_single_keys_can_be_switched_off_and_the_codebook_read(browser: Any, place: Any) -> None:
    page = Page(browser, place)
    page.view("intro")
    page.keys("c")
    page.until("document.getElementById('codebook').open")
    page.text("codebook", "Quiet attention is not disengagement")
    assert page.run("return document.getElementById('codebook').scrollTop") == 0
    page.tab_to("single-keys")
    box = "document.getElementById('single-keys').getBoundingClientRect()"
    at = f"document.elementFromPoint({box}.x + 4, {box}.y + {box}.height / 2)?.id"
    assert page.run(f"return {at}") == "single-keys", "covered by the button below"
    page.keys(" ", Keys.ESCAPE)
    page.until("!document.getElementById('codebook').open")
    page.click("#begin")
    page.text("place", "Bout 1 of 4")
    page.keys("1")
    assert page.run("return document.querySelector('[name=stance]:checked')") is None
    page.click("[value=mirroring]")
    page.until("document.getElementById('saved').textContent === 'Kept.'")


def test_an_answer_waits_while_cuesense_is_away(browser: Any, session: Session, talk: Path) -> None:
    shutil.rmtree(session.path / "ratings", ignore_errors=True)
    running = command(session, "--media", str(talk), "--units", "4")
    where = address(running)
    try:
        page = Page(browser, where)
        page.view("intro")
        page.keys(Keys.ENTER)
        shown(page, 1)
        running.send_signal(signal.SIGSTOP)
        page.keys("1")
        page.keys("3")
        running.send_signal(signal.SIGCONT)
        page.until("document.getElementById('saved').textContent === 'Kept.'")
        assert [row["stance"] for row in kept(session, 1)] == ["disengaged"]
        running.kill()
        running.communicate()
        page.keys("2")
        page.text("notices", "Not kept yet")
    finally:
        running.kill()
        running.communicate()
        browser.execute_script("window.onbeforeunload = null")
        browser.get("about:blank")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_fits_the_window_and_every_control_can_be_reached(
    browser: Any, place: Any, size: tuple[int, int]
) -> None:
    page = Page(browser, place, size)
    page.view("intro")
    overhang = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
    assert page.run(overhang) == 0
    page.click("#begin")
    page.text("place", "Bout 1 of 4")
    assert page.run(overhang) == 0
    for name in ("again", "part", "mirroring", "yes", "1", "words", "codebook", "next", "finish"):
        page.tab_to(name)
    small = page.run(
        "const all = '#form label:has(input), #form button, #watch button';"
        "return [...document.querySelectorAll(all)]"
        ".filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 24)"
        ".map((e) => e.innerText)"
    )
    assert small == []
    page.click("#form [data-do=codebook]")
    assert page.run(overhang) == 0
    page.keys(Keys.ESCAPE)


def test_a_page_without_the_token_says_what_to_do(browser: Any, place: Any) -> None:
    page = Page(browser, place._replace(address=place.address.split("#")[0] + "#wrong"))
    page.text("connecting-text", "Open the address that cuesense printed")


def test_nothing_is_asked_of_another_machine(browser: Any, place: Any) -> None:
    page = Page(browser, place)
    page.view("intro")
    page.keys(Keys.ENTER)
    shown(page, 1)
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"
    ]
    own = (f"http://127.0.0.1:{place.port}/", f"blob:http://127.0.0.1:{place.port}/", "data:")
    assert [url for url in urls if not url.startswith(own)] == []
    assert len(urls) > 5
