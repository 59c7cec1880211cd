"""Tables of the document, and how a share stands in one."""

from __future__ import annotations

from collections.abc import Sequence

from tests.guarantees.measuring import Share


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def percent(share: Share, digits: int = 2) -> str:
    return f"{100 * share.value:.{digits}f} ± {100 * share.standard_error:.{digits}f} %"


def bound(share: Share) -> str:
    return f"{100 * share.bound:g} %"


def yes(share: Share) -> str:
    return "yes" if share.kept else "**no**"
