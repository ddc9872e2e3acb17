"""Series of one's own: synchrony, windows, and the files of other programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

import cuesense
import export_sessions
from cuesense import Session
from cuesense.config import Config
from cuesense.dyad.synchrony import session_synchrony
from cuesense.errors import MediaError, ParameterError
from cuesense.importers import (
    read_libreface,
    read_openface,
    read_opensmile,
    read_pyfeat,
    read_rmea,
)
from cuesense.series import SEED, Series, Signals
from cuesense.windows import FUNCTIONALS, functionals
from media import Video, write_media


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return export_sessions.write(tmp_path_factory.mktemp("made") / "talk.cuesense", 40.0)


def slow(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return noise with a memory of some samples."""
    return np.convolve(rng.normal(size=n + 20), np.ones(8) / 8, "same")[10 : n + 10]


def test_synchrony_is_that_of_a_session() -> None:
    rng = np.random.default_rng(3)
    x = slow(rng, 1500)
    y = np.roll(x, 2) + 0.5 * slow(rng, 1500)
    found = cuesense.synchrony(x, y, rate_hz=5)
    settings = Config().synchrony
    expected = session_synchrony(
        x, y, rate_hz=5, band_s=settings.band_face_s, settings=settings,
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    assert (found.z, found.p, found.peak_lag_s) == (expected.z, expected.p, expected.peak_lag_s)
    assert found.p < 0.05
    assert found.peak_lag_s == pytest.approx(0.4)
    assert found.leader == "x"


def test_series_of_two_rates_meet_where_both_are() -> None:
    rng = np.random.default_rng(4)
    t = np.arange(0, 300, 0.04)
    wave = np.interp(t, np.arange(0, 301), rng.normal(size=301))
    a = Series(t, wave, "smile")
    later = 60.0  # the second begins later and has more values per s
    u = np.arange(later, 290, 1 / 100)
    b = Series(u, np.interp(u - 0.6, t, wave), "heart")
    with pytest.raises(ParameterError, match="smile has 25 Hz, heart 100 Hz; give rate_hz"):
        cuesense.synchrony(a, b)
    found = cuesense.synchrony(a, b, rate_hz=5, window_s=20)
    assert found.p < 0.05
    assert found.peak_lag_s == pytest.approx(0.6, abs=0.21)
    assert found.windows == len(np.arange(0, (290 - later) - 25 + 1e-9, 10))


def test_series_at_other_times_never_bridge_a_gap() -> None:
    t = np.delete(np.arange(0, 10, 0.1), slice(40, 50))
    values = 2 * t
    values[10] = np.nan
    series = Series(t, values)
    np.testing.assert_allclose(series.at(t[:8], 10), values[:8])
    assert series.at(np.array([0.25]), 10) == pytest.approx([0.5])
    assert np.isnan(series.at(np.array([0.95, 1.0, 1.05, 4.5, -1, 10.5]), 10)).all()
    grid = np.arange(0, 9.5, 0.5)
    means = series.at(grid, 2)
    assert means[2] == pytest.approx(np.nanmean(values[8:13]))
    assert np.isnan(means[9])  # 4.25 to 4.75 s: nothing is there


def test_series_that_make_no_sense() -> None:
    with pytest.raises(ParameterError, match="time must rise, but row 2 is at 1 s after 1 s"):
        Series(np.array([0.0, 1, 1]), np.zeros(3))
    with pytest.raises(ParameterError, match="equally long"):
        Series(np.arange(3.0), np.zeros(2))
    with pytest.raises(ParameterError, match="needs two"):
        Series(np.zeros(1), np.zeros(1))
    a = Series(np.arange(0, 10.0), np.zeros(10), "a")
    b = Series(np.arange(20, 30.0), np.zeros(10), "b")
    with pytest.raises(ParameterError, match="no time in common"):
        cuesense.synchrony(a, b)
    with pytest.raises(ParameterError, match="both be Series"):
        cuesense.synchrony(a, np.zeros(10), rate_hz=1)
    with pytest.raises(ParameterError, match="rate_hz is missing"):
        cuesense.synchrony(np.zeros(10), np.zeros(10))
    with pytest.raises(ParameterError, match="equally long"):
        cuesense.synchrony(np.zeros(10), np.zeros(9), rate_hz=5)
    with pytest.raises(ParameterError, match="setting='windows_s' must be one of window_s"):
        cuesense.synchrony(np.zeros(10), np.zeros(10), rate_hz=5, windows_s=3)
    with pytest.raises(ParameterError, match="rate_hz=0 must be > 0"):
        cuesense.synchrony(np.zeros(10), np.zeros(10), rate_hz=0)


def test_series_of_a_session(session: Session) -> None:
    series = session.series("arousal", "A")
    np.testing.assert_array_equal(series.values, session.timeline.of("A", ["arousal"])["arousal"])
    assert series.rate_hz == pytest.approx(25)
    assert session.series("p_mirroring").rate_hz == pytest.approx(5)
    with pytest.raises(ParameterError, match="column='aroused'"):
        session.series("aroused", "A")
    with pytest.raises(ParameterError, match="person='C'"):
        session.series("arousal", "C")


def test_windows(session: Session) -> None:
    frame = session.window(30, step=5).agg("mean", "sd", "p80", "slope", "coverage",
                                           columns=["arousal", "f0_hz"])  # fmt: skip
    assert frame["person"].tolist() == ["A"] * 3 + ["B"] * 3
    assert frame["t"].tolist() == [0, 5, 10] * 2
    ticks = session.timeline.to_pandas()
    for _, row in frame.iterrows():
        part = ticks[
            (ticks["person"] == row["person"]) & ticks["t"].between(row["t"], row["t_end"])
        ]
        part = part.iloc[:750]
        for column in ("arousal", "f0_hz"):
            x = part[[column, "t"]].dropna()
            assert row[f"{column}_mean"] == pytest.approx(x[column].mean())
            assert row[f"{column}_sd"] == pytest.approx(x[column].std())
            assert row[f"{column}_p80"] == pytest.approx(np.percentile(x[column], 80))
            assert row[f"{column}_slope"] == pytest.approx(np.polyfit(x["t"], x[column], 1)[0])
            assert row[f"{column}_coverage"] == pytest.approx(len(x) / 750)
    states = session.window(10, table="state").agg("mean")
    assert states["t"].tolist() == [0, 10, 20, 30]
    assert "p_mirroring_mean" in states
    assert len(session.window(50).agg("mean")) == 0


def test_windows_that_make_no_sense(session: Session) -> None:
    with pytest.raises(ParameterError, match="window=0 must be > 0 s"):
        session.window(0)
    with pytest.raises(ParameterError, match="step=-1 must be > 0 s"):
        session.window(30, step=-1)
    with pytest.raises(ParameterError, match="functional='median' must be one of mean, sd"):
        session.window(30).agg("median")
    with pytest.raises(ParameterError, match="column='label' is no column of numbers"):
        session.window(30, table="state").agg("mean", columns=["label"])
    with pytest.raises(ParameterError, match="table='events'"):
        session.window(30, table="events")


def test_columns_that_are_not_there(session: Session) -> None:
    near = r"'arousl' is no column .*; did you mean arousal\?"
    with pytest.raises(ParameterError, match=near):
        session.timeline.to_pandas(["arousl"])
    with pytest.raises(ParameterError, match=near):
        session.series("arousl", "A")
    with pytest.raises(ParameterError, match=near):
        session.window(30).agg("mean", columns=["arousl"])


def test_functionals_of_little() -> None:
    t = np.array([0.0, 1, 2, 3])
    x = np.array([[1.0, np.nan], [np.nan, np.nan], [5.0, 2.0], [np.nan, np.nan]])
    found = functionals(t, x.T, np.array([[0.0, 4.0], [8.0, 9.0]]))
    assert list(found) == list(FUNCTIONALS)
    np.testing.assert_allclose(found["mean"].T, [[3.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_allclose(found["sd"].T, [[np.sqrt(8), np.nan], [np.nan, np.nan]])
    np.testing.assert_allclose(found["p50"].T, [[3.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_allclose(found["slope"].T, [[2.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_allclose(found["coverage"].T, [[0.5, 0.25], [0.0, 0.0]])


def test_functionals_of_a_long_flat_series() -> None:
    t = np.arange(90_000) / 25
    found = functionals(t, np.full((1, 90_000), 200.1), np.array([[3000.0, 3030.0]]))
    assert found["mean"][0, 0] == pytest.approx(200.1, rel=1e-12)
    assert found["sd"][0, 0] == pytest.approx(0, abs=1e-9)
    assert found["slope"][0, 0] == pytest.approx(0, abs=1e-9)


def test_openface(tmp_path: Path) -> None:
    path = tmp_path / "of.csv"
    path.write_text(
        "frame, face_id, timestamp, confidence, success, pose_Ry, AU12_r, AU12_c\n"
        "1, 0, 0.000, 0.98, 1, 0.10, 1.50, 1.00\n"
        "2, 0, 0.033, 0.02, 0, 0.00, 0.00, 0.00\n"
        "3, 0, 0.067, 0.98, 1, 0.20, 2.50, 1.00\n",
        encoding="utf-8",
    )
    found = read_openface(path)
    np.testing.assert_array_equal(found["AU12_r"].values, [1.5, np.nan, 2.5])
    np.testing.assert_array_equal(found["AU12_r"].t, [0, 0.033, 0.067])
    assert list(found) == ["confidence", "success", "pose_Ry", "AU12_r", "AU12_c"]
    with pytest.raises(ParameterError, match="no column 'AU12'; did you mean AU12_"):
        found["AU12"]
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "1, 1, 0.000, 0.98, 1, 0.10, 3.50, 1.00\n"
                    "2, 1, 0.033, 0.98, 1, 0.10, 4.50, 1.00\n", encoding="utf-8")  # fmt: skip
    with pytest.raises(ParameterError, match=r"several faces \(0, 1\); choose one with face="):
        read_openface(path)
    np.testing.assert_array_equal(read_openface(path, face=1)["AU12_r"].values, [3.5, 4.5])
    with pytest.raises(ParameterError, match="face=2 must be one of 0, 1"):
        read_openface(path, face=2)


def test_pyfeat(tmp_path: Path) -> None:
    path = tmp_path / "fex.csv"
    frame = pd.DataFrame(
        {"FaceRectX": [10.0, np.nan, 12],
         "FaceScore": [0.9, np.nan, 0.8], "AU12": [0.1, np.nan, 0.3],
         "happiness": [0.5, np.nan, 0.7], "input": "talk.mp4", "frame": [0, 10, 20],
         "approx_time": ["00:00", "00:00", "00:00"]}
    )  # fmt: skip
    frame.to_csv(path)
    found = read_pyfeat(path, fps=25)
    np.testing.assert_allclose(found["AU12"].t, [0, 0.4, 0.8])
    np.testing.assert_array_equal(found["AU12"].values, [0.1, np.nan, 0.3])
    with pytest.raises(ParameterError, match="fps=0 must be > 0"):
        read_pyfeat(path, fps=0)
    frame.assign(Identity=["Person_0", "Person_1", "Person_0"]).to_csv(path)
    with pytest.raises(ParameterError, match="several faces"):
        read_pyfeat(path, fps=25)
    assert len(read_pyfeat(path, fps=25, face="Person_0")["AU12"].t) == 2


def test_libreface(tmp_path: Path) -> None:
    path = tmp_path / "lf.csv"
    path.write_text(
        "frame_idx,frame_time_in_ms,au_12,au_12_intensity,facial_expression\n"
        "0,0.0,1,2.5,Happiness\n1,40.0,0,0.5,Neutral\n",
        encoding="utf-8",
    )
    found = read_libreface(path)
    assert list(found) == ["au_12", "au_12_intensity"]
    np.testing.assert_allclose(found["au_12_intensity"].t, [0, 0.04])
    with pytest.raises(MediaError, match="no column timestamp: give a CSV that OpenFace wrote"):
        read_openface(path)


def test_opensmile(tmp_path: Path) -> None:
    path = tmp_path / "lld.csv"
    path.write_text(
        "name;frameTime;F0final_sma;pcm_loudness_sma\n'unknown';0.00;120.5;0.2\n"
        "'unknown';0.01;121.5;0.3\n",
        encoding="utf-8",
    )
    found = read_opensmile(path)
    np.testing.assert_allclose(found["F0final_sma"].values, [120.5, 121.5])
    np.testing.assert_allclose(found["F0final_sma"].t, [0, 0.01])
    index = pd.MultiIndex.from_tuples(
        [("a.wav", pd.Timedelta(s, "s"), pd.Timedelta(s + 0.02, "s")) for s in (0.0, 0.01)],
        names=["file", "start", "end"],
    )
    pd.DataFrame({"Loudness_sma3": [0.5, 0.6]}, index=index).to_csv(path)
    np.testing.assert_allclose(read_opensmile(path)["Loudness_sma3"].t, [0, 0.01])
    path.write_text("file,start,end,x\na.wav,0 days,0 days 00:00:09,1\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="holds one row"):
        read_opensmile(path)
    path.write_text("time,x\n0,1\n1,2\n", encoding="utf-8")
    with pytest.raises(MediaError, match="frameTime or start"):
        read_opensmile(path)


@pytest.mark.parametrize("head", ["", "left right head\n"])
@pytest.mark.parametrize("between", ["\t", "  ", ",", ";"])
def test_rmea(tmp_path: Path, head: str, between: str) -> None:
    path = tmp_path / "100_01.txt"
    rows = ["1 2 3", "4 5 6", "7 NA 9"]
    text = "\n".join(row.replace(" ", between) for row in rows) + "\n"
    path.write_text(head.replace(" ", between) + text, encoding="utf-8")
    found = read_rmea(path, rate_hz=25, columns=[[1], [2, 3]])
    np.testing.assert_array_equal(found["s1"].values, [1, 4, 7])
    np.testing.assert_array_equal(found["s2"].values, [5, 11, np.nan])
    np.testing.assert_allclose(found["s1"].t, [0, 0.04, 0.08])
    with pytest.raises(ParameterError, match="column=4 must be 1 to 3"):
        read_rmea(path, rate_hz=25, columns=[[4]])


@pytest.mark.parametrize("read", [read_openface, read_libreface, read_opensmile])
def test_files_that_cannot_be_read(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(MediaError, match=r"none\.csv.* cannot be read"):
        read(tmp_path / "none.csv")
    path = tmp_path / "ü.csv"
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(MediaError, match="it is not text"):
        read(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(MediaError, match="cannot be read as CSV"):
        read(path)
    path.write_text("a,b\n1,2\n1,2,3,4\n", encoding="utf-8")
    with pytest.raises(MediaError, match="cannot be read as CSV"):
        read(path)


def test_synchrony_of_a_file_with_a_session(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "mea.txt"
    x = session.timeline.of("A", ["motion_energy"])["motion_energy"]
    path.write_text("\n".join(f"{v:.9f} {v:.9f}" for v in x), encoding="utf-8")
    assert 0.1 < np.isnan(x).mean() < 0.5
    mine = read_rmea(path, rate_hz=25)
    assert isinstance(mine, Signals)
    found = cuesense.synchrony(
        mine["s1"], session.series("motion_energy", "A"), rate_hz=5, min_duration_s=30, window_s=10
    )
    assert found.z > 0.5
    assert found.p < 0.05
    assert found.peak_lag_s == 0


def test_tables_as_data_frames(session: Session) -> None:
    plain = session.timeline.to_pandas(["t", "arousal"])
    frame = session.timeline.to_pandas(["arousal"], index="seconds")
    np.testing.assert_array_equal(frame.index, plain["t"])
    np.testing.assert_array_equal(frame["arousal"], plain["arousal"])
    polars = session.timeline.to_polars(["t", "arousal", "face_reason"])
    assert polars.columns == ["t", "arousal", "face_reason"]
    np.testing.assert_array_equal(polars["arousal"].to_numpy(), plain["arousal"])
    with pytest.raises(ParameterError, match="needs to know when the recording was made"):
        session.timeline.to_pandas(index="time")
    with pytest.raises(ParameterError, match="index='ms' must be one of seconds, time"):
        session.timeline.to_pandas(index="ms")  # type: ignore[arg-type]


def test_tables_by_date_and_time(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "talk.cuesense"
    shutil.copytree(session.path, folder)
    meta = dict(session.meta)
    meta["source"] = meta["source"] | {"started": "2024-05-01T10:00:00.250000+00:00"}
    (folder / "session.json").write_text(json.dumps(meta), encoding="utf-8")
    frame = Session(folder).state.to_pandas(index="time")
    assert frame.index[0] == pd.Timestamp("2024-05-01 10:00:00.25", tz="UTC")
    assert frame.index[1] == pd.Timestamp("2024-05-01 10:00:00.45", tz="UTC")
    assert isinstance(frame.index, pd.DatetimeIndex)
    assert str(frame.index.tz) == "UTC"


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2024-05-01T10:00:00.250000Z", "2024-05-01T10:00:00.250000+00:00"),
        ("1904-01-01T00:00:00.000000Z", ""),
        ("yesterday", ""),
    ],
)
def test_when_a_recording_was_made(tmp_path: Path, stamp: str, expected: str) -> None:
    plain = write_media(tmp_path / "plain.mkv", Video(seconds=0.5), None)
    path = tmp_path / "made.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as out:
        out.metadata["creation_time"] = stamp
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert cuesense.open_source(plain).info.started == ""
    assert cuesense.open_source(path).info.started == expected
