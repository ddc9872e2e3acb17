"""Live sources on real (virtual) devices: one clock, and whatever happens to a device."""

from __future__ import annotations

import builtins
import math
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import devices
from cuesense import doctor
from cuesense.capture import Health, LiveFeed, open_live, open_source, play
from cuesense.capture import microphone as microphones
from cuesense.capture.browser import BrowserFeed, decode
from cuesense.capture.live import LiveSource
from cuesense.capture.paced import Paced
from cuesense.capture.ports import PicturePort, SoundPort, letterbox
from cuesense.capture.skew import ENTRY
from cuesense.config import Capture, Config, Live
from cuesense.errors import DeviceError, ParameterError
from cuesense.types import AudioBlock, Event, Lull, Packet, VideoFrame
from devices import SoundServer, WebCamera

DEADLINE_S = 30.0
QUICK = Config(live=Live(retry_s=0.1, stall_s=1.0, silent_s=1.0))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SoundServer]:
    with devices.sound_server(tmp_path) as running:
        yield running


@pytest.fixture
def camera() -> Iterator[WebCamera]:
    with WebCamera(devices.grey()) as running:
        yield running


@pytest.fixture
def tone(server: SoundServer) -> Iterator[subprocess.Popen[bytes]]:
    """What the microphone hears: a tone that goes on at whole seconds of our clock."""
    with devices.tone() as player:
        yield player


class Taken:
    """A feed's packets, taken in a thread until something holds."""

    def __init__(self, feed: LiveFeed) -> None:
        self.feed = feed
        self.packets: list[Packet] = []
        self.events: list[Event] = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        for packet in self.feed.packets():
            self.packets.append(packet)
            self.events += self.feed.gaps()
        self.events += self.feed.gaps()

    def of(self, kind: type[Packet]) -> list[Packet]:
        return [p for p in list(self.packets) if isinstance(p, kind)]

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, (self.feed.health, len(self.packets), self.events)
            threading.Event().wait(0.02)

    def more(self, kind: type[Packet], n: int = 10) -> None:
        """Wait for `n` more packets of a kind."""
        there = len(self.of(kind))
        self.until(lambda: len(self.of(kind)) >= there + n)

    def state(self, device: str) -> str:
        return next(h.state for h in self.feed.health if h.device == device)

    def sentence(self, device: str) -> str:
        return next(h.sentence for h in self.feed.health if h.device == device)

    def end(self) -> None:
        self.feed.stop()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def take() -> Iterator[Callable[[LiveFeed], Taken]]:
    begun: list[Taken] = []

    def take(feed: LiveFeed) -> Taken:
        begun.append(Taken(feed))
        return begun[-1]

    yield take
    for taken in begun:
        taken.end()


Take = Callable[[LiveFeed], Taken]


def test_camera_and_microphone_on_one_clock(
    server: SoundServer, tone: subprocess.Popen[bytes], take: Take
) -> None:
    with (
        WebCamera(devices.lamp(), fps=29.3) as camera,
        open_live([camera.url], [], QUICK) as feed,
    ):
        taken = take(feed)
        taken.until(lambda: taken.packets and taken.packets[-1].end > 6.0)
        taken.end()
        assert all(h == Health(h.device, h.name, "ok") for h in feed.health)
        info, clocks = feed.info, feed.clocks()
    assert (info.views, info.size, info.channels) == (1, ((640, 360),), (2,))
    pictures, sounds = taken.of(VideoFrame), taken.of(AudioBlock)
    for stream in (pictures, sounds):
        t = np.array([p.t for p in stream])
        assert t[0] >= 0
        assert np.diff(t).min() > 0
    assert np.diff([p.t for p in pictures]).max() < 0.2
    assert [e for e in taken.events if e.t > 1.0] == []
    # Lamp and tone show the skew, which the session keeps.
    skew = clocks[ENTRY]
    assert skew["events"] >= 3
    # Half a picture's interval, and what the virtual sound card renders ahead.
    assert abs(skew["ms"]) < 60, clocks
    assert clocks["camera 1"]["latency_ms"] < 50
    assert 0 <= clocks["microphone 1"]["latency_ms"] < 100


