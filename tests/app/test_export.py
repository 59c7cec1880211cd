"""Every form shows the same readout: all of its numbers, none that it does not hold, and nothing people wrote as markup."""

from __future__ import annotations

import copy
import csv
import html as entities
import io
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.export import FORMS, file_name, render
from app.export.blocks import Bullets, Code, Counted, Folded, Page, Table, Words
from app.export.page import page_of
from app.formats import count, instant, p_value, quantities, share
from app.paths import bounds_words, interval_name, path_name, path_quantity, path_sentence, z_words
from app.readings import Reading
from experiments.readouts.readout import Comparison, Readout
from tests.app import sample_paths, samples
from tests.app.paper import text_of_paper
from tests.app.samples import SAMPLES, rendered
from tests.experiments.test_sequential_looks import GUARDED, played, trial

FORBIDDEN = re.compile(
    r"\bsignifican|winner|loser|trending|statsig|\bflat\b|neutral|almost|marginally|\bnull\b|None\b|nan\b",
    re.I,
)

READ = ("text", "markdown", "html", "pdf")
"""The forms that people read."""

every_sample = pytest.mark.parametrize("sample", list(SAMPLES))


@cache
def words_of(sample: str, form: str) -> str:
    """A sample as the words a person reads."""
    return plain(rendered(sample, form), form)


def text_of(readout: Readout, form: Any) -> str:
    """A form as the words a person reads, with single spaces."""
    return plain(render(readout, form), form)


def plain(written: str | bytes, form: str) -> str:
    if isinstance(written, bytes):
        written = text_of_paper(written)
    if form == "html":
        body = written.split("</style>", 1)[1]
        written = entities.unescape(re.sub(r"<[^>]+>", " ", body))
    if form == "markdown":
        written = re.sub(r"\\([\\`*\[\]|~_#+-])", r"\1", entities.unescape(written))
    return re.sub(r"[ \n]+", " ", written)


def comparisons_of(readout: Readout) -> Iterator[tuple[list[Comparison], Comparison]]:
    """Every comparison, with those it shares a table with."""
    groups = [
        readout.primary,
        readout.guardrails,
        readout.secondary,
        tuple(s.comparison for s in readout.sensitivity),
    ]
    groups += [segment.comparisons for segment in readout.segments]
    for group in groups:
        yield from ((list(group), c) for c in group)


def tables_of(page: Page) -> Iterator[Table]:
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Table):
                yield block
            if isinstance(block, Folded):
                yield from block.tables


@every_sample
@pytest.mark.parametrize("form", FORMS)
def test_every_form_exists_for_every_kind_of_readout(sample: str, form: Any) -> None:
    assert len(rendered(sample, form)) > 500


@every_sample
@pytest.mark.parametrize("form", READ)
def test_every_number_of_an_effect_is_in_every_form(sample: str, form: str) -> None:
    readout = SAMPLES[sample]()
    shown = words_of(sample, form)
    for group, c in comparisons_of(readout):
        quantity = quantities(group)[group.index(c)]
        wanted = [quantity.bounds(c.interval), p_value(c.p_value), p_value(c.adjusted_p_value)]
        wanted += [quantity.effect(c.estimate)] if c.estimate is not None else ["not computed"]
        for arm in (c.control_value, c.treatment_value):
            wanted += [quantity.value(arm.value), count(arm.n), count(arm.missing)]
            wanted += [count(n) for n in (arm.successes, arm.requests) if n is not None]
        for number in wanted:
            assert number in shown, f"{c.label} {c.treatment} {c.level}: {number!r} is not in {form}"


SEQUENTIAL = ["stopped_early", "stopped_as_futile", "always_valid"]


@pytest.mark.parametrize("sample", SEQUENTIAL)
@pytest.mark.parametrize("form", READ)
def test_every_number_of_every_look_is_in_every_form(sample: str, form: str) -> None:
    assert_looks_are_shown(SAMPLES[sample](), words_of(sample, form), form)


