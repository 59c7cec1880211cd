"""Files handed in for a source: what is asked of the worker, who may, and the record of each file that was added.

The file itself never comes here. The record holds its name, hash and rows, where it went, and who added it; the files it
became are told with their hashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry import ledger
from registry.acts import act
from registry.database import Registry
from registry.ledger import Entry
from registry.lifecycle.states import permit_work

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from registry.acts import Act

ADD_FILE: Final = "add file"
"""The act of adding a file to a source."""

MAY_ADD: Final = "add a file to a source"
"""The work, as the table of roles calls it."""


class UploadAsked(BaseModel):
    """What a file is to be looked over as.

    Attributes:
        upload: names the file where it waits; 32 hexadecimal digits.
        name: what whoever handed it in calls it; shown, and never a path.
        ending: of that name, which says how it is read.
        log: of the source: ``assignments``, ``exposures``, ``outcomes``, or one of several, ``outcomes_1``.
        columns: role → column of the file; what is left out is proposed, an empty name maps a role to nothing.
        complete: of a new log: nothing more will come.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    upload: str = Field(pattern=r"^[0-9a-f]{32}$")
    name: str = Field(min_length=1, max_length=200)
    ending: Literal[".csv", ".csv.gz", ".parquet"]
    log: str = Field(pattern=r"^(assignments|exposures|outcomes(_\d{1,3})?)$")
    columns: dict[str, str] = Field(default={}, max_length=200)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Added:
    """A file that was added to a source.

    Attributes:
        sha256: of the file as it was handed in.
        files: the files it became, each relative to its log's folder, with their SHA-256.
    """

    upload: str
    name: str
    sha256: str
    size: int
    rows: int
    log: str
    mapping: Mapping[str, str]
    files: tuple[tuple[str, str], ...]


def asked_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of looking a file over, with their defaults.

    Raises:
        ValueError: every one that is not allowed.
    """
    try:
        return UploadAsked.model_validate(dict(parameters)).model_dump()
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ValueError("\n".join(lines)) from None


def note_not_checked(doing: Act, check: int) -> None:
    """Note why what a job looked over may not be added to the source: by this person, as it was looked over."""
    # Not at the top: jobs are asked for by what is said here.
    from registry.jobs import JobState, Kind, job_in

    found = job_in(doing.connection, check)
    if found.kind is not Kind.UPLOAD_CHECK or found.entity != doing.entity:
        doing.object(
            f"Job {check} looked over no file for {doing.entity}.",
            when_possible="with the job that looked the file over.",
            what_to_do="Have the file looked over for this source.",
        )
    elif found.state is not JobState.DONE or found.result is None or not found.result["ok"]:
        doing.object(
            f"The file was not found good (job {check}).",
            when_possible="once it was looked over and nothing stands in its way.",
            what_to_do="Mend the file or its mapping, and have it looked over again.",
        )
    if found.requested_by != doing.actor.id:
        doing.object(
            f"{found.requested_by} handed the file in.",
            when_possible=f"for {found.requested_by}.",
            what_to_do=f"Ask {found.requested_by}, or hand it in yourself.",
        )


def add_file(registry: Registry, actor: str, source: str, added: Added) -> None:
    """Record that a file is added to a source; once it is on record it is put in place.

    Raises:
        Refused: the actor has none of the roles for it, or this very file was added to the log before.
    """
    with act(registry, actor, ADD_FILE, source) as doing:
        doing.role = permit_work(doing, MAY_ADD)
        earlier = added_before(doing.connection, source, added.log, added.sha256)
        if earlier is not None:
            doing.object(
                f"This very file was added to {added.log} of {source} already, by {earlier.actor} on {earlier.at[:10]} "
                f"(record {earlier.seq}).",
                when_possible="never twice: every row would count twice.",
                what_to_do="Discard it.",
            )
        doing.refuse_if_objections()
        doing.facts = asdict(added)
        doing.summary = (
            f"Added {added.name} to {added.log} of {source}: {added.rows} rows, SHA-256 {added.sha256[:12]}."
        )


def added_before(connection: Connection, source: str, log: str, sha256: str) -> Entry | None:
    """The record of this very file in this log of a source; None where it was never added."""
    for entry in ledger.entries(connection, entity=source, action=ADD_FILE):
        facts = json.loads(entry.detail)["facts"]
        if (facts["log"], facts["sha256"]) == (log, sha256):
            return entry
    return None


def on_record(registry: Registry, source: str, upload: str) -> bool:
    """Whether a file that was handed in is recorded as added; the process that recorded it may have died before placing it."""
    with registry.reading() as connection:
        entries = ledger.entries(connection, entity=source, action=ADD_FILE)
        return any(json.loads(entry.detail)["facts"]["upload"] == upload for entry in entries)