def test_a_session_begins_at_zero_each_time(camera: WebCamera, take: Take) -> None:
    with open_live([camera.url], ["none"], QUICK) as feed:
        for _ in range(2):
            taken = take(feed)
            taken.more(VideoFrame)
            taken.end()
            assert 0 <= taken.packets[0].t < 0.5
            assert feed.started == pytest.approx(time.monotonic(), abs=5.0)


def test_an_unplugged_camera_leaves_a_gap_and_comes_back(
    server: SoundServer, tone: subprocess.Popen[bytes], take: Take
) -> None:
    camera = WebCamera(devices.grey((640, 360)))
    with open_live([camera.url], [], QUICK) as feed:
        taken = take(feed)
        taken.more(VideoFrame)
        camera.close()
        taken.until(lambda: taken.state("camera 1") == "lost")
        assert "check its cable" in taken.sentence("camera 1")
        taken.more(AudioBlock, 50)
        # Another one takes its place: pictures keep their size, so nothing later notices.
        with WebCamera(devices.grey((320, 240)), port=camera.port):
            taken.more(VideoFrame)
            assert taken.state("camera 1") == "ok"
            taken.end()
    assert {p.image.shape for p in taken.of(VideoFrame) if isinstance(p, VideoFrame)} == {
        (360, 640, 3)
    }
    (gap,) = taken.events
    assert (gap.kind, gap.detail) == ("gap", "no picture")
    assert gap.value == pytest.approx(gap.t_end - gap.t)
    assert gap.value > 0.5
    t = [p.t for p in taken.of(VideoFrame)]
    assert np.diff(t).max() == pytest.approx(gap.value, abs=0.01)
    assert np.diff([p.t for p in taken.of(AudioBlock)]).max() < 0.2


def test_a_camera_that_stalls_is_told_and_goes_on(camera: WebCamera, take: Take) -> None:
    with open_live([camera.url], ["none"], QUICK) as feed:
        taken = take(feed)
        taken.more(VideoFrame)
        camera.stalled.set()
        taken.more(Lull, 15)
        taken.until(lambda: taken.state("camera 1") == "lost")
        camera.stalled.clear()
        taken.more(VideoFrame)
        assert taken.state("camera 1") == "ok"
        taken.end()
    t = [p.end for p in taken.packets]
    assert np.diff(t).max() < 0.5, "the grid would stall"
    assert [e.detail for e in taken.events] == ["no picture"]


def test_an_unplugged_microphone_leaves_a_gap_and_comes_back(
    server: SoundServer,
    tone: subprocess.Popen[bytes],
    camera: WebCamera,
    take: Take,
    tmp_path: Path,
) -> None:
    with open_live([camera.url], [], QUICK) as feed:
        taken = take(feed)
        taken.more(AudioBlock, 50)
        server.unplug()
        taken.until(lambda: taken.state("microphone 1") == "lost")
        assert "check its cable" in taken.sentence("microphone 1")
        taken.more(VideoFrame, 30)
        server.plug_in()
        with server.play(devices.noise(tmp_path / "noise.wav")) as player:
            taken.more(AudioBlock, 50)
            player.kill()
        taken.end()
    assert "no sound" in [e.detail for e in taken.events]
    t = np.array([p.t for p in taken.of(AudioBlock)])
    assert np.diff(t).min() > 0
    assert np.diff(t).max() > 0.5
    assert np.diff([p.t for p in taken.of(VideoFrame)]).max() < 0.3


def test_a_muted_microphone_is_told(
    server: SoundServer, tone: subprocess.Popen[bytes], take: Take
) -> None:
    with open_live(["none"], [], QUICK) as feed:
        taken = take(feed)
        taken.more(AudioBlock, 50)
        taken.until(lambda: taken.state("microphone 1") == "ok")
        server.mute(True)
        taken.until(lambda: taken.state("microphone 1") == "silent")
        assert "unmute" in taken.sentence("microphone 1")
        taken.more(Lull, 1)  # what still waited has come
        there = len(taken.of(AudioBlock))
        taken.more(Lull, 5)
        assert len(taken.of(AudioBlock)) == there, "zeros are not a quiet room"
        server.mute(False)
        taken.more(AudioBlock)
        assert taken.state("microphone 1") == "ok"
        taken.end()
    assert "no sound" in [e.detail for e in taken.events]


