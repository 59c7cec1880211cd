"""Whether the ledger is whole, and whether the tables are what it says.

Four questions, none of which relies on the database's own triggers:

1. Does every record carry the hash of its own bytes and of the record before, with no gap from 1 to n?
2. Does the ledger still hold what the anchor outside the database witnessed?
3. Replayed from the first record, do the changes give exactly the rows that the tables hold?
4. Does every document still have the hash it is kept under?

Without a key, somebody who may write to the database can *add* well-formed records after the last witnessed
one; with a key nobody without it can.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from registry import ledger
from registry.anchor import Witness, witnesses
from registry.database import Registry
from registry.ledger import ADOPT_KEY, GENESIS, Entry, Head, hash_of, key_id_of
from registry.replay import UNREADABLE, Finding, Replay

MAXIMUM_FINDINGS: Final = 100
"""How many findings are listed; one is enough to know, and a lost table would give thousands."""


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to "has anybody changed anything behind the registry's back?"."""

    ok: bool
    records: int
    head: str
    first_broken: int | None
    """The first record that is broken, missing or contradicted; None when all is well, or when what is wrong
    is a row or a line of the anchor that no record speaks of."""
    findings: tuple[Finding, ...]
    unwitnessed: int | None
    """How many records at the end no anchor line has witnessed yet; None without an anchor."""
    keyed: bool
    """Whether the last record is sealed with a key."""

    def __str__(self) -> str:
        if self.ok:
            return f"The ledger is whole: {self.records} records, last hash {self.head}."
        where = "" if self.first_broken is None else f" First broken record: {self.first_broken}."
        return f"The registry was changed behind its back.{where} " + " ".join(f.what for f in self.findings)


def verify(registry: Registry) -> Verification:
    """Check the whole ledger, the anchor, the tables and the documents. Reads only."""
    # The anchor is read first: a commit that comes between the two reads must not look like a cut ledger.
    lines, unreadable = (
        witnesses(registry.anchor) if registry.anchor and registry.anchor.exists() else ([], [])
    )
    with registry.reading() as connection:
        chain = _Chain(registry.key, lines)
        replay = Replay()
        stopped = []
        try:
            for entry in ledger.entries(connection):
                chain.take(entry)
                replay.take(entry)
        except UNREADABLE as error:
            seq = chain.end.count + 1
            stopped.append(Finding(seq, f"Record {seq}, or one soon after, cannot be read: {error}."))
        in_chain = [*chain.findings, *stopped, *chain.unmet_witnesses()]
        in_rows = [*(Finding(None, line) for line in unreadable), *replay.differences(connection)]
    findings = [*in_chain, *in_rows]
    witnessed = max((line.count for line in lines), default=0)
    return Verification(
        ok=not findings,
        records=chain.end.count,
        head=chain.end.hash,
        # Rows are replayed from the records: while those are broken, they say nothing about which row is.
        first_broken=_first(in_chain or in_rows),
        findings=tuple(findings[:MAXIMUM_FINDINGS]),
        unwitnessed=None if registry.anchor is None else max(chain.end.count - witnessed, 0),
        keyed=chain.end.key_id is not None,
    )


class _Chain:
    """Follows the records one by one, against each other and against the anchor."""

    def __init__(self, key: bytes | None, lines: list[Witness]) -> None:
        self.end = Head(0, GENESIS, None)
        self.findings: list[Finding] = []
        self._key = key
        self._key_id = None if key is None else key_id_of(key)
        self._lines: dict[int, list[Witness]] = {}
        for line in lines:
            self._lines.setdefault(line.count, []).append(line)
        self._vouched_upto = 0  # the last record that agreed with a line of the anchor
        self._last_seq = 0
        self._unreadable_key = False
        self._unkeyed: int | None = None  # the first unkeyed record, until an adoption vouches for it

    def take(self, entry: Entry) -> None:
        self._follow(entry)
        self._check_seal(entry)
        self._meet(entry)
        self._last_seq = entry.seq
        self.end = Head(self.end.count + 1, entry.hash, entry.at, entry.key_id)

    def unmet_witnesses(self) -> list[Finding]:
        """What is wrong once all records were seen."""
        found = []
        if self._key is not None and self._unkeyed is not None:
            found.append(
                Finding(
                    self._unkeyed,
                    f"Record {self._unkeyed} is not sealed with the key, and no record adopts it.",
                )
            )
        ahead = [line for count, lines in self._lines.items() if count > self._last_seq for line in lines]
        if ahead:
            most = max(line.count for line in ahead)
            found.append(
                Finding(
                    self._last_seq + 1,
                    f"The ledger was cut: the anchor witnessed {most} records, {self._last_seq} are left; "
                    f"record {self._last_seq + 1} is the first that is missing.",
                )
            )
        return found

    def _follow(self, entry: Entry) -> None:
        expected = self._last_seq + 1
        if entry.seq != expected:
            gap = (
                f"Record {expected} is missing"
                if entry.seq > expected
                else f"Record {entry.seq} is out of place"
            )
            self.findings.append(
                Finding(expected, f"{gap}: after record {self._last_seq} comes {entry.seq}.")
            )
        elif entry.prev_hash != self.end.hash:
            self.findings.append(
                Finding(
                    entry.seq,
                    f"Record {entry.seq} does not follow record {self._last_seq}: one of them was replaced.",
                )
            )

    def _check_seal(self, entry: Entry) -> None:
        if entry.key_id is None:
            self._unkeyed = self._unkeyed or entry.seq
            key = None
        elif entry.key_id == self._key_id:
            if self._unkeyed is not None and entry.action == ADOPT_KEY and self._unkeyed == 1:
                self._unkeyed = None
            key = self._key
        else:
            if not self._unreadable_key:
                needed = "no key is set" if self._key is None else f"the key that is set is {self._key_id}"
                what = (
                    f"Records from {entry.seq} on cannot be checked: they name key {entry.key_id}, {needed}."
                )
                self.findings.append(Finding(entry.seq, what))
            self._unreadable_key = True
            return
        try:
            sealed = hash_of(entry, key)
        except ValueError as error:
            sealed = f"none ({error})"
        if not hmac.compare_digest(sealed, entry.hash):
            self.findings.append(
                Finding(entry.seq, f"Record {entry.seq} was edited: its hash does not fit it.")
            )

    def _meet(self, entry: Entry) -> None:
        lines = self._lines.get(entry.seq, [])
        wrong = [line for line in lines if line.head != entry.hash]
        if wrong:
            first = self._vouched_upto + 1
            self.findings.append(
                Finding(
                    first,
                    f"Record {first} was rewritten, or one from there to {entry.seq}: line {wrong[0].line} "
                    f"of the anchor witnessed another hash for record {entry.seq}.",
                )
            )
        elif lines:
            self._vouched_upto = entry.seq


def _first(findings: list[Finding]) -> int | None:
    return min((finding.seq for finding in findings if finding.seq is not None), default=None)
