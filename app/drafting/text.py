"""The text of a draft, edited field by field: what is not touched stays as it was written, comments included."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from experiments.forms.documents import Document, scan_document
from experiments.forms.problems import Invalid, Path
from experiments.forms.validation import value_at

WHAT = "design"
_WIDE = 4096
"""Lines are not folded: a title is one line."""
_NEXT_LINE = "\x85"
"""The one line break that the emitter writes as it stands and a reader then takes for a space."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change that somebody made in the form.

    Attributes:
        does: puts a value at the path (None takes the field away), adds an entry to the list there, removes the entry that
            ``value`` counts to, or replaces the whole text.
        words: what it is, for people.
    """

    path: Path
    value: Any
    does: Literal["put", "add", "remove", "text"] = "put"
    words: str = ""


@dataclass(frozen=True)
class DraftText:
    """A design file as far as it is written; every change gives a new one."""

    text: str

    @cached_property
    def document(self) -> Document:
        """Its fields, with lines.

        Raises:
            Invalid: the text is not one mapping of named fields, so that no field of it can be told from another.
        """
        return scan_document(self.text, WHAT) if self.text.strip() else Document({}, self.text)

    @property
    def body(self) -> dict[str, Any]:
        return self.document.body

    def at(self, path: Path) -> Any:
        """What stands at a path; None where nothing does."""
        return value_at(self.body, path)

    def length(self, path: Path) -> int:
        """How many entries a list has."""
        found = self.at(path)
        return len(found) if isinstance(found, list) else 0

    def after(self, edits: Iterable[Edit]) -> DraftText:
        """With every change, in their order."""
        draft = self
        for edit in edits:
            match edit.does:
                case "put":
                    draft = draft.with_value(edit.path, edit.value)
                case "add":
                    draft = draft.with_entry(edit.path, edit.value)
                case "remove":
                    draft = draft.without_entry(edit.path, edit.value)
                case "text":
                    draft = DraftText(edit.value)
        return draft

    def with_value(self, path: Path, value: Any) -> DraftText:
        """With a value at a path; None takes the field away, and groups that are empty then."""
        body = copy.deepcopy(self.body)
        _put(body, path, value)
        return self._rewritten(body, path)

    def with_entry(self, path: Path, entry: Mapping[str, Any]) -> DraftText:
        """With one more entry at the end of a list."""
        found = self.at(path)
        entries = [*found, dict(entry)] if isinstance(found, list) else [dict(entry)]
        body = copy.deepcopy(self.body)
        _put(body, path, entries)
        return self._rewritten(body, path)

    def without_entry(self, path: Path, index: int) -> DraftText:
        """Without one entry of a list; the list goes with its last."""
        found = self.at(path)
        if not isinstance(found, list) or not 0 <= index < len(found):
            return self
        left = [entry for place, entry in enumerate(found) if place != index]
        body = copy.deepcopy(self.body)
        _put(body, path, left or None)
        return self._rewritten(body, path)

    def _rewritten(self, body: dict[str, Any], path: Path) -> DraftText:
        """The text with this body: the old text with one field changed, else, where that fails, written anew."""
        if body == self.body:
            return self
        kept = _edited(self.text, body, path)
        if kept is not None and _says(kept, body):
            return DraftText(kept)
        return DraftText(written(body))


def written(body: Mapping[str, Any]) -> str:
    """A design file that holds these plain values."""
    if not body:
        return ""
    text = _dumped(body)
    return text if _NEXT_LINE not in text else _dumped(body, escaped=True)


def _dumped(body: Mapping[str, Any], *, escaped: bool = False) -> str:
    out = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.allow_unicode = not escaped
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = _WIDE
    writer.dump(dict(body), out)
    return out.getvalue()


def _put(body: dict[str, Any], path: Path, value: Any) -> None:
    """Set or take away a field, making the groups above it; a value that is no group gives way to one."""
    here: Any = body
    above: list[tuple[Any, str | int]] = []
    for part, following in pairwise(path):
        above.append((here, part))
        if isinstance(part, int):
            if not isinstance(here, list) or part >= len(here):
                return  # the entry is gone: somebody else removed it
            here = here[part]
            continue
        wanted = list if isinstance(following, int) else dict
        if not isinstance(here.get(part), wanted):
            if value is None:
                return
            here[part] = wanted()
        here = here[part]
    last = path[-1]
    if value is not None:
        here[last] = value
        return
    if isinstance(here, dict):
        here.pop(str(last), None)
    for parent, part in reversed(above):
        if here != {} or isinstance(part, int):
            return
        del parent[part]
        here = parent


def _edited(text: str, body: Mapping[str, Any], path: Path) -> str | None:
    """The text with the top-level field of a path as the body has it, all else with its comments; None where that fails."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = _WIDE
    try:
        tree = editor.load(text)
        if tree is None:
            return None
        _follow(tree, body, path)
        out = io.StringIO()
        editor.dump(tree, out)
    except (YAMLError, TypeError, ValueError, KeyError, IndexError, AttributeError, RecursionError):
        return None
    return out.getvalue()


def _follow(tree: Any, body: Any, path: Path) -> None:
    """Make the tree equal to the body along a path, changing as little as can be."""
    part, rest = path[0], path[1:]
    if isinstance(body, Mapping) and part not in body:
        del tree[part]
    elif rest and _is_group(tree, part) and isinstance(body[part], list | dict):
        _follow(tree[part], body[part], rest)
    else:
        tree[part] = body[part]


def _is_group(tree: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return part < len(tree) and isinstance(tree[part], list | dict)
    return part in tree and isinstance(tree[part], list | dict)


def _says(text: str, body: Mapping[str, Any]) -> bool:
    try:
        found = scan_document(text, WHAT)
    except Invalid:
        return False
    return found.body == body and not found.faults
