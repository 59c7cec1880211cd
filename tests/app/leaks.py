"""How a leak is found: numbers that only outcomes hold, and every way out of the app's process.

Ways out: messages to browsers, files for download, log lines, standard output, the session's state, caches, files, rows
added to the registry. And a way in that must stay shut: the outcomes file, every log, the frozen rows of a look, and the files
that wait for the worker. Those are laid down by the app's process: that is their only way to the worker, and no cache of it,
for it never reads them.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import pickle
import re
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import inspect, text
from streamlit.elements.widgets.button import ButtonMixin
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

from app.cli.session import open_workspace_registry
from app.settings import load_settings
from app.spool import spool_of

VALUES = {
    ("control", "done"): 7351.846193,
    ("candidate", "done"): 6173.502871,
    ("control", "failed"): 2859.317459,
    ("candidate", "failed"): 3967.728143,
}
"""Logged values, by arm and event."""

ROWS = {
    ("control", "done"): 4987,
    ("candidate", "done"): 5923,
    ("control", "failed"): 3413,
    ("candidate", "failed"): 3691,
}
"""Rows of the log, by arm and event."""

WORD = "kestrel"
"""Stands in a column of the log that no source maps, with the arm and the event."""


@dataclass(frozen=True)
class Canaries:
    """What must not come out: words, numbers as people or programs write them, and their bytes."""

    names: Mapping[bytes, str]
    numbers: re.Pattern[str]

    @classmethod
    def of(cls, numbers: Mapping[str, float | int], words: Mapping[str, str]) -> Canaries:
        binary: dict[bytes, str] = {word.encode(): name for name, word in words.items()}
        whole: set[str] = set()
        begun: set[str] = set()
        for name, number in numbers.items():
            if isinstance(number, int):
                binary[struct.pack("<q", number)] = name
                whole |= {str(number), *(f"{number:,}".replace(",", mark) for mark in ",\u202f\u00a0 ")}
                continue
            for shown in (number, 100 * number):
                # Without the last bits: a mean that was summed in another order is the same leak.
                binary |= {struct.pack("<d", shown)[2:]: name, struct.pack(">d", shown)[:6]: name}
                for digits in (4, 5, 6):
                    begun |= {_rounded(shown, digits), _cut(shown, digits)}
        wanted = [re.escape(one) for one in sorted(whole)]
        wanted += [
            rf"{re.escape(one)}\d*" for one in sorted(begun) if len(re.sub(r"^0\.0*|\D", "", one)) >= 4
        ]
        return cls(binary, re.compile(rf"(?<![\w.])(?:{'|'.join(wanted)})(?!\w|\.\d)"))

    def found_in(self, where: str, content: bytes) -> list[str]:
        """Every canary in some bytes."""
        found = [f"{where}: {name} (bytes)" for needle, name in self.names.items() if needle in content]
        readable = content.decode("utf-8", errors="replace")
        return found + [f"{where}: {match}" for match in sorted(set(self.numbers.findall(readable)))]


def plant(folder: Path) -> Canaries:
    """Write outcomes into a workspace's logs whose every number is known, and give what must not come out of them."""
    arm_of = _arms(folder)
    files = sorted((folder / "logs" / "outcomes").glob("dt=*/*.parquet"))
    logged = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    counted: dict[tuple[str, str], int] = dict.fromkeys(ROWS, 0)
    for file in files:
        table = pq.read_table(file, partitioning=None)
        rows = [row for row in table.to_pylist() if row["unit"] in arm_of]
        if file is files[-1]:
            rows += _further(logged, arm_of, counted, rows)
        for row in rows:
            key = (arm_of[row["unit"]], row["event"])
            counted[key] += 1
            row["value"], row["note"] = VALUES[key], f"{WORD}-{key[0]}-{key[1]}"
        pq.write_table(pa.Table.from_pylist(rows, table.schema.append(pa.field("note", pa.string()))), file)
    assert not files or counted == ROWS
    return _canaries(arm_of, logged)


def outcomes_as_csv(folder: Path) -> str:
    """The planted outcomes as a file that somebody could hand in: every canary is in it."""
    files = sorted((folder / "logs" / "outcomes").glob("dt=*/*.parquet"))
    tables = [pq.read_table(file, partitioning=None) for file in files]
    text: str = pa.concat_tables(tables).to_pandas().to_csv(index=False)
    return text


def canaries_of_sealed(document: Mapping[str, Any]) -> Canaries:
    """What must not come out of a sealed readout that is not released: effects, intervals, p-values, what arms show."""
    numbers = {
        path: value
        for path, value in _leaves("", document)
        if isinstance(value, float)
        and len(repr(value)) > 9
        and "information" not in path
        and "share" not in path
    }
    assert len(numbers) > 10
    return Canaries.of(numbers, {})


