"""What a whole session tells: every result on two people is there with its null or interval."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import report_sessions as made
from cuesense.config import Config
from cuesense.session import _plain
from cuesense.summary import summary
from cuesense.timeline import Table
from cuesense.types import F64

SECONDS = 600.0


def put(table: pa.Table, column: str, values: F64) -> pa.Table:
    index = table.schema.get_field_index(column)
    return table.set_column(index, table.schema.field(index), pa.array(values, pa.float64()))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary, as session.json holds it, of a talk with smiles and a partner with peaks."""
    folder, talk = tmp_path_factory.mktemp("summary"), made.session(SECONDS)
    rng = np.random.default_rng(0)
    timeline, state = talk.timeline, talk.state
    smiles = np.cumsum(rng.normal(size=(timeline.num_rows // 2, 2)), axis=0) * 0.01
    timeline = put(timeline, "smile", np.asarray(smiles - smiles.mean(axis=0)).ravel())
    t = state.column("t").to_numpy()
    state = put(state, "partner_arousal", np.where(t % 90 < 35, 1.5, 0.0))
    tables = []
    for name, table in (("timeline", timeline), ("state", state), ("events", talk.events)):
        pq.write_table(table, folder / f"{name}.parquet")
        tables.append(Table(folder / f"{name}.parquet"))
    result = summary(tables[0], tables[1], tables[2], SECONDS, Config())
    plain: dict[str, Any] = json.loads(json.dumps(_plain(result), allow_nan=False))
    return plain


def beside(chance: dict[str, Any]) -> None:
    """Check that a value has its null."""
    assert chance["low"] <= chance["median"] <= chance["high"]
    assert 0.0 < chance["p"] <= 1.0


def test_voices_stand_beside_their_null(found: dict[str, Any]) -> None:
    for person in "AB":
        following = found["entrainment"][person]
        assert min(following["exchanges"].values()) >= 15
        for feature in ("pitch", "level", "pace"):
            for measure in ("proximity", "convergence", "synchrony"):
                beside(following["measures"][feature][measure])


def test_waits_of_the_listener_stand_beside_their_null(found: dict[str, Any]) -> None:
    space = found["space"]
    assert space["reason"] == ""
    # B answers A, whose turns begin every 24 s.
    assert space["after"] + space["otherwise"] == SECONDS / 24
    beside(space["chance"])
    assert space["difference_s"]["low"] <= space["difference_s"]["high"]


def test_turns_and_smiles_stand_beside_their_null(found: dict[str, Any]) -> None:
    beside(found["turns"]["silence"])
    for person in "AB":
        offset, cut_in = found["turns"]["offset_s"][person], found["turns"]["interrupting"][person]
        assert offset["low"] <= found["turns"]["median_offset_s"][person] <= offset["high"]
        assert cut_in["low"] <= cut_in["value"] <= cut_in["high"]
    smiles = found["synchrony"]
    assert smiles["low"] < smiles["high"]
    assert 0.0 < smiles["p"] <= 1.0
    beside(smiles["lead"])


def test_what_cannot_be_said_has_a_reason_and_no_number(found: dict[str, Any]) -> None:
    settling = found["settling"]
    assert (settling["difference"] is None) == bool(settling["reason"])
    assert (settling["chance"]["p"] is None) == bool(settling["reason"])