@pytest.mark.parametrize(
    "stopping",
    [
        {"rule": "group-sequential", "looks": [0.2, 0.5, 1], "futility": {}},
        {"rule": "always-valid", "burn_in": 600, "step": "4d"},
    ],
    ids=["group-sequential", "always-valid"],
)
def test_readouts_of_the_real_path_are_shown_in_every_form(tmp_path: Path, stopping: dict[str, Any]) -> None:
    readout = played(trial(tmp_path, 0.1, stopping=stopping, **GUARDED))[-1]
    assert readout.sequential
    for form in READ:
        assert_looks_are_shown(readout, text_of(readout, form), form)
    assert len(csv_of(readout)["looks"]) == sum(len(path.points) for path in readout.sequential)


def assert_looks_are_shown(readout: Readout, shown: str, form: str) -> None:
    for path in readout.sequential:
        quantity = path_quantity(path)
        wanted = [path_name(path), path_sentence(path), interval_name(path)]
        for point in path.points:
            wanted += [share(point.information), instant(point.cut_off), p_value(point.p_value)]
            wanted += [z_words(point.z), bounds_words(path, point, quantity), p_value(point.spent)]
            wanted += [
                f"{z:.3f}".replace("-", "−") for z in (point.critical, point.futility) if z is not None
            ]
            wanted += [quantity.effect(point.estimate)] if point.estimate is not None else ["not computed"]
        wanted += [f"{look.critical:.3f}" for look in path.planned]
        wanted += [p_value(path.stagewise_p_value), quantity.bounds(path.stagewise_interval)]
        if path.median_unbiased is not None:
            wanted += ["median-unbiased estimate", quantity.effect(path.median_unbiased)]
        if path.rule == "group-sequential" and path.not_computed:
            wanted.append(path.not_computed)
        for words in wanted:
            found = words in shown or words[:1].upper() + words[1:] in shown
            if form == "text":  # a cell may be folded at its spaces
                found = found or set(words.split(" ")) <= set(shown.split(" "))
            assert found, f"{path_name(path)}: {words!r} is not in {form}"


@pytest.mark.parametrize("form", READ)
def test_a_look_says_which_of_how_many_it_is_and_what_it_decided(form: str) -> None:
    for sample, which, decision in (
        ("stopped_early", "look 2 of 3", "STOP FOR EFFICACY"),
        ("stopped_as_futile", "look 2 of 3", "STOP FOR FUTILITY"),
        ("always_valid", "look 4 of 12", "STOP FOR EFFICACY"),
        ("interim", "look 1 of 3", "CONTINUE"),
    ):
        shown = words_of(sample, form)
        assert which in shown.casefold()
        assert decision in shown
        assert "The look's decision" in shown.replace("&#39;", "'")


@pytest.mark.parametrize("form", FORMS)
def test_a_fixed_design_says_nothing_of_sequences(form: Any) -> None:
    readout = samples.ship()
    if form == "csv":
        assert not {"sequential", "looks", "planned_looks"} & csv_of(readout).keys()
        return
    if form == "json":
        assert json.loads(render(readout, "json"))["sequential"] == []
        return
    shown = words_of("ship", form)
    words = ("Sequential", "repeated", "Stage-wise", "futility", "The look's decision", "boundary", "watched")
    assert [word for word in words if word in shown] == []


def test_the_figures_after_a_stop_are_named_and_the_naive_ones_are_not_there() -> None:
    shown = words_of("stopped_early", "markdown")
    for words in (
        "Repeated 95% confidence interval",
        "stage-wise p | 0.0051",
        "stage-wise 95% confidence interval | +0.5 to +2.8",
        "median-unbiased estimate | +1.6",
        "which hold over all looks together; those of a single look are not shown",
        "not computed: its boundary had been crossed at look 1 and the experiment went on",
    ):
        assert words in shown


def test_a_harm_stop_that_tripped_between_looks_stands_in_the_head() -> None:
    readout = samples.stopped_early(
        look=samples.look(k=2, of=3, final=False, decision="STOP FOR HARM", harm_stop="errors@2", watches=1)
    )
    shown = text_of(readout, "markdown").split("What was planned")[0]
    assert "The look's decision: STOP FOR HARM" in shown
    assert "Harm stop: errors@2 tripped" in shown
    assert "Harm stops: watched 1 time" in shown


