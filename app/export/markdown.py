"""A readout as Markdown, for repositories and pull requests: words and tables, no pictures."""

from __future__ import annotations

import re

from app.export.blocks import Block, Bullets, Code, Figure, Folded, Page, Table, Words
from app.export.kinds import AnyReadout
from app.export.page import page_of


def markdown(readout: AnyReadout) -> str:
    """GitHub-flavoured Markdown in the order of the page. Text written by people is escaped."""
    page = page_of(readout)
    parts = [*_head(page), f"SHA-256 of this readout: `{readout.sha256}`"]
    for section in page.sections:
        parts.append(f"## {section.heading}")
        parts += [text for block in section.blocks if (text := _block(block))]
    return "\n\n".join(parts) + "\n"


def _head(page: Page) -> list[str]:
    parts = [f"# {escaped(page.experiment)}: {escaped(page.title)}"]
    if page.watermark:
        parts.append(f"**{page.watermark}**")
    parts += [f"**{escaped(label)}**: {escaped(meaning)}" for label, meaning in page.labels]
    lines = [page.verdict.sentence, *_because(page), page.verdict.rule]
    parts.append("\n>\n".join([f"> **{page.verdict.reading}**", *(f"> {escaped(line)}" for line in lines)]))
    parts.append(escaped(page.paragraph))
    parts.append("\n".join(f"- {name}: {escaped(value)}" for name, value in page.facts))
    return parts


def _because(page: Page) -> list[str]:
    return [f"Because: {'; '.join(page.verdict.reasons)}."] if page.verdict.reasons else []


def _block(block: Block) -> str:
    match block:
        case Words(text):
            return escaped(text)
        case Bullets(items):
            return "\n".join(f"- {escaped(item)}" for item in items)
        case Table():
            return _table(block)
        case Code(summary, language, text):
            return (
                f"<details><summary>{escaped(summary)}</summary>\n\n{_fenced(text, language)}\n\n</details>"
            )
        case Folded(summary, tables):
            inner = "\n\n".join(_table(table) for table in tables)
            return f"<details><summary>{escaped(summary)}</summary>\n\n{inner}\n\n</details>"
        case Figure():
            return ""


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    lines = [
        "| " + " | ".join(escaped(column.heading) for column in table.columns) + " |",
        "|" + "|".join(" ---: " if column.numeric else " --- " for column in table.columns) + "|",
        *("| " + " | ".join(escaped(str(cell)) for cell in row) + " |" for row in table.rows),
    ]
    return f"**{escaped(table.caption)}**\n\n" + "\n".join(lines)


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def escaped(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line."""
    flat = re.sub(r"\s*[\r\n]+\s*", " ", text)
    safe = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*\[\]|~])", r"\\\1", safe)
    outside_words = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", marked)
    return re.sub(r"^(#|-|\+|\d+[.)])(?=\s)", r"\\\1", outside_words)
