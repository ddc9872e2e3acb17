"""The live page in a real browser: set-up to report, by clicks and by keys, and what goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import live_desk as scripted
from cuesense import schema
from cuesense.web import pages
from live_browser import DESKTOP, PHONE, Page, chromium, in_session
from live_desk import Place, ScriptedDesk

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return scripted.pictures(30)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedDesk:
    monkeypatch.setattr(pages, "RELOAD_S", 0.3)
    return ScriptedDesk(tmp_path)


@pytest.fixture
def visit(browser: Any, desk: ScriptedDesk) -> Iterator[Visit]:
    """Serve the desk and open its page."""
    with scripted.served(desk) as place:

        def visit(size: tuple[int, int] = DESKTOP) -> Page:
            return Page(browser, place, size)

        yield visit
        browser.get("about:blank")


@pytest.fixture
def page(visit: Visit) -> Page:
    opened = visit()
    opened.view("setup")
    return opened


# ---- the whole way ------------------------------------------------------------------------------


def test_from_set_up_to_the_report_by_clicks(
    page: Page, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    with scripted.filming(desk, jpegs):
        # Click your face: person B sits on the right of the picture, left in the mirror.
        page.until("document.querySelectorAll('.faces button').length === 2")
        faces = page.browser.find_elements("css selector", ".faces button")
        left = min(faces, key=lambda face: face.location["x"])
        ActionChains(page.browser).move_to_element(left).click().perform()
        checked = "document.querySelector('[name=listener]:checked').parentNode.innerText"
        assert "Left person" in page.run(f"return {checked}")
        page.click("[data-scale=before] label:nth-child(5)")
        page.click("#begin")
        page.text("consent-missing", "ask each other first")
        assert page.focused() == "consent"
        assert desk.commands == [c for c in desk.commands if c["type"] == "seen"]
        page.click("#consent")
        page.click("#begin")
        page.text("baseline-title", "One moment")
        begun = desk.wait_for("begin")
        assert begun["listener"] == "right"
        assert (begun["keep_picture"], begun["keep_sound"], begun["passphrase"]) == (False,) * 2 + (
            None,
        )
        assert desk.wait_for("checkin") == {
            "type": "checkin",
            "when": "before",
            "calm": 4,
            "note": "",
        }
        desk.enter("baseline", left_s=30.0)
        page.view("baseline")
        page.text("baseline-title", "Talk about something ordinary")
        page.until("Number(document.getElementById('ring').getAttribute('aria-valuenow')) >= 33")
        in_session(desk, page)
        desk.hold("regulating")
        page.text("label", "Regulating")
        page.until("document.querySelector('.tag').innerText === 'partner'")
        page.click("[data-do=mark]")
        desk.wait_for("mark")
        page.text("notices", "Marked")
        page.click("[data-do=pause]")
        desk.wait_for("pause")
        page.text("label", "Paused")
        page.click("[data-do=pause]")
        desk.wait_for("resume")
        page.click("[data-do=end]")
        page.click("[data-scale=after] label:nth-child(9)")
        page.browser.find_element("id", "note").send_keys("breathe first")
        page.click("#end-now")
        assert desk.wait(lambda c: c.get("when") == "after")["note"] == "breathe first"
        page.text("closing-title", "Thank you, both of you")
    assert [c["type"] for c in desk.commands if c["type"] not in ("seen", "ready")] == [
        *("checkin", "begin", "mark", "pause", "resume", "checkin", "end")
    ]
    assert page.complaints() == []
    own = page.browser.current_window_handle
    page.click("#report-link")
    page.browser.switch_to.window(next(w for w in page.browser.window_handles if w != own))
    page.until("document.querySelectorAll('#timeline svg path.line').length > 0")
    assert page.complaints() == []
    page.browser.close()
    page.browser.switch_to.window(own)


def test_from_set_up_to_the_report_by_keys(page: Page, desk: ScriptedDesk) -> None:
    page.tab_to("auto")
    page.keys(Keys.ARROW_LEFT)
    page.tab_to("0")
    page.keys(Keys.SPACE)
    page.tab_to("keep-sound")
    page.keys(Keys.SPACE)
    page.tab_to("passphrase")
    page.keys("correct horse")
    page.tab_to("consent")
    page.keys(Keys.SPACE)
    page.tab_to("begin")
    page.keys(Keys.ENTER)
    begun = desk.wait_for("begin")
    assert begun["listener"] == "left"  # the right one in the mirror
    assert (begun["keep_picture"], begun["keep_sound"]) == (False, True)
    assert begun["passphrase"] == "correct horse"
    assert desk.wait_for("checkin")["calm"] == 0
    page.text("kept", "recording sound")
    in_session(desk, page)
    page.until("document.activeElement.id === 'label'")
    page.keys("m")
    desk.wait_for("mark")
    page.keys(" ")
    desk.wait_for("pause")
    page.text("label", "Paused")
    page.keys(" ")
    desk.wait_for("resume")
    page.keys("d")
    page.until("document.getElementById('people-table').offsetParent")
    page.keys("h")
    page.text("covered", "The picture is hidden")
    page.keys("?")
    page.until("document.getElementById('help').open")
    page.keys("m")  # no command while a dialog is open
    page.keys(Keys.ESCAPE)
    page.until("!document.getElementById('help').open")
    page.keys("e")
    page.until("document.getElementById('end').open")
    page.keys(Keys.ESCAPE)
    page.keys("e", Keys.ENTER)
    desk.wait_for("end")
    page.text("closing-title", "Thank you, both of you")
    page.tab_to("report-link")
    assert sum(c["type"] == "mark" for c in desk.commands) == 1


def test_checks_say_what_to_do_and_the_level_moves(page: Page, desk: ScriptedDesk) -> None:
    page.text("checks-list", "Come a little closer to the camera.")
    signs = "[...document.querySelectorAll('#checks-list svg')].map((s) => s.ariaLabel).join()"
    assert page.run(f"return {signs}") == "fine,fine,fine,look here,not working"
    mended = [item | {"state": "ok", "sentence": "Fine now."} for item in scripted.CHECKS]
    desk.board.latest("checks", {"type": "checks", "items": mended})
    page.until(f"{signs} === 'fine,fine,fine,fine,fine'")
    wide = "document.getElementById('level').getBoundingClientRect().width"
    assert page.run(f"return {wide}") == 0
    loud = {"loudness_db": -30.0, "f0_hz": None, "speech": 0.9}
    quiet = {"loudness_db": None, "f0_hz": None, "speech": None}
    desk.board.latest("sound", {"type": "sound", "t": 1.0, "channels": [quiet, loud]})
    page.until(f"{wide} > 50")
    assert page.run("return getComputedStyle(document.getElementById('level')).opacity") == "1"


def test_single_keys_can_be_turned_off(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    page.keys("?")
    page.click("#single-keys")
    page.keys(Keys.ESCAPE)
    page.keys("d", "m")
    page.click("[data-do=mark]")
    desk.wait_for("mark")
    assert page.run("return document.getElementById('details').hidden")
    assert sum(c["type"] == "mark" for c in desk.commands) == 1


def test_a_check_in_can_be_taken_back_and_a_recorded_file_is_not_mirrored(
    visit: Visit, desk: ScriptedDesk
) -> None:
    desk.pretend(capture="play", can_keep=False)
    page = visit()
    page.view("setup")
    assert not page.browser.find_element("id", "keep").is_displayed()
    page.text("waiting", "plays once you begin")
    page.click("[data-scale=before] label:nth-child(5)")
    page.click("[data-scale=before] label:nth-child(5)")
    page.click("#listeners label:nth-child(1)")
    page.click("#consent")
    page.click("#begin")
    assert desk.wait_for("begin")["listener"] == "left"
    assert not any(c["type"] == "checkin" for c in desk.commands)


@pytest.mark.parametrize("given", ["B", "right"])
def test_a_listener_who_was_named_already_is_chosen(
    visit: Visit, desk: ScriptedDesk, given: str
) -> None:
    desk.pretend(listener=given)
    page = visit()
    page.view("setup")
    page.click("#consent")
    page.click("#begin")
    assert desk.wait_for("begin")["listener"] == "right"


def test_two_cameras_are_two_pictures_and_two_choices(
    visit: Visit, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    desk.pretend(views=2)
    page = visit()
    page.view("setup")
    for view in (0, 1):
        desk.picture(jpegs[0], view)
        desk.faces((view,), view=view)
    page.until("document.querySelectorAll('.faces button').length === 2")
    page.until("[...document.querySelectorAll('canvas')].every((c) => c.width === 640)")
    page.click(".faces button:last-child")
    page.click("#consent")
    page.click("#begin")
    assert desk.wait_for("begin")["listener"] == "B"


# ---- what the page says -------------------------------------------------------------------------


STATES = [
    ("mirroring", "", "", "looks like", "Mirroring", "you move along with your partner"),
    ("mirroring", "escalating", "", "looks like", "Mirroring", "more worked up"),
    ("regulating", "", "", "looks like", "Regulating", "steadier than your partner"),
    ("disengaged", "", "", "looks like", "Disengaged", "little of an answer"),
    (schema.CALM, "", "contingency under 80 %", "looks like", "Calm", "not shown to be responding"),
    (schema.MOVED, "escalating", "contingency", "looks like", "Moved", "not shown to be respond"),
    ("responding", "", "no mode above 80 %", "", "Responding", "you answer your partner"),
    ("no demand", "", "partner within 0.75 SD", "", "Calm between you", "near their usual"),
    ("insufficient", "", "uncalibrated", "", "Not enough to say yet", "still learning"),
    ("insufficient", "", "no mode above 80 %", "", "Not enough to say", "signals do not agree"),
    ("insufficient", "", "coverage of the listener under 60 %", "", "Not enough", "who listens"),
]


def test_each_state_has_words_and_a_shape_of_its_own(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    shapes: dict[str, Any] = {}
    for i, (label, variant, reason, looks, title, why) in enumerate(STATES):
        desk.hold(label, t=60.0 + 10 * i, variant=variant, reason=reason)
        page.text("label", title)
        page.text("why", why)
        assert page.run("return document.getElementById('looks').innerText") == looks
        shapes[label] = page.run(
            "return ['.modes .mirroring', '.modes .regulating', '.apart', '.even', '.unknown',"
            " '.rest', '.hand'].map((s) => getComputedStyle(document.querySelector('#needle ' + s))"
            ".opacity).join()"
        )
    assert len(set(shapes.values())) == 8
    # The needle itself points only where there is something to say.
    hand = {label: float(shape.split(",")[-1]) for label, shape in shapes.items()}
    assert hand["mirroring"] == hand["regulating"] == 1
    assert hand["insufficient"] == hand["no demand"] == 0
    assert 0 < hand[schema.CALM] == hand[schema.MOVED] < 0.5


def test_the_needle_leans_where_the_state_leans(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)

    def angle(label: str, lean: float, t: float) -> float:
        desk.hold(label, t=t, needle=lean)
        page.text("label", label.capitalize())
        return float(
            page.run(
                "const m = new DOMMatrix(getComputedStyle(document.getElementById('hand'))"
                ".transform); return Math.atan2(m.b, m.a) * 180 / Math.PI"
            )
        )

    assert angle("mirroring", -1.0, 60.0) == pytest.approx(-68, abs=0.1)
    assert angle("regulating", 0.5, 70.0) == pytest.approx(34, abs=0.1)


def test_a_label_is_shown_and_spoken_only_once_it_holds(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    page.run(
        "window.said = []; new MutationObserver(() => said.push("
        "document.getElementById('spoken').textContent)).observe("
        "document.getElementById('spoken'), {childList: true, characterData: true, subtree: true})"
    )
    desk.hold("mirroring", t=60.0, seconds=4)
    for i in range(20):  # flickers at 5 Hz: neither shown nor said
        label = "regulating" if i % 2 else "mirroring"
        desk.board.keep(scripted.state(64.2 + i / 5, label))
    desk.hold("mirroring", t=70.0, seconds=4)
    desk.hold("disengaged", t=80.0, seconds=4)
    page.text("label", "Disengaged")
    assert page.run("return said") == [
        "mirroring: you move along with your partner",
        "disengaged: little of an answer can be seen or heard",
    ]


def test_at_most_one_hint_with_its_reason_and_only_for_its_time(
    page: Page, desk: ScriptedDesk
) -> None:
    in_session(desk, page)
    desk.hold("mirroring")
    desk.advise("Try a slower breath.", "your pitch +1.4 SD", "your pace +1.2 SD")
    page.text("say", "Try a slower breath.")
    page.text("because", "because your pitch +1.4 SD, your pace +1.2 SD")
    desk.advise("Nod if you agree.", "few nods", until=64.0)
    page.text("advice", "Nod if you agree.")
    assert "breath" not in page.run("return document.getElementById('advice').innerText")
    assert page.run("return document.getElementById('advice').ariaLive") == "polite"
    page.until("document.getElementById('say').textContent === ''", within_s=5)


def test_the_traces_have_gaps_and_the_details_their_reasons(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    for i in range(60):
        gone = 20 <= i < 30
        arousal = (0.5 + i / 60, None if gone else 0.1)
        desk.board.keep(scripted.state(60 + i / 5, "mirroring", arousal=arousal))
    pieces = (
        "[...document.querySelectorAll('#trace-arousal .line')].map((p) => "
        "(p.getAttribute('d') || '').split('M').length - 1).join()"
    )
    page.until(f"{pieces} === '1,2'")
    page.keys("d")
    desk.hold("mirroring", t=72.0)
    page.text("people-table", "208 Hz")
    rows = page.run(
        "return [...document.querySelectorAll('#people-rows tr')].map((r) => r.innerText)"
    )
    assert "pitch\tnot speaking\t208 Hz" in rows
    assert "activation\t+0.1\t+0.4" in rows
    page.text("facts", "34 %")
    page.text("facts", "74 ms")
    assert page.run("return document.querySelector('#trace-valence .line').getAttribute('d')")


def test_trouble_is_said_quietly_and_goes_away(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    sentence = "The camera was unplugged: plug it in again, the session goes on."
    lost = {"what": "camera", "state": "bad", "sentence": sentence}
    dark = {"what": "light", "state": "bad", "sentence": "Switch on a lamp in front of you."}
    desk.board.keep({"type": "health", "items": [lost, dark]})
    page.text("notices", sentence)
    page.text("notices", "Switch on a lamp")
    assert page.run("return document.getElementById('notices').getAttribute('role')") == "status"
    desk.board.keep({"type": "health", "items": [dark]})
    page.until("!document.getElementById('notices').innerText.includes('camera')")
    page.text("notices", "Switch on a lamp")


def test_a_session_that_failed_says_why(page: Page, desk: ScriptedDesk) -> None:
    desk.enter("failed", sentence="No camera and no microphone could be opened: plug one in.")
    page.text("closing-text", "plug one in")
    assert page.focused() == "closing-title"


# ---- ways to look -------------------------------------------------------------------------------


SHOWN = (
    "[...document.querySelectorAll('main > *, .tools')]"
    ".filter((e) => e.offsetParent).map((e) => e.id).join()"
)
COUNT_TONES = """
    window.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        window.tones += 1;
        return start.apply(this, when);
    };