@dataclass
class Escape:
    """What left the process, or was opened, while pages were drawn."""

    canaries: Canaries
    found: list[str] = field(default_factory=list)
    messages: int = 0
    bytes: int = 0
    where: str = ""

    def scan(self, way: str, content: bytes) -> None:
        self.found += self.canaries.found_in(f"{self.where} {way}", content)

    def page(self, page: AppTest) -> None:
        """What a drawn page leaves in its session."""
        for name, value in page.session_state.to_dict().items():
            self.scan(f"session state {name}", _bytes_of(value))


@contextmanager
def watching(folder: Path, canaries: Canaries, monkeypatch: Any, capsys: Any) -> Iterator[Escape]:
    """Watch every way out while pages are drawn."""
    escape = Escape(canaries)
    enqueue, download = ForwardMsgQueue.enqueue, ButtonMixin._download_button

    def intercepted(queue: ForwardMsgQueue, message: Any) -> None:
        content = message.SerializeToString()
        escape.messages += 1
        escape.bytes += len(content)
        escape.scan("message", content)
        enqueue(queue, message)

    def downloaded(mixin: Any, label: str, data: Any, *rest: Any, **named: Any) -> Any:
        content = data() if callable(data) else data
        escape.scan(f"download {label}", content if isinstance(content, bytes) else str(content).encode())
        return download(mixin, label, data, *rest, **named)

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            escape.scan(f"log {record.name}", self.format(record).encode())

    lines = Lines(logging.DEBUG)
    files, rows = _files(folder), _rows(folder)
    capsys.readouterr()
    with monkeypatch.context() as patched, _opened(folder) as opened:
        patched.setattr(ForwardMsgQueue, "enqueue", intercepted)
        patched.setattr(ButtonMixin, "_download_button", downloaded)
        logging.getLogger().addHandler(lines)
        level = logging.getLogger().level
        logging.getLogger().setLevel(logging.DEBUG)
        try:
            yield escape
        finally:
            logging.getLogger().removeHandler(lines)
            logging.getLogger().setLevel(level)
    escape.where = "after"
    escape.found += [f"opened: {name}" for name in opened()]
    for way, content in zip(("standard output", "standard error"), capsys.readouterr(), strict=True):
        escape.scan(way, content.encode())
    for name, content in _caches():
        escape.scan(f"cache {name}", content)
    for file, stamp in _files(folder).items():
        if (
            files.get(file) != stamp
            and "registry.db" not in file.name
            and spool_of(folder) not in file.parents
        ):
            escape.scan(f"file {file.name}", file.read_bytes())
    for name, content in _rows(folder).items():
        if rows.get(name) != content:
            escape.scan(f"registry {name}", content)


def _arms(folder: Path) -> dict[str, str]:
    files = sorted((folder / "logs" / "assignments").glob("dt=*/*.parquet"))
    return {
        row["unit"]: row["arm"]
        for file in files
        for row in pq.read_table(file, partitioning=None).to_pylist()
    }


