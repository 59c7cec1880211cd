"""The health checks of a running experiment: which stand in the way, what usually causes that, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.formats import NOTHING
from experiments.looks.health import Health
from experiments.readouts.readout import Check

_WORST_FIRST: Final = {"fail": 0, "hold": 1, "warn": 2}


@dataclass(frozen=True, slots=True)
class Guidance:
    """What is known about a check that does not pass.

    Attributes:
        causes: what it usually comes from, the likeliest first.
        do: the next step.
    """

    causes: tuple[str, ...]
    do: str


SRM_STAGES: Final = (
    "Assignment: are units hashed with the declared salt and shares, by every server?",
    "Execution: does one arm crash, redirect or time out before its exposure is logged?",
    "Logging: are rows of one arm lost, delayed, filtered or written twice?",
    "Analysis: does the source map arms and units as the design means them?",
    "Interference: was the allocation or another experiment changed while it ran?",
)
"""Where a mismatch of the arms comes from, after the taxonomy of Fabijan et al. (2019), KDD."""


def failing(health: Health) -> tuple[Check, ...]:
    """The checks that stand in the way, the worst first."""
    standing = (check for check in health.checks if check.result in _WORST_FIRST)
    return tuple(sorted(standing, key=lambda check: _WORST_FIRST[check.result]))


def holding(health: Health) -> tuple[Check, ...]:
    """The checks that hold a look until they are mended."""
    return tuple(check for check in health.checks if check.result == "hold")


def is_allocation(check: Check) -> bool:
    """Whether it compares the units of the arms with the planned shares."""
    return check.name.casefold().startswith("allocation") and not check.name.casefold().startswith(
        "allocation by"
    )


def guidance(check: Check) -> Guidance:
    """Causes and next step of a check that does not pass."""
    name = check.name.casefold()
    return next((known for begin, known in _GUIDANCE if name.startswith(begin)), _ANYTHING)


def advice(check: Check) -> str:
    """What to do about a check that does not pass; nothing about one that does."""
    return guidance(check).do if check.result in _WORST_FIRST else NOTHING


_CLOCKS: Final = Guidance(
    (
        "Two servers or services whose clocks differ.",
        "A log in local time that the source file declares as UTC.",
        "A time of arrival logged where the time of the event is meant.",
    ),
    "Compare the clocks and time zones of the logs; mend the source file or the logging service.",
)

_READABLE: Final = Guidance(
    (
        "A change of schema: a column was renamed or has another type since.",
        "Rows that were cut off while they were written.",
        "Units whose assignment is not in the log: rows that were lost, or those of another experiment.",
    ),
    "Look at the rows that cannot be read; they are counted and never dropped in silence.",
)

_GUIDANCE: Final[tuple[tuple[str, Guidance], ...]] = (
    (
        "allocation by",
        Guidance(
            (
                "A rule that acts before the hash: a cache, a redirect, a list of exceptions for this level.",
                "A level whose rows are logged elsewhere, or later.",
            ),
            "Compare how units of this level are assigned and logged with the others.",
        ),
    ),
    (
        "allocation of exposed",
        Guidance(
            SRM_STAGES,
            "Where assigned units match the plan and exposed ones do not, exposure depends on the arm: mend the trigger, or "
            "analyse from assignment. Then restart it as a new experiment, or abandon it.",
        ),
    ),
    (
        "allocation",
        Guidance(
            SRM_STAGES,
            "Go through these five stages. Then restart it as a new experiment, or abandon it.",
        ),
    ),
    (
        "units in several arms",
        Guidance(
            (
                "Ids that change: a sign-in, a new device, cleared cookies.",
                "A second service that assigns with another salt or other shares.",
                "Shares that were changed while it ran.",
            ),
            "Look for the units that came to both arms, and for what they have in common.",
        ),
    ),
    (
        "data freshness",
        Guidance(
            ("The load of the logs has stopped or fallen behind.", "The source declares no newer watermark."),
            "See whether the load of the logs still runs. Nothing is lost: looks wait until the logs are complete.",
        ),
    ),
    (
        "assignment audit",
        Guidance(
            (
                "The assigning service uses another salt, key or other shares than the design.",
                "It hashes another id than the log holds.",
                "Units are overridden by hand, by a list or by a flag.",
            ),
            "Compare salt, key and shares in the assigning service with the design: the logged arm is not the hash's.",
        ),
    ),
    (
        "join rate",
        Guidance(
            (
                "Ids written otherwise in the two logs: case, prefix, number against text.",
                "Another kind of id: user in one, device or session in the other.",
                "Outcomes that have not arrived yet.",
            ),
            "Put ids of both logs side by side, and name the right column in the source file.",
        ),
    ),
    (
        "pre-period balance",
        Guidance(
            (
                "Chance: one check in a thousand warns where nothing is wrong.",
                "Units that were in an earlier experiment with the same salt.",
                "A mismatch of the arms that has not shown in the counts yet.",
            ),
            "See whether the allocation checks pass and whether the salt is new. Adjustment by the declared covariates takes "
            "up what chance left.",
        ),
    ),
    (
        "arms named",
        Guidance(
            ("The service logs the arms under other names than the design has.",),
            "Map the logged names to the design's in the sources file (arms).",
        ),
    ),
    (
        "units to analyse",
        Guidance(
            ("Nobody is eligible, exposed or mature yet.", "The key in the log is not the design's."),
            "See in the counts where the units stop.",
        ),
    ),
    ("readable", _READABLE),
    (
        "times of day",
        Guidance(
            ("The outcome log has dates, the exposure log has times.",),
            "Give the outcome log a time, or count outcomes from the day after exposure.",
        ),
    ),
    ("exposed before assigned", _CLOCKS),
    ("recorded before", _CLOCKS),
    ("exposures in the future", _CLOCKS),
    ("outcomes in the future", _CLOCKS),
)

_ANYTHING: Final = Guidance((), "Look at the rows behind it; outcomes stay closed until it is mended.")