"""


def test_focus_shows_the_needle_only(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    desk.hold("regulating")
    page.text("label", "Regulating")
    page.keys("f")
    page.until(f"{SHOWN} === 'compass'")
    page.keys(Keys.ESCAPE)
    page.until("document.getElementById('stage').offsetParent")


def test_no_screen_is_dark_and_gives_a_soft_sound_only_if_chosen(
    page: Page, desk: ScriptedDesk
) -> None:
    in_session(desk, page)
    page.run(COUNT_TONES)
    page.keys("n")
    page.until(f"{SHOWN} === 'dark'")
    red, green, blue = page.run(
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert max(red, green, blue) < 20
    desk.advise("Try a slower breath.")
    page.until("document.getElementById('say').textContent === 'Try a slower breath.'")
    assert page.run("return tones") == 0
    page.click("[name=cue][value=sound]")
    page.until("tones === 2")  # what it will sound like
    desk.advise("Nod if you agree.")
    page.until("tones === 4")
    page.keys("n")
    desk.advise("Ask what they need.")
    page.text("say", "Ask what they need.")
    assert page.run("return tones") == 4


# ---- pictures -----------------------------------------------------------------------------------


def test_pictures_are_drawn_mirrored_with_outlines_on_the_faces(
    page: Page, desk: ScriptedDesk
) -> None:
    image = np.zeros((360, 640, 3), np.uint8)
    image[:, :320] = (0, 0, 255)  # red on the left of the picture
    desk.picture(cv2.imencode(".jpg", image)[1].tobytes())
    desk.faces()
    page.until("document.querySelector('canvas').width === 640")
    page.until("document.querySelectorAll('.outlines .over').length === 2")
    turned = "getComputedStyle(document.querySelector('canvas')).transform"
    assert page.run(f"return {turned}") == "matrix(-1, 0, 0, 1, 0, 0)"
    pixel = "document.querySelector('canvas').getContext('2d').getImageData(20, 20, 1, 1).data[0]"
    assert page.run(f"return {pixel}") > 200
    boxes = page.run(
        "const s = document.getElementById('stage').getBoundingClientRect();"
        "return ['A', 'B'].map((who) => { const b = document.querySelector(`.over.${who}`)"
        ".getBoundingClientRect(); return (b.x + b.width / 2 - s.x) / s.width; })"
    )
    middles = [1 - (x + w / 2) for x, _, w, _ in scripted.FACES]
    assert boxes == pytest.approx(middles, abs=0.01)
    desk.faces((1,))
    page.until("document.querySelectorAll('.outlines .over').length === 1")


def test_a_hidden_picture_costs_nothing_and_comes_back(
    page: Page, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    in_session(desk, page)
    with scripted.filming(desk, jpegs) as posted:
        first = desk.wait_for("seen")["t"]
        page.keys("h")
        page.until("document.getElementById('covered').offsetParent")
        seen_before = sum(c["type"] == "seen" for c in desk.commands)
        count = len(posted)
        while len(posted) < count + 30:
            time.sleep(0.05)
        assert sum(c["type"] == "seen" for c in desk.commands) <= seen_before + pages.AHEAD
        page.keys("h")
        resumed = time.monotonic()
        desk.wait(lambda c: c["type"] == "seen" and c["t"] > resumed)
    assert first < resumed


def test_a_damaged_picture_does_not_stop_those_after_it(
    page: Page, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    for _ in range(4):
        desk.picture(b"\xff\xd8 not a picture at all")
        page.run("return 0")
    t = desk.picture(jpegs[0])
    desk.wait(lambda c: c["type"] == "seen" and c["t"] == t)


# ---- what goes wrong ----------------------------------------------------------------------------


SERVER = """
    import secrets, sys
    from pathlib import Path
    import live_desk
    from cuesense.web.app import serve

    folder, port, label = sys.argv[1:]
    secrets.token_urlsafe = lambda n: "t" * 43  # the same for the server that takes over
    desk = live_desk.ScriptedDesk(Path(folder), phase="session")
    desk.show(live_desk.state(60.0, label))
    serve(desk, port=int(port), open_browser=False, on_ready=lambda url: print(url, flush=True))