def _further(
    logged: list[dict[str, Any]],
    arm_of: Mapping[str, str],
    counted: Mapping[tuple[str, str], int],
    own: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Repeated rows, until there are as many of each arm and event as wanted."""
    further = []
    for key, wanted in ROWS.items():
        alike = [row for row in logged if (arm_of.get(row["unit"]), row["event"]) == key]
        there = counted[key] + sum((arm_of[row["unit"]], row["event"]) == key for row in own)
        further += [dict(alike[index % len(alike)]) for index in range(wanted - there)]
    return further


def _canaries(arm_of: Mapping[str, str], logged: list[dict[str, Any]]) -> Canaries:
    numbers: dict[str, float | int] = {}
    words = {f"{WORD} of {arm} {event}": f"{WORD}-{arm}-{event}" for arm, event in ROWS}
    rates: dict[tuple[str, str], float] = {}
    sizes = {arm: sum(one == arm for one in arm_of.values()) for arm in ("control", "candidate")}
    for (arm, event), rows in ROWS.items():
        numbers |= {f"rows of {arm} {event}": rows, f"value of {arm} {event}": VALUES[arm, event]}
        units = len(
            {row["unit"] for row in logged if (arm_of.get(row["unit"]), row["event"]) == (arm, event)}
        )
        if units and sizes[arm]:
            rates[arm, event] = units / sizes[arm]
            numbers[f"share of {arm} with {event}"] = rates[arm, event]
    for event in ("done", "failed"):
        if ("control", event) in rates and ("candidate", event) in rates:
            numbers[f"difference of {event}"] = rates["candidate", event] - rates["control", event]
        numbers[f"pooled rows of {event}"] = ROWS["control", event] + ROWS["candidate", event]
    # A share such as 1/2 says nothing: it stands in every plan.
    telling = {
        name: number for name, number in numbers.items() if isinstance(number, int) or len(repr(number)) > 9
    }
    return Canaries.of(telling, words)


def _rounded(number: float, digits: int) -> str:
    """As people write it: so many significant digits, no exponent."""
    return format(Decimal(f"{abs(number):.{digits}g}"), "f")


def _cut(number: float, digits: int) -> str:
    """The first significant digits as they stand: what longer forms begin with."""
    plain = format(Decimal(repr(abs(number))), "f")
    seen = 0
    for index, mark in enumerate(plain):
        seen += mark.isdigit() and (seen > 0 or mark != "0")
        if seen == digits:
            return plain[: index + 1]
    return plain


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}", inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}.{index}", inner)
    else:
        yield path, value


def _bytes_of(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=4) + str(value).encode()
    except Exception:  # what cannot be pickled is looked at as text
        return repr(value).encode()


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    places = [folder, Path.home() / ".streamlit"]
    found = [file for place in places for file in place.rglob("*") if file.is_file()]
    return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in found}


def _rows(folder: Path) -> dict[str, bytes]:
    """Every row of the registry, by table and key."""
    found = {}
    with open_workspace_registry(load_settings(folder)) as registry, registry.reading() as connection:
        for table in inspect(registry.engine).get_table_names():
            if table == "documents":
                continue  # kept under the hash of what they hold; those that are new are told by the rows that name them
            for number, row in enumerate(connection.execute(text(f'SELECT * FROM "{table}"'))):
                found[f"{table} {number}"] = json.dumps(list(row), default=str).encode()
    return found


def _caches() -> Iterator[tuple[str, bytes]]:
    from streamlit.runtime.caching.cache_data_api import _data_caches
    from streamlit.runtime.caching.cache_resource_api import _resource_caches

    for name, caches in (("data", _data_caches), ("resource", _resource_caches)):
        for kept in _within(caches._function_caches):
            yield name, kept


def _within(cache: Any) -> Iterator[bytes]:
    """Every value in Streamlit's caches, which are by session, then by function, then by arguments."""
    if isinstance(cache, Mapping):
        for inner in list(cache.values()):
            yield from _within(inner)
    elif hasattr(cache, "storage"):
        yield from _within(cache.storage)
    elif hasattr(cache, "_mem_cache"):
        yield from _within(cache._mem_cache)
    else:
        yield cache if isinstance(cache, bytes) else _bytes_of(cache)


_IN_READ, _IN_OPEN, _IN_FOLDER, _IN_NONBLOCK = 0x1, 0x20, 0x40000000, 0o4000
_EVENT = struct.Struct("iIII")


@contextmanager
def _opened(folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Which logs and outcome files are opened meanwhile, and which waiting files are read, by whatever code: the kernel tells
    (inotify, Linux)."""
    if not sys.platform.startswith("linux"):
        raise RuntimeError("the leak test watches files by inotify, which only Linux has")
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(_IN_NONBLOCK)
    shut = [folder / "outcomes.yaml", folder / "predictions.yaml", *_and_within(folder / "logs")]
    shut += _and_within(folder / ".fairtrial" / "extracts")
    watch = libc.inotify_add_watch
    watched = {watch(descriptor, os.fsencode(path), _IN_OPEN): path for path in shut if path.exists()}
    spool_of(folder).mkdir(parents=True, exist_ok=True)
    watched[watch(descriptor, os.fsencode(spool_of(folder)), _IN_READ)] = spool_of(folder)
    assert -1 not in watched
    seen: list[str] = []

    def opened() -> list[str]:
        return list(dict.fromkeys(seen))

    try:
        yield opened
    finally:
        try:
            content = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            content = b""
        while content:
            number, mask, _, length = _EVENT.unpack_from(content)
            name = content[_EVENT.size : _EVENT.size + length].rstrip(b"\0").decode()
            if not (mask & _IN_READ and mask & _IN_FOLDER):  # a folder's names may be looked at
                seen.append(str((watched[number] / name).relative_to(folder)))
            content = content[_EVENT.size + length :]
        os.close(descriptor)


def _and_within(folder: Path) -> list[Path]:
    return [folder, *(path for path in folder.rglob("*") if path.is_dir())] if folder.is_dir() else []
