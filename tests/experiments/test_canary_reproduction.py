"""A sealed check comes out again from its own files and frozen rows, and what changed since is named."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from experiments.canaries.design import CanaryDesign
from experiments.canaries.looking import take_check
from experiments.canaries.past import PastCheck, as_past
from experiments.canaries.readout import CanaryReadout
from experiments.canaries.reproduction import verify_check
from experiments.logs.sources import (
    OutcomeSources,
    Place,
    Sources,
    parse_outcome_sources,
    parse_sources,
)
from tests.experiments.canary_logs import DESIGN, START, Canary, Truth

EVERY_KIND = DESIGN.replace(
    "guardrails:\n",
    "guardrails:\n"
    "- {metric: latency_p90, margin: {relative: 20%}, reason: the slowest tenth counts most}\n"
    "- {metric: clicks_per_view, margin: 0.1, reason: clicks pay for the pages, segment: platform, levels: [ios, android]}\n",
)
SOURCES = """
sources:
  main:
    assignments:
      files: assignments.parquet
      columns: {unit: user, arm: arm, assigned_at: at}
      attributes: {platform: platform}
    watermark: 2026-12-01
"""
OUTCOMES = """
outcomes:
  main:
    logs: [{files: outcomes.parquet, columns: {unit: user, event: event, value: value, occurred_at: at}}]
    watermark: 2026-12-01
"""


class OnDisk:
    """A canary whose logs are files, with two checks sealed."""

    def __init__(self, folder: Path) -> None:
        self.canary = Canary(Truth(units_per_day=4_000, days=3), EVERY_KIND)
        self.folder = folder
        self.canary.assignments.to_parquet(folder / "assignments.parquet")
        self.canary.outcomes.to_parquet(folder / "outcomes.parquet")
        self.canary.logs = self.logs  # type: ignore[method-assign]
        self.first = self.canary.check()
        taken = self.canary.take(extract=folder / "extract")
        self.sealed = self.canary.readout_of(taken)

    def logs(self) -> tuple[Sources, OutcomeSources]:
        place = Place(self.folder)
        return (
            Sources(parse_sources(SOURCES).by_name, place),
            OutcomeSources(parse_outcome_sources(OUTCOMES).by_name, place),
        )

    @property
    def design(self) -> CanaryDesign:
        return self.canary.design

    def verify(self, extract: Path | None = None) -> Any:
        past: list[PastCheck] = [as_past(self.first)]
        return verify_check(self.design, self.sealed, *self.logs(), past, extract or self.folder / "extract")


@pytest.fixture
def sealed(tmp_path: Path) -> OnDisk:
    return OnDisk(tmp_path)


def test_an_untouched_check_is_identical_and_its_frozen_rows_give_its_sums(sealed: OnDisk) -> None:
    found = sealed.verify()
    assert (found.answer, found.changes, found.extract) == ("IDENTICAL", (), "reproduces")
    again = CanaryReadout.of_document(sealed.sealed.document())
    assert again.sha256 == sealed.sealed.sha256


def test_every_kind_of_metric_is_judged_by_step_and_level(sealed: OnDisk) -> None:
    readings = {(g.comparison.label, g.comparison.level): g for g in sealed.sealed.guardrails}
    assert set(readings) == {
        ("clicks_per_view@1 by platform", "ios"),
        ("clicks_per_view@1 by platform", "android"),
        ("failed@1", None),
        ("latency@1", None),
        ("latency_p90@1", None),
    }
    assert all(g.points and g.comparison.state != "Missing" for g in readings.values())
    assert all(len(g.points) == 2 for g in readings.values())


def test_rows_that_came_since_are_named_and_the_frozen_rows_still_give_the_sums(sealed: OnDisk) -> None:
    file = sealed.folder / "outcomes.parquet"
    rows = pd.read_parquet(file)
    pd.concat([rows, rows.head(3)]).to_parquet(file)
    found = sealed.verify()
    assert found.answer == "SOURCE CHANGED"
    assert found.extract == "reproduces"
    assert any("outcomes.parquet" in change for change in found.changes)


def test_frozen_rows_that_were_changed_or_are_gone_are_told(sealed: OnDisk) -> None:
    file = sealed.folder / "extract" / "per_unit.parquet"
    rows = pd.read_parquet(file)
    rows.iloc[1:].to_parquet(file)
    assert sealed.verify().extract == "differs"
    file.unlink()
    assert sealed.verify().extract == "absent"


def test_units_belong_to_the_step_of_their_first_exposure_not_of_their_assignment(tmp_path: Path) -> None:
    """With an exposures log: assigned in the first step, first exposed in the second, though exposed twice."""
    canary = Canary(design_text=DESIGN.replace("checks:", "assignment: {exposure: exposures}\nchecks:"))
    frame = canary.assignments
    late = frame["user"].str[-1] == "7"
    second = pd.Timestamp(START + timedelta(days=1, hours=13))
    exposed = frame.assign(at=frame["at"].where(~late, second + pd.Timedelta("2h")))
    again = exposed[late].assign(at=second + pd.Timedelta("3h"))
    frame.to_parquet(tmp_path / "assignments.parquet")
    pd.concat([exposed, again]).to_parquet(tmp_path / "exposures.parquet")
    canary.outcomes.to_parquet(tmp_path / "outcomes.parquet")
    text = SOURCES.replace(
        "    watermark:",
        "    exposures: {files: exposures.parquet, columns: {unit: user, exposed_at: at}}\n    watermark:",
    )
    place = Place(tmp_path)
    sources = Sources(parse_sources(text).by_name, place)
    outcomes = OutcomeSources(parse_outcome_sources(OUTCOMES).by_name, place)
    begun = [START, second.to_pydatetime()]
    taken = take_check(canary.design, sources, outcomes, steps_begun=begun)
    first, counted = taken.evidence.steps[0], taken.evidence.steps[1]
    early = (frame["at"] < second) & (exposed["at"] < second)
    assert sum(first.analysed(arm) for arm in (0, 1)) == int(early.sum())
    assert sum(counted.analysed(arm) for arm in (0, 1)) >= int(late.sum())
