"""A sealed shadow readout comes out again from its own files, or it is said what changed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from experiments.logs.sources import Place
from experiments.shadows.judgement import make_shadow_readout
from experiments.shadows.logs import PredictionSources, parse_prediction_sources
from experiments.shadows.looking import take_look
from experiments.shadows.readout import ShadowReadout
from experiments.shadows.reproduction import verify_shadow
from tests.experiments.shadows import SOURCE, Traffic, changed, context_of, laboratory

CHANGES = {
    "size": {"requests_per_unit": 4},
    "segments": [{"attribute": "country"}],
    "limits": [{"measure": "latency_p95", "worsening": 20, "reason": "20 ms cost a session"}],
}


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[ShadowReadout, PredictionSources]:
    """A readout from files, as it is sealed."""
    found = laboratory(CHANGES)
    found.frames["predictions"].to_parquet(tmp_path / "predictions.parquet")
    found.frames["labels"].to_parquet(tmp_path / "labels.parquet")
    source = changed(SOURCE, {})
    for log in (source["logs"][0], source["labels"]):
        log["files"] = f"{log.pop('frame')}*.parquet"
    sources = parse_prediction_sources(json.dumps({"predictions": {"main": source}}), Place(tmp_path))
    taken = take_look(found.design, sources)
    readout = make_shadow_readout(found.design, taken.evidence, context_of(found.design, taken))
    return ShadowReadout.of_document(json.loads(readout.canonical())), sources


def test_the_same_files_give_the_same_readout(sealed: tuple[ShadowReadout, PredictionSources]) -> None:
    readout, sources = sealed
    found = verify_shadow(laboratory(CHANGES).design, readout, sources)
    assert (found.answer, found.changes) == ("IDENTICAL", ())


def test_files_that_came_later_change_nothing(sealed: tuple[ShadowReadout, PredictionSources]) -> None:
    readout, sources = sealed
    later = laboratory(CHANGES, Traffic(requests=50, seed=9)).frames["predictions"]
    later.assign(request="later-" + later.request).to_parquet(
        sources.place.folder / "predictions-later.parquet"
    )
    assert verify_shadow(laboratory(CHANGES).design, readout, sources).answer == "IDENTICAL"


def test_a_changed_file_is_named(sealed: tuple[ShadowReadout, PredictionSources]) -> None:
    readout, sources = sealed
    file = sources.place.folder / "labels.parquet"
    labels = pd.read_parquet(file)
    labels.assign(label=1 - labels.label).to_parquet(file)
    found = verify_shadow(laboratory(CHANGES).design, readout, sources)
    assert (found.answer, found.changes) == ("SOURCE CHANGED", ("labels: labels.parquet has changed",))
    file.unlink()
    assert verify_shadow(laboratory(CHANGES).design, readout, sources).changes == (
        "labels: labels.parquet is gone",
    )


def test_a_number_that_differs_is_named(sealed: tuple[ShadowReadout, PredictionSources]) -> None:
    readout, sources = sealed
    assert readout.primary is not None
    other = readout.model_copy(update={"primary": readout.primary.model_copy(update={"estimate": 0.5})})
    found = verify_shadow(laboratory(CHANGES).design, other, sources)
    assert found.answer == "CODE DIFFERS"
    assert len(found.changes) == 1
    assert found.changes[0].startswith("primary.estimate: 0.5 sealed, ")