def test_a_fixed_design_that_a_harm_stop_ended_says_so() -> None:
    stopped = samples.ship(look=samples.look(decision="STOP FOR HARM", harm_stop="errors@2"))
    assert "The look's decision: STOP FOR HARM" in text_of(stopped, "markdown")


def test_csv_holds_every_look_unrounded() -> None:
    readout = samples.stopped_early()
    tables, document = csv_of(readout), readout.document()
    assert len(tables["looks"]) == sum(len(path["points"]) for path in document["sequential"])
    rows = iter(tables["looks"])
    for path in document["sequential"]:
        for look in path["points"]:
            row = next(rows)
            assert row["metric"] == path["metric"]
            for name, number in look.items():
                if isinstance(number, float):
                    assert float(row[name]) == number
    assert [float(row["critical"]) for row in tables["planned_looks"][:3]] == [3.356869, 2.444542, 2.000539]
    assert float(tables["sequential"][0]["stagewise_interval.low"]) == 0.004911
    assert tables["sequential"][1]["median_unbiased"] == ""


@every_sample
@pytest.mark.parametrize("form", ["markdown", "html"])
def test_every_cell_of_the_page_is_in_every_form(sample: str, form: str) -> None:
    readout = SAMPLES[sample]()
    shown, page = words_of(sample, form), page_of(readout)
    for table in tables_of(page):
        for row in table.rows:
            for cell in row:
                words = cell.value if isinstance(cell, Counted) else str(cell)
                assert re.sub(r"\s+(?=\S)", " ", words.replace("\n", " ")) in shown or words in shown


@every_sample
def test_the_terminal_breaks_no_number_and_stays_within_its_width(sample: str) -> None:
    readout = SAMPLES[sample]()
    written = str(render(readout, "text"))
    assert max(map(len, written.splitlines())) <= 100
    assert "\x1b" not in written
    words = set(re.split(r"[ \n│║]+", written))
    for table in tables_of(page_of(readout)):
        for row in table.rows:
            for column, cell in zip(table.columns, row, strict=True):
                if column.numeric:
                    value = cell.value if isinstance(cell, Counted) else str(cell)
                    assert set(value.split(" ")) <= words
                if isinstance(cell, Reading):
                    assert set(str(cell).replace(" ", "\u00a0", 1 if cell.icon else 0).split(" ")) <= words
    assert "…" not in written.replace("9f3c1e5a7b2d…", "").replace("… CONTINUE", "")


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], float]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from leaves(value, (*path, index))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path, document


def with_leaf(readout: Readout, path: tuple[Any, ...], value: float) -> Readout:
    body = copy.deepcopy(readout.body())
    body["schema_"] = body.pop("schema")
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return Readout.model_validate(body)


NOT_SHOWN = {"evidence", "design"}
"""Shown as documents (the plan) or only in JSON (the exact sums)."""


@pytest.mark.parametrize("sample", ["ship", "several_treatments", "stopped_early", "always_valid"])
def test_changing_any_number_of_a_readout_changes_what_people_read(sample: str) -> None:
    readout = SAMPLES[sample]()
    before = repr(page_of(readout)).replace(readout.sha256, "")
    silent = []
    for path, number in leaves(readout.body()):
        if set(path) & NOT_SHOWN:
            continue
        if path[-1] == "margin":  # shown as the effect at the margin
            continue
        if path[-1] == "row" and len(readout.verdict.by_treatment) == 1:
            continue
        changed = with_leaf(readout, path, number + 1 if isinstance(number, int) else number * 0.61 + 0.013)
        after = repr(page_of(changed)).replace(changed.sha256, "")
        if re.sub(r"0x[0-9a-f]+", "", after) == re.sub(r"0x[0-9a-f]+", "", before):
            silent.append(path)
    assert silent == []


@every_sample
def test_the_json_form_is_the_sealed_document_and_comes_back_as_the_same_readout(sample: str) -> None:
    readout = SAMPLES[sample]()
    document = json.loads(render(readout, "json"))
    assert document == readout.document()
    assert Readout.of_document(document) == readout
    assert document["sha256"] == readout.sha256