def test_a_refused_rate_is_not_the_end(
    server: SoundServer, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphones, "RATES", (1, 44_100))
    with open_live(["none"], [], QUICK) as feed:
        taken = take(feed)
        taken.more(AudioBlock)
        assert feed.info.rate == (44_100,)


def test_without_a_camera_the_sound_goes_on(server: SoundServer, take: Take) -> None:
    with open_live(["/dev/video99"], [], QUICK) as feed:
        taken = take(feed)
        taken.more(AudioBlock)
        assert taken.state("camera 1") == "missing"
        assert "plug one in" in taken.sentence("camera 1")
        assert feed.info.views == 1, "it may be plugged in later"
        taken.more(AudioBlock, 50)
        taken.end()
    (gap,) = taken.events
    assert (gap.detail, gap.t) == ("no picture", 0.0)


def test_without_a_microphone_the_pictures_go_on(
    server: SoundServer, camera: WebCamera, take: Take
) -> None:
    with open_live([camera.url], ["no such microphone"], QUICK) as feed:
        taken = take(feed)
        taken.more(VideoFrame, 30)
        assert taken.state("microphone 1") == "missing"
        assert "pulse" in taken.sentence("microphone 1"), "what there is instead is named"
        taken.end()
    assert [e.detail for e in taken.events] == ["no sound"]


def test_a_camera_that_one_may_not_use_is_told(
    camera: WebCamera, tmp_path: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "video0"
    node.write_bytes(b"")
    # Tests may run as root, who may use everything: the system's answer to others is given here.
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(node) and real(path, mode))
    with open_live([str(node), camera.url], ["none"], QUICK) as feed:
        taken = take(feed)
        taken.more(VideoFrame)
        assert taken.state("camera 1") == "denied"
        assert "group 'video'" in taken.sentence("camera 1")


def test_the_doctor_measures_claps(server: SoundServer, tone: subprocess.Popen[bytes]) -> None:
    with WebCamera(devices.lamp(), fps=29.3) as camera:
        finding = doctor.clap([camera.url])
    assert finding.state == "ok", finding
    assert re.search(r"sound comes [+-]\d+ ms after the picture \(\d+ claps\)", finding.detail)


def test_a_camera_in_use_is_told(camera: WebCamera, tmp_path: Path, take: Take) -> None:
    """A file that is no camera stands for a device that another program holds."""
    node = tmp_path / "video0"
    node.write_bytes(b"")
    with open_live([str(node), camera.url], ["none"], QUICK) as feed:
        taken = take(feed)
        taken.more(VideoFrame)
        assert taken.state("camera 1") == "busy"
        assert "close other programs" in taken.sentence("camera 1")
        taken.end()
    assert {p.view for p in taken.of(VideoFrame) if isinstance(p, VideoFrame)} == {1}


def test_nothing_at_all_is_an_error_with_both_reasons(server: SoundServer) -> None:
    with (
        pytest.raises(DeviceError, match=r"camera 1.*no such microphone.*cuesense doctor"),
        open_live(["/dev/video99"], ["no such microphone"], QUICK),
    ):
        pass


def test_without_the_sound_library_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_library(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_library)
    with pytest.raises(DeviceError, match="apt-get install libportaudio2"):
        microphones.list_microphones()


