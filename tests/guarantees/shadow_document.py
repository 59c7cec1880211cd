"""The shadow gate's sections of the document."""

from __future__ import annotations

from collections.abc import Sequence

from tests.guarantees.shadow import DAYS, PLANNED, STRONG_USERS, ShadowError, ShadowGate
from tests.guarantees.tables import bound, percent, table, yes


def shadow_parts(gate: ShadowGate) -> tuple[str, ...]:
    """The sections of the shadow gate."""
    return (
        f"## The shadow gate\n\nTwo models on the same requests, {PLANNED:,} users planned. No true difference: the candidate is "
        "called better or worse. A true worsening of just the margin (2 points): it passes. Strong users are those for whom nearly "
        "always the same model is right. The test is the clustered score test by user that a design takes for right and wrong "
        "(Obuchowski's, never surer than Tango's), for a loss the same without that limit; information is counted in users. "
        "It is asymptotic, and held to 1.1 times its level.\n\n" + _rows(gate.errors),
        "## Shadows whose users still send\n\nA user is counted from its first request with all it has sent so far, so that its sum "
        f"goes on changing after it was counted. No theorem covers that; measured over {DAYS} days, with looks as soon as their users "
        "have come:\n\n" + _rows(gate.while_sending),
        "## Where the shadow gate does not hold\n\nMcNemar's test takes the requests of a user for independent. "
        "The linearised test (delta method, Student's t) needs some hundred effective users at every look; here 1,000 users weigh as "
        "some fifty. And no test by user holds for a loss of heavy tails: users who lose most may not have been seen yet. Such a loss "
        "needs a cap, declared with the design.\n\n"
        + _rows(gate.habits)
        + f"\n\nPlanned by `users_needed` for the margin with equal models, power 80 %, {STRONG_USERS.words}: {gate.users_needed:,} users, "
        f"who pass in {percent(gate.power)} of {gate.power.replays:,} replays.",
    )


def _rows(rows: Sequence[ShadowError]) -> str:
    head = (
        "rule",
        "looks at",
        "users",
        "what is true: the error",
        "replays",
        "error",
        "nominal",
        "bound",
        "kept",
    )
    return table(
        head,
        [
            (
                one.rule,
                one.looks,
                one.users,
                one.truth,
                f"{one.share.replays:,}",
                percent(one.share),
                f"{100 * one.nominal:g} %",
                bound(one.share),
                yes(one.share),
            )
            for one in rows
        ],
    )
