"""Each format, opened with the field's own reader: values, gaps and reasons are all there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow.parquet as pq
import pympi
import pytest
import pyxdf
from praatio import textgrid

import export_sessions
from cuesense import Session, schema

VALUES = [c.name for c in schema.VALUE_COLUMNS]
EVIDENCE = [c.name for c in schema.STATE if c.kind == "float" and c.name != "t"]


@pytest.fixture(scope="module", params=["made", "sample"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A made-up session that fills every column, and a real one."""
    if request.param == "sample":
        return request.getfixturevalue("sample_session")  # type: ignore[no-any-return]
    folder = tmp_path_factory.mktemp("made") / "Gespräch 長い.cuesense"
    return export_sessions.write(folder, 20.0, names=("Gespräch 長い.mp4",))


def of(session: Session, person: str) -> pd.DataFrame:
    timeline = session.timeline.to_pandas()
    return timeline[timeline["person"] == person].reset_index(drop=True)


def same(found: Any, expected: Any) -> None:
    """Equal as float32, missing in the same places."""
    np.testing.assert_array_equal(np.asarray(found, np.float32), np.asarray(expected, np.float32))


def missing_somewhere(frame: pd.DataFrame, columns: list[str]) -> bool:
    share = float(frame[columns].isna().to_numpy().mean())
    return 0.05 < share < 0.95


def text_of(columns: tuple[schema.Column, ...]) -> list[str]:
    return [c.name for c in columns if c.kind == "text"]


def read_csv(path: Path, columns: tuple[schema.Column, ...]) -> pd.DataFrame:
    words = dict.fromkeys(text_of(columns), str)
    frame = pd.read_csv(
        path,
        dtype=words,
        keep_default_na=False,
        na_values={c.name: [""] for c in columns if c.kind == "float"},
    )
    return frame


def test_csv(session: Session, tmp_path: Path) -> None:
    folder = session.to_csv(tmp_path)
    found = read_csv(folder / "timeline.csv", schema.TIMELINE)
    expected = session.timeline.to_pandas()
    assert list(found.columns) == list(expected.columns)
    assert missing_somewhere(expected, VALUES)
    same(found[VALUES], expected[VALUES])
    np.testing.assert_array_equal(found["t"], expected["t"])
    for column in text_of(schema.TIMELINE):
        assert found[column].tolist() == expected[column].tolist()
    found = read_csv(folder / "state.csv", schema.STATE)
    same(found[EVIDENCE], session.state.to_pandas()[EVIDENCE])
    assert found["label"].tolist() == session.state.to_pandas()["label"].tolist()
    found = read_csv(folder / "events.csv", schema.EVENTS_TABLE)
    expected = session.events.to_pandas()
    for column in text_of(schema.EVENTS_TABLE):
        assert found[column].tolist() == expected[column].tolist()
    same(found["value"], expected["value"])
    assert list(pd.read_csv(folder / "columns.csv")["table"].unique()) == [
        "timeline", "state", "events",
    ]  # fmt: skip


def test_wide_csv(session: Session, tmp_path: Path) -> None:
    path = session.to_csv(tmp_path, wide=True) / "wide.csv"
    words = {f"{p}_{r}": str for p in "AB" for r in schema.REASONS}
    found = pd.read_csv(path, dtype=words, low_memory=False)
    for person in "AB":
        mine = of(session, person)
        assert len(found) == len(mine)
        np.testing.assert_array_equal(found["t"], mine["t"])
        same(found[[f"{person}_{c}" for c in VALUES]], mine[VALUES])
        assert found[f"{person}_face_reason"].fillna("").tolist() == mine["face_reason"].tolist()
    state = session.state.to_pandas()
    there = found[found["dyad_label"].notna()]
    assert there["dyad_label"].tolist() == state["label"].tolist()
    np.testing.assert_allclose(there["t"], state["t"], atol=0.02)
    same(there[[f"dyad_{c}" for c in EVIDENCE]], state[EVIDENCE])


def query(text: str) -> float:
    (row,) = duckdb.connect().execute(text).fetchall()
    return float(row[0])


def test_parquet(session: Session, tmp_path: Path) -> None:
    folder = session.to_parquet(tmp_path)
    for name in ("timeline", "state", "events"):
        expected = getattr(session, name).to_pandas()
        path = folder / f"{name}.parquet"
        pd.testing.assert_frame_equal(pd.read_parquet(path), expected)
        assert query(f"select count(*) from '{path}'") == len(expected)
        assert polars.read_parquet(path).columns == list(expected.columns)
    mean = query(f"select avg(arousal) from '{folder / 'timeline.parquet'}'")
    assert mean == pytest.approx(session.timeline.to_pandas()["arousal"].mean())
    layout = pq.read_schema(folder / "timeline.parquet")
    assert layout.field("f0_hz").metadata[b"unit"] == b"Hz"
    assert layout.field("f0_hz").metadata[b"reason"] == b"voice_reason"
    provenance = json.loads(layout.metadata[b"cuesense"])
    assert provenance["config_hash"] == session.meta["config_hash"]


