"""Documents: YAML with line numbers in, canonical JSON and its SHA-256 out."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from experiments.forms.problems import Invalid, Path, Problem


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document as plain values, with the line on which each path stands (first line is 1).

    Attributes:
        text: what was written; it can be parsed again. A document that came from Python has its values as JSON.
        faults: what is wrong with it as YAML although its fields could be told apart: duplicate keys and the like.
    """

    body: dict[str, Any]
    text: str
    file: str | None = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: tuple[Problem, ...] = ()

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
        Invalid: the file is missing, unreadable or not a YAML mapping; every duplicate key.
    """
    return parse_document(read_text(file, what), what, file=str(file))


def parse_document(text: str, what: str, *, file: str | None = None) -> Document:
    """Parse YAML text into plain values and line numbers.

    Raises:
        Invalid: the text is no YAML, or not one mapping of named fields; every duplicate key.
    """
    document = scan_document(text, what, file=file)
    if document.faults:
        raise Invalid(what, document.faults)
    return document


def read_text(file: FilePath, what: str) -> str:
    """The text of a file.

    Raises:
        Invalid: it is missing or not UTF-8.
    """
    try:
        return FilePath(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text; save it with that encoding"
    raise Invalid(what, [Problem((), reason, file=str(file))])


def scan_document(text: str, what: str, *, file: str | None = None) -> Document:
    """Like ``parse_document``, but a document whose fields can be told apart keeps its faults for the caller to report.

    Dates stay text, so that a title may look like one.

    Raises:
        Invalid: the text is no YAML, or not one mapping of named fields.
    """
    try:
        tree = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise Invalid(what, [Problem((), f"not valid YAML: {_reason(error)}", line, file)]) from error
    except (YAMLError, RecursionError) as error:
        reason = (
            "lists or fields are nested too deep"
            if isinstance(error, RecursionError)
            else str(error).splitlines()[0]
        )
        raise Invalid(what, [Problem((), f"not valid YAML: {reason}", file=file)]) from error
    if not isinstance(tree, MappingNode):
        found = (
            "nothing" if tree is None else "a list" if isinstance(tree, SequenceNode) else "a single value"
        )
        raise Invalid(what, [Problem((), f"expected named fields, found {found}", 1, file)])
    reader = _Reader(file)
    body = reader.mapping(tree, ())
    return Document(body, text, file, reader.lines, tuple(reader.faults))


def document_of(fields: dict[str, Any], what: str) -> Document:
    """A document from Python values, with a text that parses to the same values.

    Raises:
        Invalid: a value that a YAML file could not hold.
    """
    problems: list[Problem] = []
    body = _plain(fields, (), problems)
    if problems:
        raise Invalid(what, problems)
    text = json.dumps(body, indent=2, ensure_ascii=False)
    return Document(body, _NOT_PRINTABLE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text) + "\n")


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8, shortest round-trip floats, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON leaves as it is and YAML refuses or takes for a line break."""

_HINTS = {
    "'\\t' that cannot start any token": "indent with spaces, not with tabs",
    "cannot start any token": "quote text that starts with a reserved sign",
    "mapping values are not allowed here": "quote text that holds ': '",
    "but found another document": "write one document a file",
}


def _reason(error: MarkedYAMLError) -> str:
    reason = str(error.problem or error.context or error)
    hints = [hint for part, hint in _HINTS.items() if part in reason]
    return f"{reason} ({hints[0]})" if hints else reason


class _Reader:
    """Plain values of composed nodes, the line of every path, and what cannot be read as a plain value."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.faults: list[Problem] = []
        self.open: list[Node] = []

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._note(path, "a field's name is one word, not a list or a group", line)
                continue
            key = str(key_node.value)
            here = (*path, key)
            if str(key_node.tag).endswith(":merge"):
                self._note(here, "merging fields with << is not supported; write them out", line)
            elif key in values:
                self._note(here, f"is written twice (first on line {self.lines[here]}); keep one", line)
            else:
                self.lines[here] = line
                values[key] = self.value(value_node, here)
        return values

    def value(self, node: Node, path: Path) -> Any:
        if any(node is parent for parent in self.open):
            self._note(path, f"refers to itself (&{node.anchor})", node.start_mark.line + 1)
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self.open.append(node)
        found: Any
        if isinstance(node, MappingNode):
            found = self.mapping(node, path)
        else:
            found = []
            for index, item in enumerate(node.value):
                self.lines[(*path, index)] = item.start_mark.line + 1
                found.append(self.value(item, (*path, index)))
        self.open.pop()
        return found

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text, kind = str(node.value), str(node.tag).rsplit(":", 1)[-1]
        line = node.start_mark.line + 1
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return {"true": True, "false": False}[text.casefold()]
            if kind == "int":
                digits = text.replace("_", "")
                return int(digits, 0) if digits.lstrip("+-")[:2].casefold() in _PREFIXES else int(digits)
            if kind == "float":
                return float(_NOT_FINITE.get(text.casefold(), text.replace("_", "")))
        except (ValueError, KeyError):
            self._note(path, f"{text!r} is not a YAML {kind}", line)
            return None
        if kind not in {"str", "timestamp"}:
            self._note(path, f"{text!r} has the tag {node.tag}; write plain text or a number", line)
        elif not _is_unicode(text):
            self._note(path, "holds half of a surrogate pair; write the character itself", line)
        return text

    def _note(self, path: Path, message: str, line: int) -> None:
        self.faults.append(Problem(path, message, line, self.file))


_PREFIXES = {"0x", "0o", "0b"}
_NOT_FINITE = {".nan": "nan", ".inf": "inf", "+.inf": "inf", "-.inf": "-inf"}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any, path: Path, problems: list[Problem]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, dict):
        return {str(key): _plain(item, (*path, str(key)), problems) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index), problems) for index, item in enumerate(value)]
    written = _written(value)
    if written is None or not _is_unicode(written):
        problems.append(
            Problem(
                path,
                f"a {type(value).__name__} is not allowed; give text, numbers, true or false, lists and dicts",
            )
        )
    return written


def _written(value: Any) -> str | None:
    """How a Python value is written in a file; None where it cannot be."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, timedelta):
        return f"{Fraction(value // timedelta(microseconds=1), 1_000_000)}s"
    return value.isoformat() if isinstance(value, date) else None