def test_a_document_changed_after_sealing_is_refused() -> None:
    document = json.loads(render(samples.ship(), "json"))
    document["primary"][0]["estimate"] = 0.02
    with pytest.raises(ValueError, match="changed after sealing"):
        Readout.of_document(document)


@every_sample
@pytest.mark.parametrize("form", READ)
def test_every_form_names_the_seal_and_the_registration(sample: str, form: str) -> None:
    readout = SAMPLES[sample]()
    shown = words_of(sample, form)
    assert readout.sha256 in shown
    assert readout.registration.design_sha256 in shown
    assert readout.verdict.code in shown
    assert readout.verdict.sentence in shown.replace("│ ", "").replace("║ ", "").replace(" ║", "").replace(
        " │", ""
    )
    assert "3 Nov 2026, 10:14 UTC" in shown


def test_csv_tables_hold_the_numbers_unrounded() -> None:
    readout = samples.several_treatments()
    tables = csv_of(readout)
    effects = (
        readout.document()["primary"] + readout.document()["guardrails"] + readout.document()["secondary"]
    )
    assert len(tables["effects"]) == len(effects)
    for row, document in zip(tables["effects"], effects, strict=True):
        for path, number in leaves(document):
            assert float(row[".".join(map(str, path))]) == number
    for name in ("segments", "sensitivity", "units", "excluded", "validity", "manifest", "verdicts"):
        assert tables[name]
    assert tables["readout"][0]["sha256"] == readout.sha256


def csv_of(readout: Readout) -> dict[str, list[dict[str, str]]]:
    packed = render(readout, "csv")
    assert isinstance(packed, bytes)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {
            name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(archive.read(name).decode())))
            for name in archive.namelist()
        }


def test_the_same_readout_gives_the_same_bytes() -> None:
    for form in FORMS:
        assert render(samples.ship(), form) == render(samples.ship(), form)


def test_a_spreadsheet_does_not_run_what_people_wrote() -> None:
    readout = samples.ship(
        registration=samples.registration(title="=HYPERLINK(1)"), limits=("@SUM(A1)", "-2+3", "plain = text")
    )
    tables = csv_of(readout)
    assert tables["readout"][0]["registration.title"] == "'=HYPERLINK(1)"
    assert [row["limit"] for row in tables["limits"]] == ["'@SUM(A1)", "'-2+3", "plain = text"]
    assert tables["effects"][0]["interval.low"] == "0.001822"


EFFECT_WORDS = ("95% CI", "Difference", " pp", "20.16%", "+1.14", "2\u202f729", "812.4", "0.0197")


@pytest.mark.parametrize("sample", ["invalid", "interim"])
@pytest.mark.parametrize("form", FORMS)
def test_no_effect_is_anywhere_in_a_readout_that_withholds_it(sample: str, form: Any) -> None:
    readout = SAMPLES[sample]()
    if form == "csv":
        assert not {"effects", "segments", "sensitivity"} & csv_of(readout).keys()
        return
    if form == "json":
        document = json.loads(render(readout, "json"))
        assert not [
            document[part]
            for part in ("primary", "guardrails", "secondary", "segments", "sensitivity")
            if document[part]
        ]
        assert document["reproduce"]["evidence"]["outcomes"] is None
        return
    shown = words_of(sample, form)
    assert [word for word in EFFECT_WORDS if word in shown] == []
    assert "No effect is reported" in shown


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"primary": (samples.primary(),)}, r"primary\[0\]"),
        ({"guardrails": (samples.latency(),)}, r"guardrails\[0\]"),
        ({"secondary": (samples.secondary(),)}, r"secondary\[0\]"),
        ({"segments": (samples.segment(),)}, r"segments\[0\].comparisons\[0\]"),
        ({"sensitivity": (samples.sensitivity(),)}, r"sensitivity\[0\]"),
        ({"sequential": (sample_paths.efficacy(),)}, r"sequential\[0\]"),
        ({"reproduce": samples.reproduce()}, "reproduce.evidence.outcomes"),
        (
            {
                "primary": (
                    samples.primary(
                        estimate=None, interval=None, p_value=None, relative=None, relative_interval=None
                    ),
                )
            },
            r"primary\[0\]",
        ),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_an_invalid_readout_that_holds_an_effect_is_refused_in_every_form(
    changes: dict[str, Any], place: str, form: Any
) -> None:
    with pytest.raises(
        ValueError, match=rf"verdict INVALID: no effect is allowed in the readout, found in .*{place}"
    ):
        render(samples.invalid(**changes), form)