def spans(session: Session, kind: str, person: str) -> list[tuple[float, float]]:
    events = session.events.to_pandas()
    mine = events[(events["kind"] == kind) & (events["person"] == person)]
    return sorted(zip(mine["t"].tolist(), mine["t_end"].tolist(), strict=True))


def label_runs(session: Session) -> list[tuple[float, str]]:
    state = session.state.to_pandas()
    first = state["label"] != state["label"].shift()
    return list(zip(state["t"][first], state["label"][first], strict=True))


def test_elan(session: Session, tmp_path: Path) -> None:
    (path,) = session.to_elan(tmp_path).glob("*.eaf")
    eaf = pympi.Eaf(path)
    media = [m["MEDIA_URL"] for m in eaf.media_descriptors]
    assert media == [f"./{name}" for name in session.meta["source"]["paths"]]
    assert eaf.media_descriptors[0]["MIME_TYPE"] == "video/mp4"
    tiers = eaf.get_tier_names()
    compared = 0
    for person in "AB":
        for kind in ("turn", "nod", "shake", "look_away", "backchannel"):
            expected = [
                (round(t * 1000), max(round(t * 1000) + 1, round(end * 1000)))
                for t, end in spans(session, kind, person)
            ]
            mine = [n for n in tiers if n.rstrip(" 23456789") == f"{person} {kind}"]
            found = [a[:2] for n in mine for a in eaf.get_annotation_data_for_tier(n)]
            assert sorted(found) == expected
            compared += len(found)
    assert compared > 10
    runs = eaf.get_annotation_data_for_tier("dyad label")
    assert [(t, word) for t, _, word in runs] == [
        (round(t * 1000), word) for t, word in label_runs(session)
    ]
    ticks = of(session, "A")
    compared = 0
    for reason in schema.REASONS:
        tier = f"A {reason}"
        for t, end, word in eaf.get_annotation_data_for_tier(tier) if tier in tiers else ():
            # 1 ms: a time in ms is rounded
            inside = ticks[(ticks["t"] * 1000 >= t - 1) & (ticks["t"] * 1000 < end - 1)]
            assert set(inside[reason]) == {word}
            compared += len(inside)
    assert compared == (ticks[list(schema.REASONS)] != "").to_numpy().sum() > 0
    assert len(eaf.timeslots) == 2 * len(eaf.annotations)
    times = list(eaf.timeslots.values())
    assert times == sorted(times)


def test_textgrid(session: Session, tmp_path: Path) -> None:
    (path,) = session.to_textgrid(tmp_path).glob("*.TextGrid")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    compared = 0
    for person in "AB":
        for kind in ("turn", "nod", "look_away", "backchannel"):
            mine = [n for n in grid.tierNames if n.rstrip(" 23456789") == f"{person} {kind}"]
            found = sorted((e.start, e.end) for n in mine for e in grid.getTier(n).entries)
            expected = spans(session, kind, person)
            np.testing.assert_allclose(found, expected, atol=1e-9)
            compared += len(found)
    assert compared > 10
    runs = [(e.start, e.label) for e in grid.getTier("dyad label").entries]
    assert [word for _, word in runs] == [word for _, word in label_runs(session)]
    np.testing.assert_allclose([t for t, _ in runs], [t for t, _ in label_runs(session)], atol=1e-9)
    assert grid.maxTimestamp >= session.state.to_pandas()["t"].max()


def test_bids(session: Session, tmp_path: Path) -> None:
    folder = session.to_bids(tmp_path)
    (place,) = folder.glob("sub-*/beh")
    stem = next(place.glob("*_events.tsv")).name.removesuffix("_events.tsv")
    for recording, table in (("A", of(session, "A")), ("B", of(session, "B")),
                             ("dyad", session.state.to_pandas())):  # fmt: skip
        name = f"{stem}_recording-{recording}_physio"
        about = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
        assert about["SamplingFrequency"] == (5 if recording == "dyad" else 25)
        assert about["StartTime"] == table["t"].iloc[0]
        found = pd.read_csv(
            place / f"{name}.tsv.gz", sep="\t", header=None, names=about["Columns"], na_values="n/a"
        )
        assert len(found) == len(table)
        for column in about["Columns"]:
            if "Levels" in about[column]:
                words = {int(k): v.split(":")[0] for k, v in about[column]["Levels"].items()}
                words[0] = ""
                assert [words[k] for k in found[column]] == table[column].tolist()
            else:
                same(found[column], table[column])
    events = pd.read_csv(place / f"{stem}_events.tsv", sep="\t", na_values="n/a")
    assert list(events.columns[:2]) == ["onset", "duration"]
    expected = session.events.to_pandas().sort_values(["t", "t_end"], kind="stable")
    np.testing.assert_allclose(events["onset"], expected["t"], rtol=1e-8)
    np.testing.assert_allclose(events["duration"], expected["t_end"] - expected["t"], atol=1e-6)
    same(events["value"], expected["value"])
    assert events["trial_type"].tolist() == expected["kind"].tolist()


