"""Cases for a blinded review: a sample of pairs on which one model alone is right, and of pairs on which both say the same.

Drawn from the pairs that the sealed look counted, by a seed that was fixed before: in each group the requests with the smallest
MD5 of seed and request id, so that the same sample comes out whatever the order of the rows or the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from experiments.forms.problems import Invalid, Problem
from experiments.logs.manifest import Manifest
from experiments.logs.sql import Step, ident, text
from experiments.readouts.readout import Part
from experiments.shadows.design import ShadowDesign
from experiments.shadows.logs import PredictionSources
from experiments.shadows.quantities import positive, right
from experiments.shadows.reading import ShadowReading
from experiments.shadows.stopping import closed
from experiments.shadows.sums import Among

CHAMPION_RIGHT: Final = "champion alone right"
CANDIDATE_RIGHT: Final = "candidate alone right"
AGREED: Final = "both say the same"

WANTED: Final = {CHAMPION_RIGHT: 50, CANDIDATE_RIGHT: 50, AGREED: 20}
"""How many pairs are drawn of each group, where there are so many; those on which both say the same are controls."""


class Case(Part):
    """One pair, with what each model answered.

    Attributes:
        attributes: of the request, as the logs name them.
        label: what was true, by the logs.
    """

    number: int
    request: str
    attributes: dict[str, str]
    group: str
    champion: str
    candidate: str
    label: str | None


class Group(Part):
    """How many pairs of a group were drawn, of how many there are."""

    name: str
    drawn: int
    of: int


class DrawnCases(Part):
    """The sample, in an order that tells nothing of the groups."""

    seed: str
    champion: str
    candidate: str
    groups: tuple[Group, ...]
    cases: tuple[Case, ...]


def draw_cases(
    design: ShadowDesign,
    predictions: PredictionSources,
    *,
    before_us: int | None,
    watermark_us: int | None,
    seed: str,
    sealed: Manifest | None = None,
    before_outcomes: Callable[[int], None] | None = None,
) -> DrawnCases:
    """Draw the cases of a shadow.

    Args:
        before_us, watermark_us: where the sealed look ended, and up to when it read.
        sealed: read only the files that a seal names, as they were then.
        before_outcomes: called with the number of the champion's rows just before answers and labels are read.

    Raises:
        Invalid: the logs do not say what a model answered, or whether it was right; or cannot be read.
    """
    with ShadowReading(design, predictions, sealed=sealed) as reading:
        shown = _shown(reading)
        _refuse_changed(reading, sealed)
        at = closed(design, before_us, watermark_us)
        if before_outcomes is not None:
            before_outcomes(reading.rows(at.watermark_us)[0])
        reading.pair(at.watermark_us, content=True, requests=True)
        drawn: list[tuple[str, str, str, str, str | None]] = []
        groups = []
        for name, condition in shown.groups.items():
            those = f"FROM pairs WHERE {Among.of(design, at).labelled} AND {condition}"
            of = int(reading.one(Step("cases", f"SELECT count(*) {those}"))[0])
            place = f"md5({text(seed + '/')} || CAST(request AS VARCHAR))"
            sql = (
                f"SELECT CAST(request AS VARCHAR) AS id, {shown.champion}, {shown.candidate}, {shown.label} {those} "
                f"ORDER BY {place}, id LIMIT {WANTED[name]}"
            )
            found = reading.engine.run(Step("cases", sql))
            drawn += [(name, str(r), str(h), str(c), t) for r, h, c, t in found]
            groups.append(Group(name=name, drawn=len(found), of=of))
        # Another hash than the one they were drawn by: that one is smaller, the larger the group.
        drawn.sort(key=lambda row: sha256(f"{seed}/order/{row[1]}".encode()).digest())
        attributes = _attributes(reading, [row[1] for row in drawn])
    cases = tuple(
        Case(
            number=number,
            request=request,
            attributes=attributes.get(request, {}),
            group=group,
            champion=champion,
            candidate=candidate,
            label=None if label is None else str(label),
        )
        for number, (group, request, champion, candidate, label) in enumerate(drawn, start=1)
    )
    return DrawnCases(
        seed=seed, champion=design.champion, candidate=design.candidate, groups=tuple(groups), cases=cases
    )


def _refuse_changed(reading: ShadowReading, sealed: Manifest | None) -> None:
    changes = () if sealed is None else sealed.changes(reading.manifest())
    if changes:
        said = [
            f"{change} since the look was sealed; cases are drawn from what it read" for change in changes
        ]
        raise Invalid("logs", [Problem((), one) for one in said])


class _Shown(Part):
    """SQL over ``pairs``: both answers and the label as people read them, and which pairs are of which group."""

    champion: str
    candidate: str
    label: str
    groups: dict[str, str]


def _shown(reading: ShadowReading) -> _Shown:
    design, said = reading.design, reading.said
    champion, candidate = right(design, said, "champion"), right(design, said, "candidate")
    answers = [_answer(design, reading, model) for model in ("champion", "candidate")]
    problems = []
    if champion is None or candidate is None:
        problems.append(
            f"a {design.task} shadow whose logs do not say which answer is right has no cases to review"
        )
    if answers[0] is None or answers[1] is None:
        problems.append(
            "the logs do not say what the models answered, so that there is nothing to show to a reviewer"
        )
    if problems or answers[0] is None or answers[1] is None:
        raise Invalid("predictions", [Problem((), problem) for problem in problems])
    return _Shown(
        champion=answers[0],
        candidate=answers[1],
        label="CAST(label AS VARCHAR)" if said.has_labels else "CAST(NULL AS VARCHAR)",
        groups={
            CHAMPION_RIGHT: f"{champion} = 1 AND {candidate} = 0",
            CANDIDATE_RIGHT: f"{champion} = 0 AND {candidate} = 1",
            AGREED: f"{answers[0]} = {answers[1]}",
        },
    )


def _answer(design: ShadowDesign, reading: ShadowReading, model: str) -> str | None:
    """What a model answered; where only a score is logged, the decision that it means at the threshold."""
    if reading.said.has("prediction"):
        return f"CAST({model}_answer AS VARCHAR)"
    decision = positive(design, reading.said, model) if design.task == "binary" else None
    return None if decision is None else f"CASE WHEN {decision} THEN 'positive' ELSE 'negative' END"


def _attributes(reading: ShadowReading, requests: Sequence[str]) -> dict[str, dict[str, str]]:
    """What the logs say of each of these requests beside the answers; the first log that knows it says it."""
    found: dict[str, dict[str, str]] = {}
    if not requests:
        return found
    among = ", ".join(text(request) for request in requests)
    for one in reading.predictions:
        names = sorted(one.log.attributes)
        request = f"CAST({ident(one.log.columns.request)} AS VARCHAR)"
        columns = [f"min(CAST({ident(one.log.attributes[name])} AS VARCHAR))" for name in names]
        if not names:
            continue
        sql = f"SELECT {request} AS asked, {', '.join(columns)} FROM {one.opened.sql} WHERE {request} IN ({among}) GROUP BY asked"
        for asked, *values in reading.engine.run(Step("attributes", sql)):
            known = {name: str(value) for name, value in zip(names, values, strict=True) if value is not None}
            found.setdefault(str(asked), {}).update(known)
    return found
