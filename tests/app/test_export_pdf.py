"""The PDF form: all of the page on paper, the seal on every sheet, and nothing people wrote read as typst."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typst
from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject

from app.export import pdf as paper
from app.export import render
from app.export.blocks import Bullets, Code, Counted, Figure, Folded, Table, Words
from app.export.page import page_of
from experiments.readouts.readout import Readout
from tests.app import samples
from tests.app.paper import feet_of, pages_of, text_of_paper, unspaced
from tests.app.samples import SAMPLES, rendered
from tests.app.test_export import plain

every_sample = pytest.mark.parametrize("sample", list(SAMPLES))


def written(sample: str) -> bytes:
    found = rendered(sample, "pdf")
    assert isinstance(found, bytes)
    return found


def made(**changes: Any) -> bytes:
    found = render(samples.ship(**changes), "pdf")
    assert isinstance(found, bytes)
    return found


@cache
def structure(sample: str) -> tuple[DictionaryObject, ...]:
    """Every element of the tag tree, in reading order."""
    return tuple(_elements(PdfReader(io.BytesIO(written(sample))).trailer["/Root"]["/StructTreeRoot"]))  # type: ignore[index]


def _elements(element: Any) -> Iterator[DictionaryObject]:
    if not isinstance(element, DictionaryObject):
        return
    if "/S" in element:
        yield element
    children = element.get("/K", ArrayObject())
    children = children.get_object() if hasattr(children, "get_object") else children
    for child in children if isinstance(children, ArrayObject) else [children]:
        yield from _elements(child.get_object() if hasattr(child, "get_object") else child)


@every_sample
def test_every_block_of_the_page_is_on_the_paper_in_its_order(sample: str) -> None:
    page, shown = page_of(SAMPLES[sample]()), unspaced(text_of_paper(written(sample)))
    wanted = [page.experiment, page.title]
    wanted += [words for pair in (*page.labels, *page.facts) for words in pair]
    wanted += [str(page.verdict.reading), page.verdict.sentence, *page.verdict.reasons, page.verdict.rule]
    wanted.append(page.paragraph)
    data: list[str] = []
    for section in page.sections:
        wanted.append(section.heading)
        for block in section.blocks:
            match block:
                case Words(text):
                    wanted.append(text)
                case Bullets(items):
                    wanted += items
                case Table():
                    wanted += cells_of(block)
                case Folded(summary, tables):
                    wanted += [summary, *(cell for table in tables for cell in cells_of(table))]
                case Code(summary, _, text):
                    wanted += [summary, text]
                case Figure(title, draw):
                    columns = draw().table
                    wanted.append(title)
                    data += [f"{title}: data", *columns]
                    data += [cell for row in zip(*columns.values(), strict=True) for cell in row]
    place = 0
    for words in (*wanted, *data):
        found = shown.find(unspaced(words), place)
        assert found >= 0, f"{words!r} is not where it should be"
        place = found + len(unspaced(words))


def cells_of(table: Table) -> list[str]:
    cells = [table.caption, *(column.heading for column in table.columns)] if table.rows else []
    for row in table.rows:
        for cell in row:
            cells += [cell.value, f"({cell.counts})"] if isinstance(cell, Counted) else [str(cell)]
    return cells


def numbers(text: str) -> set[str]:
    """Every number with its sign."""
    return set(re.findall(r"[+−-]?\d(?:[\d.\u202f]*\d)?", text))


@every_sample
def test_the_numbers_are_those_of_the_html_form_and_no_others(
    sample: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0,0h9"/></svg>'
    monkeypatch.setattr("app.charts.svg", lambda _: blank)  # ticks stand side by side, and are read as one
    html = re.sub(r"<svg.*?</svg>", " ", str(rendered(sample, "html")), flags=re.S)
    shown = render(SAMPLES[sample](), "pdf")
    assert isinstance(shown, bytes)
    assert numbers(text_of_paper(shown)) == numbers(plain(html, "html"))


@every_sample
def test_the_seal_and_the_number_of_the_page_stand_at_the_foot_of_every_page(sample: str) -> None:
    feet, count = feet_of(written(sample)), len(pages_of(written(sample)))
    assert feet == [(SAMPLES[sample]().sha256, number, count) for number in range(1, count + 1)]


@pytest.mark.parametrize(("sample", "word"), [("labelled", "SIMULATED"), ("interim", "INTERIM")])
def test_the_watermark_stands_on_every_page(sample: str, word: str) -> None:
    assert [word in page for page in pages_of(written(sample))] == [True] * len(pages_of(written(sample)))


def test_a_released_readout_of_real_data_has_no_watermark() -> None:
    assert "SIMULATED" not in text_of_paper(written("ship"))
    assert "INTERIM" not in text_of_paper(written("ship"))


@every_sample
def test_the_file_says_that_it_is_accessible_and_holds_no_time_of_making(sample: str) -> None:
    reader = PdfReader(io.BytesIO(written(sample)))
    root = reader.trailer["/Root"]
    readout = SAMPLES[sample]()
    assert reader.metadata == {
        "/Title": f"{readout.registration.experiment} readout: {readout.verdict.code}",
        "/Creator": reader.metadata["/Creator"],  # type: ignore[index]
    }
    assert root["/Lang"] == "en"  # type: ignore[index]
    assert root["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in written(sample)
    assert not {"/JavaScript", "/OpenAction", "/AA", "/AcroForm", "/Names"} & set(root)  # type: ignore[arg-type]
    assert not [page["/Annots"] for page in reader.pages if "/Annots" in page]


@every_sample
def test_headings_go_down_step_by_step_and_pictures_have_their_takeaway(sample: str) -> None:
    kinds = [str(element["/S"]) for element in structure(sample)]
    levels = [int(kind[2:]) for kind in kinds if re.fullmatch(r"/H\d", kind)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    figures = [
        block
        for section in page_of(SAMPLES[sample]()).sections
        for block in section.blocks
        if isinstance(block, Figure)
    ]
    said = [element.get("/Alt") for element in structure(sample) if element["/S"] == "/Figure"]
    assert said == [figure.draw().sentence for figure in figures]


def test_tables_are_tagged_as_tables_with_a_head() -> None:
    kinds = Counter(str(element["/S"]) for element in structure("ship"))
    assert kinds["/Table"] == kinds["/THead"] == kinds["/TBody"] > 15
    assert kinds["/TH"] > 60


def test_the_head_of_a_long_table_stands_on_every_page_of_it() -> None:
    checks = tuple(samples.VALID[0].model_copy(update={"name": f"check {n}"}) for n in range(120))
    pages = [page for page in pages_of(made(validity=checks)) if re.search(r"^check \d", page, re.M)]
    assert len(pages) > 2
    assert [page.count("What was found p") for page in pages] == [1] * len(pages)


def test_an_invalid_readout_has_no_estimate_on_paper() -> None:
    shown = text_of_paper(written("invalid"))
    assert [
        word for word in ("95% CI", "Difference", " pp", "+1.14", "20.16%", "2\u202f729") if word in shown
    ] == []
    assert "No effect is reported." in shown
    assert len([element for element in structure("invalid") if element["/S"] == "/Figure"]) == 2


def test_the_same_readout_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib\n"
        "from tests.app.samples import labelled\n"
        "from app.export import render\n"
        "print(hashlib.sha256(render(labelled(), 'pdf')).hexdigest())\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(answers) == 1


HOSTILE = {
    "code": '#panic("run") #{1 + 1} #read("readout.typ")',
    "mathematics": "$x^2$ costs $5",
    "emphasis": "*strong* _emphasis_ ~ -- --- ... 'single' \"double\"",
    "reference": "@label <label> @preview/package:1.0.0",
    "escape": "\\ \\# \\u{41} \\n",
    "brackets": "[content] ] [ {code} } { (",
    "comment": "/* comment */ // to the end",
    "heading": "= Heading",
    "list": "- item",
    "term": "/ term: meaning",
    "raw": "```typ #panic() ``` `raw`",
    "address": "see http://example.org/path?a=b#c and https://example.org",
    "markup": "<script>alert('x')</script> &amp; &#65;",
    "lines": "first\nsecond\r\n\n= third\ttab",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_typst_in_what_people_wrote_is_set_as_it_stands(text: str) -> None:
    readout = everywhere(text)
    found = render(readout, "pdf")
    assert isinstance(found, bytes)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in found
    assert unspaced(text_of_paper(found)).count(unspaced(text)) >= 8
    assert not [page["/Annots"] for page in PdfReader(io.BytesIO(found)).pages if "/Annots" in page]


def everywhere(text: str) -> Readout:
    """A readout with the text in every place where a person can write, and short enough to be set quickly."""
    check = samples.VALID[0].model_copy(update={"name": text, "detail": text, "rule": text})
    return samples.invalid(
        registration=samples.registration(title=text, owner=text, reviewer=text),
        limits=(text,),
        validity=(check,),
        units=(),
        flow={},
        plan_kept=(check,),
        reproduce=samples.reproduce(statements=(), manifest=(), evidence={}),
    )


LONG = {
    "letters": "M" * 300,
    "mixed": "W@#x_" * 40,
    "narrow": "il1" * 12,
    "path": "/very/long/" + "directory_name/" * 20,
}


@pytest.mark.parametrize("word", LONG.values(), ids=LONG.keys())
def test_a_word_too_long_for_its_line_is_broken_and_stays_on_the_page(word: str) -> None:
    found = render(everywhere(word), "pdf")
    assert isinstance(found, bytes)
    assert unspaced(text_of_paper(found)).count(word) >= 8
    assert outside(found) == []


def outside(found: bytes) -> list[str]:
    """Text that starts outside the margins of its page, or by its length must run over them."""
    beyond: list[str] = []
    for page in PdfReader(io.BytesIO(found)).pages:

        def visit(text: str, outer: Any, inner: Any, _: Any, size: float, page: Any = page) -> None:
            x, y = inner[4] * outer[0] + outer[4], inner[5] * outer[3] + outer[5]
            end = x + len(text.strip()) * size * 0.2
            if text.strip() and not (44 < x <= end < float(page.mediabox.width) - 44 and 20 < y < 810):
                beyond.append(text)

        page.extract_text(visitor_text=visit)
    return beyond


def test_text_taller_than_a_page_goes_on_over_the_next() -> None:
    story = " ".join(f"sentence{n}" for n in range(4000))
    check = samples.VALID[0].model_copy(update={"detail": story})
    found = made(validity=(check,), limits=(story,))
    shown = text_of_paper(found)
    assert set(re.findall(r"\bsentence\d+\b", shown)) == set(story.split())
    assert len(pages_of(found)) > 8
    assert outside(found) == []


def test_a_table_too_wide_for_paper_stands_row_under_row() -> None:
    arms = [f"treatment_arm_with_name_{letter}" for letter in "abcdefghijklmn"]
    units = tuple(samples.UNITS[0].model_copy(update={"arm": arm}) for arm in arms)
    shown = text_of_paper(made(units=units))
    reasons = shown.split("Units left out, by reason")[1].split("What the logs held")[0]
    assert outside(made(units=units)) == []
    assert all(reasons.count(arm) == len(units[0].excluded) for arm in arms)


def test_characters_without_a_shape_in_the_package_are_drawn_without_claiming_conformance() -> None:
    found = render(everywhere("中文 日本語 \U0001f600 \ue000"), "pdf")
    assert isinstance(found, bytes)
    assert b"pdfuaid" not in found
    assert PdfReader(io.BytesIO(found)).trailer["/Root"]["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in made(limits=("Ελληνικά, кириллица, Łódź, naïve, ✓ ≥ ± → ‖",))


def test_a_defect_of_the_template_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "_template", lambda: b"#panic(sys.inputs.content.len())")
    with pytest.raises(typst.TypstError, match="panicked"):
        paper.pdf(samples.invalid())


def test_typst_has_nothing_to_complain_of() -> None:
    readout = samples.several_treatments()
    content = paper.content_of(page_of(readout), readout.sha256)
    _, warnings = typst.compile_with_warnings(
        paper._template(),
        format="pdf",
        font_paths=paper._fonts(system_fonts=False),
        sys_inputs={"content": content},
    )
    assert [warning.message for warning in warnings] == []


def test_a_pdf_takes_under_a_second_of_processor_after_the_first() -> None:
    readout = samples.ship()
    render(readout, "pdf")

    def taken() -> float:
        started = time.process_time()
        render(readout, "pdf")
        return time.process_time() - started

    assert min(taken() for _ in range(3)) < 1
