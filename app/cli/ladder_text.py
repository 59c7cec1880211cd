"""A rollout as the terminal and programs read it: where it stands, what the next step needs, every step with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.cli.output import Cell, Table, figure, percent, plain

if TYPE_CHECKING:
    from registry.ladder import NextStep, Realised, RolloutFile, Said, Transition


def rollout_document(found: RolloutFile) -> dict[str, Any]:
    from registry.rollouts.messages import route_document

    return {
        "rollout": {**plain(found.rollout), "words": found.rollout.words},
        "plan": found.design.material,
        "aliases": {name: alias.version for name, alias in found.aliases.items()},
        "next": {
            "to": None if found.next.movement is None else found.next.movement.to_state.value,
            "step": None if found.next.movement is None else found.next.movement.to_step,
            "entry": None if found.next.movement is None else found.next.movement.entry,
            "signed": found.next.movement is not None and found.next.movement.signed,
            "missing": found.next.missing,
            "confirm": found.next.confirm,
        },
        "waiting": found.waiting,
        "route": route_document(found.route),
        "served_since": found.served_since,
        "units_met": found.units_met,
        "transitions": found.transitions,
    }


def standing_lines(found: RolloutFile) -> list[str | Table]:
    one = found.rollout
    labels = "".join(f" [{label}]" for label in one.labels)
    aliases = ", ".join(f"{name} → {alias.version or 'none'}" for name, alias in found.aliases.items())
    return [
        f"{one.id}  {one.title}: {one.words}{labels}",
        f"  aliases of {one.model}: {aliases}",
        f"  served: {found.route.reason}",
        *_next_lines(found),
    ]


def _next_lines(found: RolloutFile) -> list[str]:
    if found.waiting is not None:
        asked = found.waiting
        return [
            f"  waiting: {asked.requested_by} asks for {asked.to_state.value}"
            f"{'' if asked.to_step is None else f' step {asked.to_step}'}; fairtrial ladder advance "
            f"{asked.rollout} --approve --reason WHY --as DECIDER"
        ]
    return _missing(found.next, found.rollout.id)


def _missing(following: NextStep, rollout: str) -> list[str]:
    movement = following.movement
    if movement is None:
        return [f"  {problem.reason} {problem.what_to_do}" for problem in following.missing]
    step = "" if movement.to_step is None else f", step {movement.to_step}"
    lines = [f"  next: {movement.to_state.value}{step}"]
    lines += [f"    ✕ {problem.reason} {problem.what_to_do}" for problem in following.missing]
    lines += [f"    to confirm: {criterion}" for criterion in following.confirm]
    if not following.missing:
        signs = " (a decider has to sign it)" if movement.signed else ""
        lines.append(f"    fairtrial ladder advance {rollout} --reason WHY{signs}")
    return lines


def rollout_text(found: RolloutFile) -> list[str | Table]:
    from app.formats import instant

    budget = found.design.risk_budget
    met = "" if found.units_met is None else f", {figure(found.units_met)} have met it"
    rungs = [
        f"{rung}: {found.rollout.entry_of(_state(rung)) or 'not named yet'}" for rung in found.design.rungs
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            str(one.number),
            "" if one.settled_at is None else instant(one.settled_at),
            _who(one),
            f"{one.verb} ({one.status})" if one.status != "done" else one.verb,
            one.to_state.value + ("" if one.to_step is None else f" {one.to_step}"),
            ", ".join(_evidence(each) for each in one.evidence),
            ", ".join(
                f"{move.alias} {move.before or 'none'} → {move.after or 'none'}" for move in one.aliases
            ),
            one.reason,
        )
        for one in found.transitions
    ]
    columns = ("step", "at", "who", "did", "to", "evidence", "aliases", "reason")
    return [
        *standing_lines(found),
        f"  rungs: {'; '.join(rungs)}",
        f"  risk budget: {percent(float(budget.share))} of all units"
        + ("" if budget.units is None else f", {figure(budget.units)} units")
        + met,
        Table(columns, rows, "Steps"),
    ]


def _state(rung: str) -> Any:
    from registry.ladder import RolloutState

    return RolloutState(rung)


def _who(one: Transition) -> str:
    if one.settled_by is None or one.settled_by == one.requested_by:
        return one.requested_by
    return f"{one.requested_by}, {one.settled_by}"


def _evidence(one: Any) -> str:
    said = one.get("verdict") or one.get("decision") or ""
    return f"{one['entry']} {one['what']} {said} {str(one['sha256'])[:8]}".replace("  ", " ")


def slices_table(document: dict[str, Any]) -> Table:
    rows = [
        (name, part["arm"], part["version"], percent(part["share"]), part["low_digits"], part["high_digits"])
        for name in ("candidate", "control")
        if (part := document[name]) is not None
    ]
    title = f"Positions of salt {document['salt']}"
    return Table(("slice", "arm", "version", "share", "from", "up to"), rows, title)


def realised_table(rows: tuple[Realised, ...]) -> Table:
    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        cells.append((row.found.measure, row.found.entry, _said(row.found), row.found.state, ""))
        for said, inside in zip(row.predicted, row.inside, strict=True):
            hit = {True: "yes", False: "no", None: "cannot be said"}[inside]
            cells.append(("", said.entry, _said(said), said.state, hit))
    return Table(
        ("measure", "by", "difference", "state", "A/B inside it"), cells, "Predicted against realised"
    )


def _said(one: Said) -> str:
    if one.estimate is None:
        return figure(None)
    low, high = (figure(None) if bound is None else f"{bound:+.4g}" for bound in (one.low, one.high))
    return f"{one.estimate:+.4g} ({low} to {high}) {one.unit}".rstrip()
