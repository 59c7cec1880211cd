"""Where the registry looks inside a plan's material document: the only place that knows its shape."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final

from experiments.assignment.hashing import LAYER_SALT
from registry.canonical import Document, canonical_json
from registry.records import Reservation

ASSIGNMENT_KEY: Final = ("assignment", "key")
SALT: Final = ("assignment", "salt")
LAYER: Final = ("assignment", "layer")
ARMS: Final = ("arms",)
PRIMARY_METRIC: Final = ("primary", "metric", "name")
PRIMARY_METRIC_VERSION: Final = ("primary", "metric", "version")
PRIMARY_MEASURE: Final = ("primary", "measure")

Path = tuple[str, ...]


class Kind(StrEnum):
    """What happened to a field between two documents."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs between two material documents."""

    path: Path
    kind: Kind
    old: Any
    new: Any

    @property
    def name(self) -> str:
        """The path as people read it: `guardrails.p95_latency.margin.value`."""
        return ".".join(self.path)


Forbids = Callable[[Change], bool]


def _any(_change: Change) -> bool:
    return True


def _of_what_was_there(change: Change) -> bool:
    return change.kind is not Kind.ADDED


def _upward(change: Change) -> bool:
    """A margin that is wider, gone, or no longer a number."""
    return _of_what_was_there(change) and not _is_at_most(change.new, change.old)


def _downward(change: Change) -> bool:
    """A sample that is smaller, gone, or no longer a number."""
    return _of_what_was_there(change) and not _is_at_most(change.old, change.new)


def _harm_stop(change: Change) -> bool:
    return any("harm" in str(role) for role in (change.old, change.new))