def test_bids_is_valid(session: Session, tmp_path: Path) -> None:
    folder = session.to_bids(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "from bids_validator_deno import cli; cli()", "--json", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["dataTypes"] == ["beh"]
    assert [i for i in found["issues"]["issues"] if i["severity"] == "error"] == []
    assert done.returncode == 0


def test_rttm(session: Session, tmp_path: Path) -> None:
    (path,) = session.to_rttm(tmp_path).glob("*.rttm")
    lines = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    assert {len(line) for line in lines} == {10}
    for person in "AB":
        found = [
            (float(line[3]), float(line[3]) + float(line[4])) for line in lines if line[7] == person
        ]
        spoken = [*spans(session, "turn", person), *spans(session, "backchannel", person)]
        np.testing.assert_allclose(sorted(found), sorted(spoken), atol=0.0011)


def test_xdf(session: Session, tmp_path: Path) -> None:
    (path,) = session.to_xdf(tmp_path).glob("*.xdf")
    streams, _ = pyxdf.load_xdf(path)
    by_name = {s["info"]["name"][0]: s for s in streams}
    assert list(by_name) == ["A", "B", "dyad", "events"]
    for name, table, rate in (("A", of(session, "A"), 25), ("B", of(session, "B"), 25),
                              ("dyad", session.state.to_pandas(), 5)):  # fmt: skip
        stream = by_name[name]
        assert float(stream["info"]["nominal_srate"][0]) == rate
        assert stream["info"]["effective_srate"] == pytest.approx(rate, rel=1e-6)
        np.testing.assert_allclose(stream["time_stamps"], table["t"], atol=1e-6)
        channels = stream["info"]["desc"][0]["channels"][0]["channel"]
        units = {c.name: c.unit for c in (*schema.STATE, *schema.TIMELINE)}
        for i, channel in enumerate(channels):
            column, values = channel["label"][0], stream["time_series"][:, i]
            if "codes" in channel:
                codes = channel["codes"][0]["code"]
                words = {int(c["value"][0]): c["word"][0] or "" for c in codes}
                assert [words[int(k)] for k in values] == table[column].tolist()
            else:
                assert channel["unit"][0] == units[column]
                same(values, table[column])
        offsets = stream["footer"]["info"]["clock_offsets"][0]["offset"]
        assert len(offsets) >= 2
        assert {float(o["value"][0]) for o in offsets} == {0.0}
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(table)
    happened = by_name["events"]
    expected = session.events.to_pandas().sort_values(["t", "t_end"], kind="stable")
    np.testing.assert_allclose(happened["time_stamps"], expected["t"], atol=1e-9)
    labels = [c["label"][0] for c in happened["info"]["desc"][0]["channels"][0]["channel"]]
    found = pd.DataFrame(happened["time_series"], columns=labels)
    assert found["kind"].tolist() == expected["kind"].tolist()
    assert found["detail"].tolist() == expected["detail"].tolist()
    same(found["value"].astype(float), expected["value"])


def test_functionals(session: Session, tmp_path: Path) -> None:
    folder = session.to_functionals(tmp_path)
    turns = pd.read_csv(folder / "turns.csv")
    events = session.events.to_pandas()
    expected = events[events["kind"] == "turn"].sort_values(["t", "t_end"], kind="stable")
    for person in "AB":
        rows = turns[turns["person"] == person]
        assert rows["speaker"].tolist() == expected["person"].tolist()
        ticks = of(session, person)
        for _, row in rows.iterrows():
            part = ticks[(ticks["t"] >= row["t"] - 1e-6) & (ticks["t"] < row["t_end"] - 1e-6)]
            for column in ("arousal", "f0_hz", "motion_energy"):
                x = part[column].dropna()
                assert row[f"{column}_coverage"] == pytest.approx(
                    len(x) / max(1, len(part)), rel=1e-6
                )
                if len(x):
                    assert row[f"{column}_mean"] == pytest.approx(x.mean(), rel=1e-5, abs=1e-6)
                    assert row[f"{column}_p80"] == pytest.approx(
                        np.percentile(x, 80), rel=1e-5, abs=1e-6
                    )
                else:
                    assert np.isnan(row[f"{column}_mean"])
    windows = pd.read_csv(folder / "windows.csv")
    about = pd.read_csv(folder / "columns.csv")
    assert set(windows.columns) == {"person", "t", "t_end", *about["name"]}
    assert set(about["unit"][about["name"] == "f0_hz_slope"]) == {"Hz/s"}
