"""How the registry says no: why, when it will be possible, and what to do.

The exceptions are named as what happened; most are answers, not faults.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that stands in the way of an act."""

    reason: str
    when_possible: str
    what_to_do: str

    def __str__(self) -> str:
        return f"{self.reason} Possible: {self.when_possible} What to do: {self.what_to_do}"


class RegistryError(Exception):
    """Anything the registry says no with."""


class Refused(RegistryError):  # noqa: N818
    """The act is not allowed. Nothing was saved, except that it was attempted."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    @property
    def reason(self) -> str:
        return " ".join(problem.reason for problem in self.problems)

    @property
    def when_possible(self) -> str:
        return " ".join(dict.fromkeys(problem.when_possible for problem in self.problems))

    @property
    def what_to_do(self) -> str:
        return " ".join(dict.fromkeys(problem.what_to_do for problem in self.problems))

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class Conflict(RegistryError):  # noqa: N818
    """Somebody else was first: what they did, and what the record is now."""

    def __init__(self, entity: str, who: str, did: str, at: str, now: str, revision: int) -> None:
        super().__init__(entity, who, did, at, now, revision)
        self.entity = entity
        self.who = who
        self.did = did
        self.at = at
        self.now = now
        self.revision = revision

    def __str__(self) -> str:
        return (
            f"{self.who} was first: {self.did} on {self.entity} at {self.at}. It is now: {self.now} "
            f"(revision {self.revision}). Nothing of yours was saved; read it again, repeat what still holds."
        )


class Unknown(RegistryError, LookupError):  # noqa: N818
    """No such record."""

    def __str__(self) -> str:
        return str(self.args[0])


class RegistryBusy(RegistryError):  # noqa: N818
    """Another process has been writing for longer than we wait."""


class SchemaTooNew(RegistryError):  # noqa: N818
    """The database was made by a newer Fairtrial."""


class LedgerKeyError(RegistryError):
    """The key that is set and the key the ledger was written with do not fit."""


class ClaimLost(RegistryError):  # noqa: N818
    """The job is no longer this worker's: it was cancelled, or given to another after too long a silence."""


class AnchorNotWritten(RegistryError):  # noqa: N818
    """The act is recorded, but the line that witnesses it outside the database could not be written."""
