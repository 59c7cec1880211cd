"""Documents: YAML with line numbers in, canonical JSON and its SHA-256 out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

from experiments.problems import Invalid, Path, Problem


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as plain values, with the line on which each path stands (first line is 1)."""

    body: dict[str, Any]
    text: str
    file: str | None = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of ``path``, or of the nearest parent that was written."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(path, message, self.line(path), self.file)


def read_document(file: FilePath, what: str) -> Document:
    """Read a YAML file.

    Raises:
        Invalid: the file is missing, unreadable or not a YAML mapping.
    """
    try:
        text = FilePath(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(what, [Problem((), f"cannot be read: {error}", file=str(file))]) from error
    return parse_document(text, what, file=str(file))


def parse_document(text: str, what: str, *, file: str | None = None) -> Document:
    """Parse YAML text (duplicate keys are an error) into plain values and line numbers."""
    try:
        tree = YAML(typ="rt").load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        message = str(error.problem or error.context or error)
        raise Invalid(what, [Problem((), f"not valid YAML: {message}", line, file)]) from error
    if not isinstance(tree, CommentedMap):
        found = "nothing" if tree is None else type(tree).__name__
        raise Invalid(what, [Problem((), f"expected named fields, found {found}", 1, file)])
    lines: dict[Path, int] = {}
    body = _plain(tree, (), lines)
    return Document(body, text, file, lines)


def _plain(node: Any, path: Path, lines: dict[Path, int]) -> Any:
    if isinstance(node, CommentedMap):
        values: dict[str, Any] = {}
        for key, value in node.items():
            here = (*path, str(key))
            lines[here] = node.lc.key(key)[0] + 1
            values[str(key)] = _plain(value, here, lines)
        return values
    if isinstance(node, CommentedSeq):
        items = []
        for index, value in enumerate(node):
            here = (*path, index)
            lines[here] = node.lc.item(index)[0] + 1
            items.append(_plain(value, here, lines))
        return items
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):  # ruamel's own scalar classes back to Python's
        if isinstance(node, kind):
            return kind(node)
    return node


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8, shortest round-trip floats, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
