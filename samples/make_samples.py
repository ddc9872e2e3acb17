"""Make the bundled sample: a scripted conversation of two drawn people, and its truth.

``python samples/make_samples.py`` writes ``dyad.mp4``, ``dyad.truth.json`` and
``dyad.truth.csv`` beside this file. Tests and benchmarks call `make` for short clips.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

import acting
import portrait
import puppet
import script as play
import truth
import voice
from truth import Performance
from warp import HEIGHT, WIDTH, Array

FPS = 30
AUDIO_RATE = 16_000
CRF = 33  # keeps the sample under the limit with some room
LIMIT_BYTES = 5_000_000
Progress = Callable[[float], None]


def perform(script: play.Script, *, rate: int = AUDIO_RATE, speak: bool = True) -> Performance:
    """Act a script out: voices first, since the mouths follow them.

    Parameters
    ----------
    script : Script
        The play.
    rate : int
        Audio rate, Hz.
    speak : bool
        Without it the people are silent and keep their mouths shut.
    """
    n = round(script.duration_s * rate)
    rng = np.random.default_rng([script.seed, 9])
    # A faint room: low noise at about -62 dBFS.
    mix = (
        np.convolve(rng.standard_normal(n), np.hanning(34) / np.hanning(34).sum(), "same") * 2.4e-3
    )
    times = np.arange(round(script.duration_s * FPS)) / FPS
    mouths, coefficients = {}, {}
    for k, name in enumerate(script.people):
        mouth = np.zeros(round(script.duration_s * 100))
        if speak:
            turns = acting.voice_turns(script, name)
            spoken = voice.speak(turns, script.duration_s, rate=rate, seed=script.seed + k)
            mix += spoken.samples[:n]
            mouth = np.asarray(spoken.mouth, np.float64)
        mouths[name] = mouth
        coefficients[name] = acting.act(script, name, times, mouth)
    # Louder than full scale only in a rare peak: bend it, do not clip it.
    samples = np.tanh(mix).astype(np.float32)
    return Performance(script, samples, rate, FPS, coefficients, mouths)


def frames(
    show: Performance,
    puppets: dict[str, puppet.Puppet],
    start_s: float = 0.0,
    end_s: float | None = None,
) -> Iterator[Array]:
    """Yield the video's frames, (720, 1280, 3) uint8 RGB, person A on the left."""
    end_s = show.script.duration_s if end_s is None else end_s
    for k in range(round(start_s * FPS), round(end_s * FPS)):
        halves = [
            puppets[name].render(
                {c: float(track[k]) for c, track in show.coefficients[name].items()}
            )
            for name in show.script.people
        ]
        yield np.hstack(halves)


def write_video(
    path: Path,
    show: Performance,
    puppets: dict[str, puppet.Puppet],
    *,
    duration_s: float,
    audio: bool = True,
    crf: int = CRF,
    progress: Progress | None = None,
) -> None:
    """Encode the first `duration_s` of a performance: H.264, AAC mono, index first."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        # A fixed number of threads: the encoder's choices must not depend on the machine.
        # Without psychovisual tricks the bits go to faithful edges, which landmarks need.
        video = out.add_stream("libx264", rate=FPS, options={
            "crf": str(crf), "preset": "slow", "threads": "2", "g": "300",
            "x264opts": "psy=0:bframes=5"})  # fmt: skip
        video.width, video.height, video.pix_fmt = 2 * WIDTH, HEIGHT, "yuv420p"
        video.time_base = Fraction(1, FPS)
        sound = (
            out.add_stream("aac", rate=show.rate, layout="mono", bit_rate=32_000) if audio else None
        )
        done = 0
        for k, picture in enumerate(frames(show, puppets, 0.0, duration_s)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = k
            out.mux(video.encode(frame))
            if sound is not None:
                upto = round((k + 1) * show.rate / FPS)
                block = av.AudioFrame.from_ndarray(
                    show.samples[None, done:upto], format="fltp", layout="mono"
                )
                block.rate, block.pts, block.time_base = show.rate, done, Fraction(1, show.rate)
                out.mux(sound.encode(block))
                done = upto
            if progress is not None:
                progress((k + 1) / (duration_s * FPS))
        out.mux(video.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))


def make(
    folder: Path,
    *,
    name: str = "dyad",
    seed: int = play.SEED,
    plan: tuple[tuple[str, str, float], ...] = play.PLAN,
    duration_s: float | None = None,
    model: str | Path | None = None,
    audio: bool = True,
    crf: int = CRF,
    progress: Progress | None = None,
) -> Path:
    """Make a sample and its truth; return the video's path.

    Parameters
    ----------
    folder : Path
        Where to write.
    name : str
        The files' common stem.
    seed, plan
        See `script.write_script`.
    duration_s : float, optional
        Render only this much from the start.
    model : path, optional
        The face landmarker file, see `portrait.model_path`.
    audio : bool
        Without it there is no sound track and nobody speaks.
    crf : int
        Quality of the video, lower is better and bigger.
    progress : callable, optional
        Told the share done, 0-1.
    """
    script = play.write_script(seed, plan)
    duration_s = min(duration_s or script.duration_s, script.duration_s)
    show = perform(script, speak=audio)
    landmarker = portrait.model_path(model)
    puppets = {
        who: puppet.Puppet(portrait.build(who, landmarker, seed=seed)) for who in script.people
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.mp4"
    write_video(path, show, puppets, duration_s=duration_s, audio=audio, crf=crf, progress=progress)
    truth.write(folder / name, show, duration_s, audio=audio)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).parent, help="folder to write to"
    )
    parser.add_argument("--name", default="dyad", help="stem of the files (default: dyad)")
    parser.add_argument(
        "--seed", type=int, default=play.SEED, help="seed of the script (default: %(default)s)"
    )
    parser.add_argument(
        "--duration", type=float, help="render only this many seconds from the start"
    )
    parser.add_argument("--only-video", action="store_true", help="no sound track; nobody speaks")
    parser.add_argument("--model", type=Path, help="the face landmarker file")
    parser.add_argument(
        "--crf", type=int, default=CRF, help="video quality, lower is better (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)

    def show(share: float) -> None:
        if sys.stderr.isatty() or share >= 1:
            print(f"\rrendering {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr)

    path = make(
        given.output,
        name=given.name,
        seed=given.seed,
        duration_s=given.duration,
        model=given.model,
        audio=not given.only_video,
        crf=given.crf,
        progress=show,
    )
    size = path.stat().st_size
    print(f"{path}: {size / 1e6:.2f} MB")
    if size > LIMIT_BYTES:
        print(f"{size} bytes must be <= {LIMIT_BYTES}: raise --crf", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