@pytest.mark.parametrize(
    ("cameras", "sound", "words"),
    [
        (["no such camera"], [], "no such camera"),
        (["none"], ["none"], "nothing to sense"),
        (["0", "1", "2"], [], "must be one, two"),
        (["none", "0"], [], "must be one, two"),
    ],
)
def test_impossible_devices_are_refused(cameras: list[str], sound: list[str], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        open_live(cameras, sound, QUICK)


# Devices of a script, where the clock itself is what is tested


class Script:
    """A camera and a microphone that give what a test tells them to."""

    health = (Health("camera 1", "script", "ok"),)
    pictures: PicturePort
    sound: SoundPort

    def start(self, pictures: PicturePort | None, sound: SoundPort | None) -> None:
        assert pictures is not None
        assert sound is not None
        self.pictures, self.sound = pictures, sound
        sound.begin(16_000, 1)

    def stop(self) -> None:
        pass


class Clock:
    """A clock that can jump."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_a_sleep_of_an_hour_is_ten_seconds_of_nothing_and_an_event(take: Take) -> None:
    clock, script = Clock(), Script()
    with LiveSource([script], [script], Live(), Capture(), clock=clock) as source:
        taken = take(source)
        taken.more(Lull, 1)
        script.pictures.offer(clock(), IMAGE.copy())
        taken.more(VideoFrame, 1)
        before = taken.packets[-1].t
        clock.ahead += 3600.0
        taken.more(Lull, 2)
        script.pictures.offer(clock(), IMAGE.copy())
        taken.more(VideoFrame, 1)
        after = taken.of(VideoFrame)[-1].t
        taken.end()
    assert 9.0 < after - before < 15.0
    (gap,) = (e for e in taken.events if e.detail == "the computer slept")
    assert gap.value == pytest.approx(3600, abs=2)
    assert gap.t_end - gap.t == pytest.approx(10.0, abs=1.0)


def test_a_sleep_while_the_clock_stood_still_is_an_event(take: Take) -> None:
    script, slept = Script(), [5.0]
    live, capture = Live(), Capture()
    with LiveSource([script], [script], live, capture, asleep=lambda: slept[0]) as source:
        taken = take(source)
        taken.more(Lull, 1)
        slept[0] += 1800.0
        taken.more(Lull, 3)
        taken.end()
    asleep = [e for e in taken.events if e.detail == "the computer slept"]
    assert [e.value for e in asleep] == [pytest.approx(1800.0)]
    assert taken.packets[-1].end < 60.0


def test_a_pause_gives_nothing_but_time_and_is_an_event(take: Take) -> None:
    clock, script = Clock(), Script()
    with LiveSource([script], [script], Live(), Capture(), clock=clock) as source:
        taken = take(source)
        taken.more(Lull, 1)
        source.pause()
        script.pictures.offer(clock(), IMAGE.copy())
        script.sound.offer(clock(), np.zeros((320, 1), np.float32))
        taken.more(Lull, 3)
        assert not taken.of(VideoFrame)
        source.resume()
        script.pictures.offer(clock(), IMAGE.copy())
        taken.more(VideoFrame, 1)
        taken.end()
    assert "paused" in [e.detail for e in taken.events]


def test_when_behind_the_oldest_pictures_go_and_no_sound_does() -> None:
    clock, script = Clock(), Script()
    settings = Live(queued_pictures=3)
    with LiveSource([script], [script], settings, Capture(), clock=clock) as source:
        packets = source.packets()
        next(packets)  # the session has begun
        start = clock()
        for i in range(20):
            script.pictures.offer(start + i / 30, np.full((8, 8, 3), i, np.uint8))
            script.sound.offer(start + i / 50, np.full((320, 1), i / 100, np.float32))
        source.stop()
        rest = list(packets)
    kept = [int(p.image[0, 0, 0]) for p in rest if isinstance(p, VideoFrame)]
    assert kept == [17, 18, 19]
    assert source.dropped == 17
    sound = np.concatenate([p.samples for p in rest if isinstance(p, AudioBlock)])
    assert len(sound) == 20 * 320


def test_sound_of_another_rate_and_more_channels_is_made_to_fit(take: Take) -> None:
    clock, script = Clock(), Script()
    with LiveSource([script], [script], Live(), Capture(), clock=clock) as source:
        taken = take(source)
        taken.more(Lull, 1)
        script.sound.begin(48_000, 2)
        start = clock()
        t = np.arange(48_000) / 48_000
        wave = np.repeat(np.sin(2 * np.pi * 300 * t)[:, None], 2, axis=1).astype(np.float32)
        for i in range(100):
            script.sound.offer(start + i * 0.01, wave[i * 480 : (i + 1) * 480])
        taken.until(lambda: len(taken.of(AudioBlock)) >= 45)
        taken.end()
    blocks = [p for p in taken.of(AudioBlock) if isinstance(p, AudioBlock)]
    assert {(b.rate, b.samples.shape[1]) for b in blocks} == {(16_000, 1)}
    sound = np.concatenate([b.samples[:, 0] for b in blocks])
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.argmax(spectrum) * 16_000 / len(sound) == pytest.approx(300, abs=3)


def test_a_page_gives_pictures_and_sound_on_its_own_clock(take: Take) -> None:
    import cv2

    page = BrowserFeed(Live(stall_s=1.0))
    with LiveSource([page], [page], Live(), Capture(), kind="browser") as source:
        taken = take(source)
        taken.more(Lull, 1)
        ahead = time.monotonic() - 5.0  # its clock began 5 s ago
        page.sync((time.monotonic() - ahead) * 1000, time.monotonic())
        jpeg = cv2.imencode(".jpg", np.full((72, 128, 3), 90, np.uint8))[1].tobytes()
        now = time.monotonic()
        for i in range(10):
            at = (now - ahead) * 1000 + i * 10
            page.offer_sound(at, i * 480.0, 48_000, 1, np.full((480, 1), 0.1, np.float32))
        page.offer_picture((now - ahead) * 1000, jpeg)
        page.offer_picture((now - ahead) * 1000 + 40, b"no picture")
        taken.until(lambda: len(taken.of(AudioBlock)) >= 4 and taken.of(VideoFrame))
        assert [h.state for h in page.health] == ["ok", "ok"]
        taken.end()
        picture = taken.of(VideoFrame)[0]
        assert picture.t + source.started == pytest.approx(now, abs=0.02)
        block = taken.of(AudioBlock)[0]
        assert block.t + source.started == pytest.approx(now, abs=0.02)


def test_what_is_no_picture_is_left_out() -> None:
    assert decode(b"") is None
    assert decode(b"\xff\xd8\xff\xe0 not a picture") is None


def test_a_letterboxed_picture_is_whole() -> None:
    wide = letterbox(np.full((100, 400, 3), 200, np.uint8), (200, 200))
    assert wide.shape == (200, 200, 3)
    assert (wide[75:125] == 200).all()
    assert (wide[:70] == 0).all()


# A file played as if live


def test_a_played_file_gives_the_very_packets_of_the_file(clip: Path) -> None:
    with open_source(clip) as source:
        expected = list(source.packets())
        with Paced(source, speed=50.0) as played:
            given = list(played.packets())
    assert len(given) == len(expected)
    for a, b in zip(given, expected, strict=True):
        assert (type(a), a.t) == (type(b), b.t)
        if isinstance(a, VideoFrame) and isinstance(b, VideoFrame):
            assert np.array_equal(a.image, b.image)
        if isinstance(a, AudioBlock) and isinstance(b, AudioBlock):
            assert np.array_equal(a.samples, b.samples)


def test_a_played_file_keeps_to_the_clock_and_can_be_held(clip: Path, take: Take) -> None:
    with play(clip, Config()) as feed:
        taken = take(feed)
        taken.until(lambda: taken.packets and taken.packets[-1].t > 0.5)
        late = time.monotonic() - feed.started - taken.packets[-1].end
        assert -0.01 < late < 0.5
        feed.pause()
        threading.Event().wait(0.1)
        held = len(taken.packets)
        threading.Event().wait(0.3)
        assert len(taken.packets) - held <= 1
        feed.resume()
        taken.until(lambda: taken.packets[-1].t > 1.0)
        taken.end()
    assert taken.events == []
    assert math.isfinite(feed.fps)
