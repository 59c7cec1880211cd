"""Where a workspace keeps its files, its registry and its clock: ``fairtrial.yaml``, found upward from here.

Every command, page and worker reads its settings here, once. Nothing that decides an experiment stands in them:
that is in the design. An environment variable ``FAIRTRIAL_`` and the setting's name overrides the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from experiments.forms.documents import Document, read_document
from experiments.forms.durations import seconds
from experiments.forms.problems import Invalid, Problem, unknown_name

FILE_NAME = "fairtrial.yaml"

DEFAULTS: Mapping[str, str] = {
    "catalogue": "metrics.yaml",
    "sources": "sources.yaml",
    "outcomes": "outcomes.yaml",
    "predictions": "predictions.yaml",
    "registry": ".fairtrial/registry.db",
    "refresh": "6h",
    "looks": "system",
}
"""Used where neither the file nor the environment says anything; files lie beside ``fairtrial.yaml``."""

KEYS = (*DEFAULTS, "one_person", "clock", "address", "upload_limit")

UPLOAD_LIMIT: Final = 200
LARGEST_UPLOAD_LIMIT: Final = 10_000
"""Megabytes of a file that is handed in by the browser, which passes through the memory of the pages' process."""

NEVER: Final = "never"
SHORTEST_REFRESH: Final = timedelta(minutes=1)

TakesLooks = Literal["system", "owner"]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one workspace.

    Attributes:
        folder: the workspace: the folder of ``fairtrial.yaml``, or the current one where there is none.
        file: ``fairtrial.yaml``; None where there is none.
        catalogue: the metric catalogue.
        sources: the sources file: assignments and exposures.
        outcomes: the outcomes file, which only what opens a look loads.
        predictions: the predictions file of shadows (answers and labels), which only what opens a look loads.
        registry: URL of the registry, ``sqlite:///path`` or ``postgresql://user@host/name``.
        one_person: id of the one person who holds every role; None in a team.
        clock: the moment at which a simulated clock stands; None for the machine's clock.
        address: where people reach the pages, for links in notices; None leaves them out.
        refresh: how often a worker asks by itself for health, the next look's standing and the harm stops of what runs; None
            to wait for people.
        looks: who takes a look that is due: Fairtrial itself (the owner may too), or the owner alone.
        upload_limit: the largest file, in megabytes, that the pages take; larger ones come in by the command line.
    """

    folder: Path
    file: Path | None
    catalogue: Path
    sources: Path
    outcomes: Path
    predictions: Path
    registry: str
    one_person: str | None = None
    clock: datetime | None = None
    address: str | None = None
    refresh: timedelta | None = None
    looks: TakesLooks = "owner"
    upload_limit: int = UPLOAD_LIMIT


def load_settings(start: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that hold in a folder.

    Args:
        start: the folder; the current one by default. ``fairtrial.yaml`` is looked for here and upward.
        environment: by default the process's own. Paths in it are relative to ``start``.

    Raises:
        Invalid: every problem of the file and the environment at once.
    """
    here = (start or Path.cwd()).resolve()
    variables = os.environ if environment is None else environment
    file = find_file(here)
    folder = here if file is None else file.parent
    document = Document({}, "") if file is None else read_document(file, f"settings {file}")
    problems = [
        document.problem((key,), unknown_name(key, KEYS, "a setting"))
        for key in document.body
        if key not in KEYS
    ]
    read: dict[str, Any] = {}
    for key, reader in _READERS.items():
        variable = f"FAIRTRIAL_{key.upper()}"
        override = variables.get(variable)
        try:
            if override:
                read[key] = reader(override, here)
            else:
                read[key] = reader(document.body.get(key, DEFAULTS.get(key)), folder)
        except ValueError as error:
            problems.append(
                Problem((variable,), str(error)) if override else document.problem((key,), str(error))
            )
    if problems:
        raise Invalid(f"settings {file}" if file else "settings", problems)
    return Settings(
        folder,
        file,
        read["catalogue"],
        read["sources"],
        read["outcomes"],
        read["predictions"],
        read["registry"],
        read["one_person"],
        read["clock"],
        read["address"],
        read["refresh"],
        read["looks"],
        read["upload_limit"],
    )


def find_file(start: Path) -> Path | None:
    """``fairtrial.yaml`` in this folder or the nearest one above it."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def registry_url(written: str, folder: Path) -> str:
    """The registry's URL, a SQLite file's path made absolute."""
    path = written.removeprefix("sqlite:///")
    if path == written and "://" in written:
        return written
    return f"sqlite:///{folder / path}"


def _file(value: Any, folder: Path) -> Path:
    return folder / _text(value, "name a file, for example metrics.yaml")


def _registry(value: Any, folder: Path) -> str:
    example = "name a file, for example .fairtrial/registry.db, or a URL, postgresql://user@host/name"
    return registry_url(_text(value, example), folder)


def _one_person(value: Any, _: Path) -> str | None:
    if value is None:
        return None
    return _text(value, "give the id of the person who holds every role, or leave it out in a team")


def _clock(value: Any, _: Path) -> datetime | None:
    if value is None or value == "system":
        return None
    problem = ValueError(
        f"{str(value)!r} is not allowed; leave it out for the machine's clock, or give the moment at which a "
        "simulated clock stands, with its time zone: 2026-11-01T00:00:00Z"
    )
    try:
        # YAML reads a written time itself; the copy is a plain datetime, not the reader's own class.
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise problem from None
    if moment.tzinfo is None:
        raise problem
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def _address(value: Any, _: Path) -> str | None:
    if value is None:
        return None
    example = "give the address of the pages as people open it, for example https://fairtrial.example.org"
    written = _text(value, example).rstrip("/")
    parts = urlsplit(written)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{value!r} is not allowed; {example}")
    return written


def _refresh(value: Any, _: Path) -> timedelta | None:
    if value == NEVER:
        return None
    try:
        every = timedelta(seconds=seconds(value))
    except ValueError as error:
        raise ValueError(f"{error}; or {NEVER}") from None
    if every < SHORTEST_REFRESH:
        raise ValueError(f"{value!r} is not allowed; give at least 1m, or {NEVER}")
    return every


def _looks(value: Any, _: Path) -> TakesLooks:
    if value == "system" or value == "owner":
        return value  # type: ignore[no-any-return]
    raise ValueError(
        f"{value!r} is not allowed; give system (a look that is due is taken by itself) or owner (only when the owner says so)"
    )


def _upload_limit(value: Any, _: Path) -> int:
    if value is None:
        return UPLOAD_LIMIT
    try:
        limit = int(str(value))
    except ValueError:
        limit = 0
    if not 1 <= limit <= LARGEST_UPLOAD_LIMIT:
        raise ValueError(
            f"{value!r} is not allowed; give whole megabytes from 1 to {LARGEST_UPLOAD_LIMIT}, for example {UPLOAD_LIMIT}"
        )
    return limit


def _text(value: Any, example: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is not allowed; {example}")
    return value.strip()


_READERS: Mapping[str, Callable[[Any, Path], Any]] = {
    "catalogue": _file,
    "sources": _file,
    "outcomes": _file,
    "predictions": _file,
    "registry": _registry,
    "one_person": _one_person,
    "clock": _clock,
    "address": _address,
    "refresh": _refresh,
    "looks": _looks,
    "upload_limit": _upload_limit,
}
