"""Readouts of shadows and checks of canaries in every form: all of their numbers, and none that the verdict withholds."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from app.charts import spec
from app.export import FORMS, file_name, render
from app.export.blocks import Block, Figure, Folded, Page, Table
from app.export.kinds import AnyReadout
from app.export.page import page_of
from app.export.shadow_page import gate_sentence
from experiments.canaries.readout import CanaryReadout
from experiments.shadows.readout import ShadowReadout
from tests.app.test_export import FORBIDDEN, text_of
from tests.experiments.canary_logs import Canary, Truth
from tests.experiments.shadows import Traffic, laboratory

LIMITS = [
    {"measure": "error_share", "worsening": 0.02, "reason": "the error budget of the service"},
    {"measure": "latency_p95", "at_most": 300, "reason": "what the page can wait for"},
    {"measure": "score_psi", "at_most": 0.2, "reason": "it would be another product"},
]
SEGMENT = {"segments": [{"attribute": "country"}]}


@cache
def shadow(name: str) -> ShadowReadout:
    match name:
        case "passes":
            return laboratory({**SEGMENT, "limits": LIMITS}, traffic=Traffic(6_000, 1_500)).readout()
        case "collapses in a segment":
            right = {"DE": (0.80, 0.90), "FR": (0.80, 0.62)}
            return laboratory(SEGMENT, traffic=Traffic(6_000, 1_500, right=right)).readout()
        case "invalid":
            lab = laboratory(SEGMENT, traffic=Traffic(2_000, 500))
            twice = lab.frames["predictions"]
            lab.frames["predictions"] = type(twice)(twice.loc[[*twice.index, *twice.index[:200]]])
            return lab.readout()
    raise AssertionError(name)


@cache
def canary(name: str) -> CanaryReadout:
    match name:
        case "goes on":
            return Canary().check()
        case "passes":
            return Canary().run()
        case "breaches":
            return Canary(truth=Truth(worse=0.25)).run()
    raise AssertionError(name)


SAMPLES = {
    **{f"shadow {name}": (shadow, name) for name in ("passes", "collapses in a segment", "invalid")},
    **{f"canary {name}": (canary, name) for name in ("goes on", "passes", "breaches")},
}
every_sample = pytest.mark.parametrize("sample", list(SAMPLES))


def found(sample: str) -> AnyReadout:
    made, name = SAMPLES[sample]
    return made(name)


def blocks(page: Page) -> Iterator[Block]:
    for section in page.sections:
        yield from section.blocks


def tables(page: Page) -> Iterator[Table]:
    for block in blocks(page):
        if isinstance(block, Table):
            yield block
        if isinstance(block, Folded):
            yield from block.tables


def test_the_samples_are_what_they_are_called() -> None:
    codes = {sample: found(sample).verdict.code for sample in SAMPLES}
    assert codes == {
        "shadow passes": "PASS",
        "shadow collapses in a segment": "DO NOT PASS",
        "shadow invalid": "INVALID",
        "canary goes on": "CONTINUE",
        "canary passes": "PASS",
        "canary breaches": "DO NOT PASS",
    }


@every_sample
@pytest.mark.parametrize("form", ["html", "markdown"])
def test_every_cell_of_every_table_stands_in_every_form(sample: str, form: str) -> None:
    written = text_of(found(sample), form)
    cells = {str(cell) for table in tables(page_of(found(sample))) for row in table.rows for cell in row}
    assert len(cells) > 20
    assert [cell for cell in cells if re.sub(r"[ \n]+", " ", cell) not in written] == []


@every_sample
def test_every_form_names_the_seal_the_verdict_and_the_file_after_it(sample: str) -> None:
    readout = found(sample)
    for form in FORMS:
        assert file_name(readout, form).startswith(f"{readout.registration.experiment}_readout_v1_")
        assert render(readout, form) == render(readout, form)
    for form in ("text", "markdown", "html", "pdf"):
        written = text_of(readout, form)
        assert readout.sha256 in written.replace(" ", "")
        assert readout.verdict.code in written


@every_sample
def test_the_machine_form_comes_back_as_it_was(sample: str) -> None:
    readout = found(sample)
    assert type(readout).of_document(json.loads(render(readout, "json"))) == readout


@every_sample
def test_the_archive_holds_the_numbers_as_they_are_held(sample: str) -> None:
    readout = found(sample)
    archive = zipfile.ZipFile(io.BytesIO(bytes(render(readout, "csv"))))  # type: ignore[arg-type]
    summary = next(csv.DictReader(io.StringIO(archive.read("readout.csv").decode())))
    assert summary["sha256"] == readout.sha256
    if isinstance(readout, ShadowReadout) and readout.primary is not None:
        rows = list(csv.DictReader(io.StringIO(archive.read("comparisons.csv").decode())))
        assert float(rows[0]["estimate"]) == readout.primary.estimate
        assert float(rows[0]["interval.low"]) == readout.primary.interval.low
    if isinstance(readout, CanaryReadout):
        rows = list(csv.DictReader(io.StringIO(archive.read("guardrails.csv").decode())))
        assert [float(row["estimate"]) for row in rows] == [g.comparison.estimate for g in readout.guardrails]


@every_sample
def test_every_chart_is_a_valid_document_with_words(sample: str) -> None:
    figures = [block for block in blocks(page_of(found(sample))) if isinstance(block, Figure)]
    for figure in figures:
        drawn = figure.draw()
        assert spec(drawn.chart, validate=True)["description"] == drawn.sentence
        assert len({len(column) for column in drawn.table.values()}) == 1
    assert figures or found(sample).verdict.code == "INVALID"


@every_sample
def test_no_form_says_what_may_not_be_said(sample: str) -> None:
    written = text_of(found(sample), "markdown").split("Reproduce")[0]
    assert "None" not in written
    assert [words for words in FORBIDDEN.findall(written) if words != "none"] == []


def test_an_invalid_shadow_shows_no_comparison_and_one_that_holds_any_is_refused() -> None:
    invalid, passed = shadow("invalid"), shadow("passes")
    assert "Quality on mature labels" in text_of(invalid, "markdown")
    assert invalid.primary is None
    forged = invalid.model_copy(update={"primary": passed.primary, "quality": passed.quality})
    for form in FORMS:
        with pytest.raises(
            ValueError, match="no effect is allowed in the readout, found in primary, quality"
        ):
            render(forged, form)


def test_a_canary_found_invalid_shows_no_guardrail_and_one_that_holds_any_is_refused() -> None:
    forged = _invalid(canary("passes"))
    with pytest.raises(ValueError, match=r"guardrails\[0\]"):
        render(forged, "html")


def test_the_gate_says_how_many_conditions_hold() -> None:
    passed, collapsed = shadow("passes"), shadow("collapses in a segment")
    held = len(passed.gate)
    assert gate_sentence(passed) == f"Gate to canary: OPEN. {held} of {held} conditions hold."
    failing = sum(condition.state != "holds" for condition in collapsed.gate)
    assert failing >= 1
    assert gate_sentence(collapsed) == (
        f"Gate to canary: CLOSED. {len(collapsed.gate) - failing} of {len(collapsed.gate)} conditions hold."
    )


def _invalid(readout: CanaryReadout) -> CanaryReadout:
    verdict: Any = readout.verdict.model_copy(update={"code": "INVALID"})
    return readout.model_copy(update={"verdict": verdict})