NUMBERLESS = {
    **dict.fromkeys(("estimate", "interval", "p_value", "relative", "relative_interval")),
    "control_value": samples.arm("control", 100, None),
    "treatment_value": samples.arm("treatment", 100, None),
}


@pytest.mark.parametrize(
    "leak",
    [
        {"estimate": 0.01},
        {"interval": samples.interval(0.0, 0.02)},
        {"p_value": 0.2},
        {"adjusted_p_value": 0.2},
        {"relative": 0.1},
        {"relative_interval": samples.interval(0.0, 0.2)},
        {"unadjusted_estimate": 0.01},
        {"unadjusted": samples.interval(0.0, 0.02)},
        {"control_value": samples.arm("control", 100, 0.2)},
        {"treatment_value": samples.arm("treatment", 100, 0.2)},
        {"control_value": samples.arm("control", 100, None, successes=20)},
        {"treatment_value": samples.arm("treatment", 100, None, successes=20)},
        {"control_value": samples.arm("control", 100, None, sd=0.4)},
        {"treatment_value": samples.arm("treatment", 100, None, sd=0.4)},
    ],
    ids=lambda leak: next(iter(leak)),
)
def test_any_single_number_of_an_outcome_is_found(leak: dict[str, Any]) -> None:
    render(samples.invalid(primary=(samples.primary(**NUMBERLESS),)), "json")
    with pytest.raises(ValueError, match=r"found in primary\[0\]"):
        render(samples.invalid(primary=(samples.primary(**(NUMBERLESS | leak)),)), "json")


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_look_that_goes_on_gives_its_sealed_evidence_to_no_machine_form(form: Any) -> None:
    readout = samples.interim().model_copy(
        update={"reproduce": samples.reproduce(), "primary": (samples.primary(),)}
    )
    with pytest.raises(ValueError, match="verdict CONTINUE"):
        render(readout, form)
    assert "+1.14" not in text_of(readout, "markdown")
    assert "+1.14" not in text_of(readout, "text")


@pytest.mark.parametrize("form", FORMS)
def test_a_look_that_goes_on_shows_nothing_of_its_path(form: Any) -> None:
    readout = samples.interim().model_copy(update={"sequential": (sample_paths.efficacy(),)})
    if form in {"json", "csv"}:
        with pytest.raises(ValueError, match=r"verdict CONTINUE.*sequential\[0\]"):
            render(readout, form)
        return
    shown = text_of(readout, form)
    assert [
        word for word in ("2.831", "1.302", "3.304", "Sequential", "repeated", "+1.0") if word in shown
    ] == []
    assert "No effect is reported." in shown


@pytest.mark.parametrize("form", READ)
def test_labels_stand_in_the_head_for_ever(form: str) -> None:
    head = words_of("labelled", form).split("What was planned")[0]
    for words in (
        "late",
        "retrospective",
        "self-reviewed",
        "simulated",
        "Treat the result as exploratory",
        "SIMULATED",
    ):
        assert words in head


@pytest.mark.parametrize("form", READ)
def test_amendments_are_told_with_what_changed_and_who_had_looked(form: str) -> None:
    shown = words_of("labelled", form)
    for words in (
        "Analysed by version 2",
        "less severe",
        "grace",
        "9 Nov 2026, 08:00 UTC",
        "2419200 → 3024000",
    ):
        assert words in shown
    assert "Outcome accesses before the plan was locked: 1." in shown


@pytest.mark.parametrize("form", READ)
def test_deviations_are_told(form: str) -> None:
    shown = words_of("stopped_by_hand", form)
    assert "Stopped by hand before the declared end." in shown
    assert "Sample reached: 8\u202f411 of 26\u202f960 units (planned: at least the plan)." in shown
    assert "31.21%" in shown
    assert "No deviation from the plan was found." in words_of("ship", form)