"""


def test_a_lost_connection_is_said_and_mended_by_itself(browser: Any, tmp_path: Path) -> None:
    def server(port: int, label: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(SERVER), str(tmp_path), str(port), label],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        )

    running = [server(0, "mirroring")]
    try:
        assert running[0].stdout is not None
        address = running[0].stdout.readline().strip()
        origin, token = address.split("/#")
        place = Place(address, origin, int(origin.rsplit(":", 1)[1]), token, threading.Thread())
        page = Page(browser, place)
        page.text("label", "Mirroring")
        running[0].kill()
        running[0].wait()
        page.text("notices", "The page has lost cuesense and is trying to reach it again")
        assert page.run("return document.body.dataset.view") == "session"
        running.append(server(place.port, "regulating"))
        page.text("label", "Regulating")
        page.until("document.getElementById('notices').innerText === ''")
    finally:
        browser.get("about:blank")
        for process in running:
            process.kill()
            process.communicate()


def test_a_page_that_is_too_far_behind_starts_afresh(
    page: Page, desk: ScriptedDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_session(desk, page)
    desk.pretend(state=scripted.state(90.0, "disengaged"))
    with monkeypatch.context() as patch:
        patch.setattr("cuesense.board.KEPT_LIMIT", 0)
        desk.board.keep({"type": "mark", "t": 0.0})  # more than may wait
    page.text("label", "Disengaged")
    assert page.run("return document.getElementById('notices').innerText") == ""


def test_a_page_that_is_reopened_is_as_it_was(visit: Visit, desk: ScriptedDesk) -> None:
    page = visit()
    page.view("setup")
    in_session(desk, page)
    history = [
        {"t": t / 5, "A": {"arousal": 1.0, "valence": 0.0}, "B": {"arousal": 0.2, "valence": 0.1}}
        for t in range(300)
    ]
    desk.pretend(history=history)
    desk.hold("regulating", t=60.0)
    desk.advise("Try a slower breath.", "your pitch +1.4 SD")
    page.text("label", "Regulating")
    assert "#" not in page.browser.current_url
    page.browser.refresh()  # the token is kept for the tab
    page.view("session")
    page.text("label", "Regulating")
    page.text("say", "Try a slower breath.")
    drawn = "document.querySelector('#trace-arousal .line').getAttribute('d').split('L').length"
    assert page.until(drawn) >= 299


def test_without_the_token_the_page_says_what_to_open(visit: Visit, desk: ScriptedDesk) -> None:
    page = visit()
    page.view("setup")
    for address in (page.place.origin + "/#wrong", page.place.origin + "/"):
        page.run("sessionStorage.clear()")
        page.browser.get("about:blank")
        page.browser.get(address)
        page.text("closing-text", "Open the address that cuesense printed")


def test_two_pages_at_once(page: Page, desk: ScriptedDesk) -> None:
    own = page.browser.current_window_handle
    page.browser.switch_to.new_window("tab")
    page.browser.get(page.place.address)
    page.view("setup")
    in_session(desk, page)
    page.keys("m")
    page.text("notices", "Marked")
    page.browser.close()
    page.browser.switch_to.window(own)
    page.view("session")
    page.text("notices", "Marked")


# ---- nothing leaves, and everybody can use it ---------------------------------------------------


def test_nothing_is_asked_of_anybody_else(page: Page, desk: ScriptedDesk) -> None:
    in_session(desk, page)
    names = page.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert len(names) > 10
    assert [n for n in names if not n.startswith(page.place.origin + "/")] == []
    page.run(
        "window.broken = []; document.addEventListener('securitypolicyviolation',"
        " (e) => broken.push(e.effectiveDirective));"
        "const i = new Image(); i.src = 'https://example.org/x.png'; document.body.append(i);"
        "const s = document.createElement('script'); s.textContent = 'window.foreign = 1';"
        "document.body.append(s); fetch('https://example.org/').catch(() => 0);"
        "new WebSocket('ws://127.0.0.1:9/');"
        "document.body.setAttribute('style', 'color: red')"
    )
    page.until("broken.length >= 5")
    assert set(page.run("return broken")) == {
        *("img-src", "script-src-elem", "connect-src", "style-src-attr")
    }
    assert page.run("return window.foreign") is None
    sent = [json.loads(e["message"])["message"] for e in page.browser.get_log("performance")]
    urls = {
        m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"
    }
    foreign = {u for u in urls if not u.startswith((page.place.origin, "about:", "data:"))}
    assert foreign <= {"https://example.org/x.png", "https://example.org/"}  # ours, and refused


VISIBLE_WITHOUT_NAME = """
    const named = (e) => e.ariaLabel || e.innerText?.trim() || e.labels?.length
        || e.getAttribute("aria-labelledby");
    return [...document.querySelectorAll("button, a[href], input, textarea, [role], section, nav")]
        .filter((e) => e.offsetParent && !e.closest("[aria-hidden=true]") && !named(e)
            && !["status", "presentation", "alert"].includes(e.getAttribute("role")))
        .map((e) => e.outerHTML.slice(0, 80));