def _not_merely_longer(change: Change) -> bool:
    """A larger sample takes longer, so durations may grow; all else in the rule decides the looks."""
    if change.path[1:2] in {("minimum_duration",), ("maximum_duration",)}:
        return _downward(change)
    return change.path[1:2] not in {("if_short",), ("part_weeks_reason",)}


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A part of the plan that no amendment touches once units are exposed."""

    pattern: str
    """Field names joined by dots; `*` stands for one name, a last `**` for whatever is below."""
    when: Forbids
    what: str

    def touched_by(self, change: Change) -> bool:
        pattern = tuple(self.pattern.split("."))
        if _matches(change.path, pattern):
            return self.when(change)
        if change.path[-1:] == (ORDER,):
            return False
        # A value that stood where the pattern expects something deeper: nobody can tell what it held there.
        return _matches(change.path, pattern[: len(change.path)]) and change.old not in (None, [], {})


FORBIDDEN_AFTER_EXPOSURE: Final = (
    Forbidden("primary.metric.**", _any, "the primary metric"),
    Forbidden("hypothesis.expect.**", _any, "the direction"),
    Forbidden("purpose.**", _any, "the purpose"),
    Forbidden("primary.alpha.**", _any, "alpha"),
    Forbidden("primary.sides.**", _any, "the number of sides"),
    Forbidden("primary.margin.value", _upward, "a margin, upward"),
    Forbidden("primary.margin.kind", _any, "a margin's kind"),
    Forbidden("guardrails.*.metric.**", _of_what_was_there, "a guardrail's metric"),
    Forbidden("guardrails.*.margin.value", _upward, "a margin, upward"),
    Forbidden("guardrails.*.margin.kind", _of_what_was_there, "a margin's kind"),
    Forbidden("guardrails.*.alpha", _of_what_was_there, "alpha"),
    Forbidden("guardrails.*.role", _of_what_was_there, "what a guardrail is for"),
    Forbidden("guardrails.*.role", _harm_stop, "a harm stop"),
    Forbidden("multiple_treatments.**", _any, "alpha over several treatments"),
    Forbidden("stopping.**", _not_merely_longer, "the stopping rule and its looks"),
    Forbidden("validity.**", _any, "the validity checks and their alpha"),
    Forbidden("eligibility.**", _any, "who is excluded"),
    Forbidden("rules.**", _any, "the rules for exclusion, units in several arms and missing outcomes"),
    Forbidden("power.n_per_arm.**", _downward, "the sample, downward"),
    # Units would move between arms, or the planned shares no longer describe those assigned before.
    Forbidden("units.**", _any, "the units"),
    Forbidden("assignment.**", _any, "the assignment"),
    Forbidden("arms.*.name", _any, "the arms"),
    Forbidden("arms.(order)", _any, "the arms"),
    Forbidden("arms.*.share", _any, "the planned shares"),
    Forbidden("decision_rule.**", _any, "the decision rule"),
    Forbidden("which_ships.**", _any, "the decision rule"),
)
"""Registration form and amendment classes: timing class B. What is not listed may be amended in class B."""


def at(material: Document, path: Path) -> Any:
    """The value at a path, or None where the document has none."""
    value: Any = material
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def primary_metric(material: Document) -> str | None:
    """The primary metric as `name@version`; of a shadow the measure that decides; a canary has none."""
    name, version = at(material, PRIMARY_METRIC), at(material, PRIMARY_METRIC_VERSION)
    if name is None:
        return text_at(material, PRIMARY_MEASURE)
    return str(name) if version is None else f"{name}@{version}"


def arms(material: Document) -> tuple[str, ...]:
    """The names of the arms, control first; none where the document has none."""
    return tuple(_names(at(material, ARMS) or []) or ())


def text_at(material: Document, path: Path) -> str | None:
    """The text at a path, or None where the document has none."""
    value = at(material, path)
    return None if value is None else str(value)


def reservation(material: Document) -> Reservation | None:
    """The part of a layer the plan asks for: `{"name": "search", "start": "0", "end": "1/3"}`, end excluded.

    Raises:
        ValueError: for anything else that is not null.
    """
    layer = at(material, LAYER)
    if layer is None:
        return None
    try:
        part = Reservation(str(layer["name"]), Fraction(layer["start"]), Fraction(layer["end"]))
    except (TypeError, KeyError, ValueError, ZeroDivisionError):
        part = None
    if part is None or not part.layer or not 0 <= part.start < part.end <= 1:
        raise ValueError(
            f"assignment.layer: {canonical_json(layer)} is not allowed; give a name and two shares from "
            '0 to 1 in order, for example {"name": "search", "start": "0", "end": "1/3"}'
        )
    return part


def canary_slices(material: Document) -> tuple[Reservation, ...]:
    """The parts of a layer that a canary's candidate and control hold at its largest step; none outside a layer.

    Its salt is then the layer's own (`experiments.rollouts.routing`), so that its slices are parts of the layer.
    """
    name = (text_at(material, SALT) or "").removeprefix(LAYER_SALT)
    shares = [Fraction(step["share"]) for step in at(material, ("steps",)) or ()]
    if not shares or not name or name == text_at(material, SALT):
        return ()
    return Reservation(name, Fraction(0), max(shares)), Reservation(name, 1 - max(shares), Fraction(1))


def forbidden_after_exposure(changes: tuple[Change, ...], kind: str = "ab") -> dict[str, list[str]]:
    """What the changes touch that must not be, in words, with the names of the fields.

    Of a shadow or a canary that is everything: each of its fields decides who meets the candidate, or whether it passes.
    """
    if kind != "ab":
        return {f"the plan of a running {kind}": [change.name for change in changes]} if changes else {}
    touched: dict[str, list[str]] = {}
    for change in changes:
        for rule in FORBIDDEN_AFTER_EXPOSURE:
            if rule.touched_by(change):
                touched.setdefault(rule.what, []).append(change.name)
                break
    return touched


def differences(old: Document, new: Document) -> tuple[Change, ...]:
    """Field by field what differs; empty exactly when both have the same canonical form.

    The items of a list of named things (arms, guardrails) are told apart by name, so that a new guardrail in
    front does not make all others look changed.
    """
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    changes = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            changes.append(Change(path, Kind.REMOVED, before[path], None))
        elif path not in before:
            changes.append(Change(path, Kind.ADDED, None, after[path]))
        elif canonical_json(before[path]) != canonical_json(after[path]):
            changes.append(Change(path, Kind.CHANGED, before[path], after[path]))
    if not changes and canonical_json(old) != canonical_json(
        new
    ):  # a list became an object of the same names
        changes.append(Change((), Kind.CHANGED, old, new))
    return tuple(changes)


def _leaves(value: Any, path: Path) -> list[tuple[Path, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name in value for leaf in _leaves(value[name], (*path, name))]
    if isinstance(value, list) and (names := _names(value)):
        leaves = [
            leaf for name, item in zip(names, value, strict=True) for leaf in _leaves(item, (*path, name))
        ]
        return [*leaves, ((*path, ORDER), names)]
    return [(path, value)]


ORDER: Final = "(order)"
"""The name under which the order of a list of named things is compared."""


def _names(items: list[Any]) -> list[str] | None:
    """The items' names, when all have one and no two the same."""
    names = [_name(item) for item in items]
    known = [name for name in names if name is not None]
    return known if len(known) == len(set(known)) == len(items) and ORDER not in known else None


def _name(item: Any) -> str | None:
    """An arm's name; a guardrail's metric, with the segment in which it must hold."""
    if not isinstance(item, dict):
        return None
    metric, segment = item.get("metric"), item.get("segment")
    name = item.get("name", metric.get("name") if isinstance(metric, dict) else None)
    if not isinstance(name, str) or not name:
        return None
    return f"{name} by {segment}" if isinstance(segment, str) else name


def _matches(path: Path, pattern: Path) -> bool:
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        path = path[: len(pattern)]
    return len(path) == len(pattern) and all(
        expected in ("*", found) for found, expected in zip(path, pattern, strict=True)
    )


def _is_at_most(value: Any, limit: Any) -> bool:
    """Whether a number, or each of as many numbers, is at most the limit; anything else is not."""
    if isinstance(value, list) and isinstance(limit, list):
        return len(value) == len(limit) and all(map(_is_at_most, value, limit))
    numbers = all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in (value, limit)
    )
    return numbers and value <= limit