@every_sample
def test_no_form_says_what_the_data_cannot(sample: str) -> None:
    shown = words_of(sample, "markdown").split("## Reproduce")[0]
    assert FORBIDDEN.findall(shown) == []


def test_markdown_escapes_what_people_wrote() -> None:
    written = str(render(samples.hostile(), "markdown"))
    before_code = written.split("```json")[0]
    assert "<script" not in before_code
    assert "&lt;script&gt;" in before_code
    assert "\\*\\*bold\\*\\*" in before_code
    assert "\\[link\\](javascript" in before_code
    rows = [line for line in before_code.splitlines() if line.startswith("|")]
    for first, second in pairwise(rows):
        if set(second) <= set("|-: "):
            assert len(cells(first)) == len(cells(second))
    assert all(len(cells(row)) > 1 for row in rows)


def cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row.strip("|"))


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    written = str(render(samples.ship(design={"note": "```\n# not a heading"}), "markdown"))
    assert "````json" in written


@every_sample
def test_the_page_has_one_order(sample: str) -> None:
    order = [
        *(
            "treatments",
            "plan",
            "validity",
            "primary",
            "guardrails",
            "sequential",
            "units",
            "secondary",
            "sensitivity",
            "segments",
        ),
        *("deviations", "limits", "reproduce"),
    ]
    found = [section.anchor for section in page_of(SAMPLES[sample]()).sections]
    assert found == [anchor for anchor in order if anchor in found]
    headings = re.findall(r"^## (.*)$", str(render(SAMPLES[sample](), "markdown")), re.M)
    assert headings == [section.heading for section in page_of(SAMPLES[sample]()).sections]


def test_an_empty_readout_says_what_is_missing() -> None:
    bare = samples.ship(
        validity=(),
        units=(),
        flow={},
        primary=(),
        guardrails=(),
        secondary=(),
        segments=(),
        sensitivity=(),
        limits=(),
        plan_kept=(),
        reproduce=samples.reproduce(manifest=(), statements=(), ledger_head=None, ledger_count=None),
    )
    for form in FORMS:
        render(bare, form)
    shown = text_of(bare, "markdown")
    for words in (
        "The primary metric was not measured.",
        "No guardrail was declared.",
        "No unit was assigned.",
    ):
        assert words in shown


def test_a_guardrail_that_is_missing_says_why() -> None:
    for form in READ:
        shown = words_of("not_measured", form)
        assert "! Missing" in shown.replace("\u00a0", " ")
        assert {"not", "computed:", "no", "requests", "in", "an", "arm"} <= set(shown.split())


def test_a_form_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match="form: 'docx' is not allowed; use one of text, json, markdown, html, pdf, csv"
    ):
        render(samples.ship(), "docx")  # type: ignore[arg-type]


def test_a_file_is_called_after_the_experiment_the_plan_and_the_seal() -> None:
    readout = samples.labelled()
    assert file_name(readout, "html") == f"EXP-0042_readout_v2_{readout.sha256[:4]}.html"
    assert file_name(readout, "csv").endswith(".zip")
    sly = samples.ship(registration=samples.registration(experiment="../../etc/passwd <x>"))
    assert re.fullmatch(r"etc-passwd-x_readout_v1_[0-9a-f]{4}\.md", file_name(sly, "markdown"))


def test_only_html_and_pdf_load_the_charts() -> None:
    program = (
        "import sys\n"
        "from tests.app.samples import ship\n"
        "from app.export import render\n"
        "for form in ('text', 'json', 'markdown', 'csv'):\n"
        "    render(ship(), form)\n"
        "loaded = {'altair', 'vl_convert', 'jinja2', 'typst'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(loaded)) or 0)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_markdown_takes_under_fifty_milliseconds() -> None:
    readout = samples.several_treatments()
    render(readout, "markdown")

    def taken() -> float:
        started = time.process_time()
        render(readout, "markdown")
        return time.process_time() - started

    assert min(taken() for _ in range(5)) < 0.05


def test_every_block_of_a_page_is_known_to_every_form() -> None:
    kinds = {type(block) for section in page_of(samples.ship()).sections for block in section.blocks}
    assert {Words, Bullets, Code, Folded, Table} <= kinds