"""
CONTRASTS = """
    const rgb = (c) => {
        const m = c.match(/[\\d.]+/g).map(Number);
        return [...m.slice(0, 3), m[3] ?? 1];
    };
    const lum = (c) => { const [r, g, b] = c.map((v) => v / 255)
        .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const behind = (e) => { for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c.slice(0, 3); }
        return [255, 255, 255]; };
    const found = [];
    for (const e of document.querySelectorAll("body *")) {
        const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
        const style = getComputedStyle(e);
        if (!own || !e.getClientRects().length || e.closest("[aria-hidden=true], .hidden, .views")
            || style.visibility === "hidden") continue;
        const svg = e instanceof SVGElement, ink = rgb(svg ? style.fill : style.color);
        if (ink[3] < 1) continue;
        const back = behind(svg ? e.closest("svg").parentElement : e);
        const [a, b] = [lum(ink.slice(0, 3)), lum(back)];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        const size = parseFloat(style.fontSize);
        const least = size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5;
        if (ratio < least) found.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 90)}`);
    }
    return found;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_every_view_fits_is_named_and_can_be_read(
    visit: Visit, desk: ScriptedDesk, size: tuple[int, int], theme: str
) -> None:
    page = visit(size)
    features = [
        {"name": "prefers-reduced-motion", "value": "reduce"},
        {"name": "prefers-color-scheme", "value": theme},
    ]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def look(view: str) -> None:
        wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.run(wide) == 0, view
        assert page.run(VISIBLE_WITHOUT_NAME) == [], view
        assert page.run(CONTRASTS) == [], view
        heads = "return [...document.querySelectorAll('h1')].filter((h) => h.offsetParent).length"
        assert page.run(heads) == (0 if view == "dark" else 1), view
        twice = (
            "const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);"
            "return ids.filter((id, i) => ids.indexOf(id) !== i)"
        )
        assert page.run(twice) == []
        small = (
            "return [...document.querySelectorAll('button, .pill, .scale label, a.primary')]"
            ".filter((e) => e.offsetParent && !e.closest('.faces')).map((e) => "
            "e.getBoundingClientRect()).filter((b) => b.height < 24 || b.width < 24).length"
        )
        assert page.run(small) == 0, view

    page.view("setup")
    desk.faces()
    page.until("document.querySelectorAll('.faces button').length === 2")
    page.click("#keep-picture")
    look("setup")
    desk.enter("baseline", left_s=20.0)
    page.view("baseline")
    look("baseline")
    in_session(desk, page)
    for i, label in enumerate(
        ("regulating", schema.CALM, "disengaged", "no demand", "insufficient")
    ):
        desk.hold(label, t=60.0 + 10 * i, reason="uncalibrated")
        desk.advise("Try a slower breath.", "your pitch +1.4 SD")
        page.text("say", "slower")
        look(schema.short(label))
    desk.board.keep({"type": "health", "items": [desk.hello()["checks"][3]]})
    page.keys("d")
    look("details")
    page.keys("d", "f")
    look("focus")
    page.keys("f", "n")
    look("dark")
    page.keys("n", "?")
    look("help")
    page.keys(Keys.ESCAPE)
    desk.enter("paused")
    page.text("label", "Paused")
    page.keys("e")
    look("end")
    page.keys(Keys.ESCAPE)
    desk.finish()
    page.text("closing-title", "Thank you")
    look("ended")
    assert page.complaints() == []


# ---- speed --------------------------------------------------------------------------------------


def test_pictures_stay_fresh_however_busy_the_machine(
    page: Page, desk: ScriptedDesk, jpegs: list[bytes]
) -> None:
    """What is drawn is recent, not a queue that grows: `make bench-live` measures how recent."""
    in_session(desk, page)
    with scripted.filming(desk, jpegs) as posted:
        for i in range(25):
            desk.show(scripted.state(60 + i / 5, "mirroring"))
            time.sleep(0.2)
    shares = [c["late"] for c in desk.commands if c["type"] == "seen"]
    assert len(shares) > 0.2 * len(posted)
    assert np.quantile(desk.delays[5:], 0.95) < 0.4
    assert all(0 <= share < 1 for share in shares)
