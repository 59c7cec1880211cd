"""Naming a new log in the sources or the outcomes file: its other lines and comments stay as somebody wrote them."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from experiments.logs.sources import parse_outcome_sources, parse_sources
from experiments.logs.upload_columns import LogKind


def name_log(
    file: FilePath,
    source: str,
    kind: LogKind,
    entry: Mapping[str, object],
    columns: Mapping[str, str],
    *,
    complete: bool,
) -> None:
    """Write a new log into its file, whole; one that the file names already stays as it is.

    Args:
        entry: where the log lies.
        columns: role → its column; ``attributes.country`` is an attribute.

    Raises:
        Invalid: the file is no sources file, before or after.
    """
    before = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
    after = with_log(before, source, kind, entry, columns, complete=complete)
    if after == before:
        return
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(after, encoding="utf-8")
    beside.replace(file)


def with_log(
    text: str,
    source: str,
    kind: LogKind,
    entry: Mapping[str, object],
    columns: Mapping[str, str],
    *,
    complete: bool,
) -> str:
    """The text of a sources or outcomes file with a log named in it."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    top = "outcomes" if kind == "outcomes" else "sources"
    document = yaml.load(text) if text.strip() else None
    document = CommentedMap() if document is None else document
    owner = document.setdefault(top, CommentedMap()).setdefault(source, CommentedMap())
    new = _entry(entry, columns)
    if kind == "outcomes":
        logs = owner.setdefault("logs", [])
        if logs:
            return text
        logs.append(new)
    elif kind in owner:
        return text
    else:
        owner[kind] = new
    if complete and kind != "exposures":
        owner["complete"] = True
    written = io.StringIO()
    yaml.dump(document, written)
    after = written.getvalue()
    (parse_outcome_sources if kind == "outcomes" else parse_sources)(after)
    return after


def _entry(entry: Mapping[str, object], columns: Mapping[str, str]) -> CommentedMap:
    new: CommentedMap = CommentedMap(entry)
    own: dict[str, Any] = {role: name for role, name in columns.items() if "." not in role}
    new["columns"] = CommentedMap(own)
    attributes = {
        role.partition(".")[2]: name for role, name in columns.items() if role.startswith("attributes.")
    }
    if attributes:
        new["attributes"] = CommentedMap(attributes)
    return new
