"""Whether pairs can be trusted, and whether what the design declares of them is there.

What cannot be mended makes the shadow INVALID: requests logged twice, other inputs, another order, pairs missing not at
random. What can be mended holds the look while there is time, with answers and labels closed; when time is up it is not
measured, which never passes.
"""

from __future__ import annotations

from experiments.logs.sql import DAY_US, at_moment
from experiments.readouts import words
from experiments.readouts.readout import Check, CheckResult
from experiments.shadows.design import ShadowDesign
from experiments.shadows.evidence import ContentEvidence, PairingEvidence
from experiments.shadows.missing import missing_at_random
from experiments.shadows.readout import MissingAtRandom


def trust_checks(design: ShadowDesign, pairing: PairingEvidence) -> list[Check]:
    """What makes a shadow INVALID; no answer and no label is needed for it."""
    rules = design.written.pairing
    found = [
        _share_check(
            "Duplicated requests",
            pairing.duplicated,
            pairing.requests,
            rules.duplicates,
            "requests logged more than once by a model",
        ),
        _inputs(design, pairing),
        *_order(design, pairing),
    ]
    found += [_missing_check(design, one) for one in missing_at_random(pairing.levels, pairing.missing)]
    return found


def score_checks(design: ShadowDesign, content: ContentEvidence) -> list[Check]:
    """Whether pairs miss by the champion's score; it needs what the champion said."""
    return [_missing_check(design, one) for one in missing_at_random(content.levels, content.missing)]


def is_trusted(design: ShadowDesign, pairing: PairingEvidence) -> bool:
    return not any(check.result == "fail" and check.blocking for check in trust_checks(design, pairing))


def coverage_checks(design: ShadowDesign, pairing: PairingEvidence, *, ends: bool) -> list[Check]:
    """What the design declares of the pairs and is not there: it holds the look, and at its end is not measured.

    Args:
        ends: nothing more is waited for.
    """
    written = design.written
    short: CheckResult = "fail" if ends else "hold"
    found = [
        Check(
            name="Mirrored requests",
            result="pass" if pairing.both else short,
            detail=_rows(design, pairing),
            rule="both models logged the same requests",
            blocking=False,
        ),
        Check(
            name="Matched share",
            result="pass" if (pairing.matched_share or 0.0) >= written.matched_share else short,
            detail=f"{words.count(pairing.both)} of {words.count(pairing.requests)} requests logged by both "
            f"({_percent(pairing.matched_share)}); {words.count(pairing.champion_only)} by the champion alone, "
            f"{words.count(pairing.candidate_only)} by the candidate alone",
            rule=f"at least {written.matched_share:.2%}",
            blocking=False,
        ),
        Check(
            name="Answered pairs",
            result="pass" if pairing.answered >= written.minimum_pairs else short,
            detail=f"{words.count(pairing.answered)} pairs without error or timeout of either model",
            rule=f"at least {words.count(written.minimum_pairs)}",
            blocking=False,
        ),
    ]
    if written.whole_days and pairing.days:
        found.append(_days(pairing, short))
    if pairing.has_labels:
        found.append(
            Check(
                name="Labels have come",
                result="pass" if (pairing.label_share or 0.0) >= written.label_share else short,
                detail=f"{words.count(pairing.labelled)} of {words.count(pairing.answered)} mature pairs have a label "
                f"({_percent(pairing.label_share)})",
                rule=f"at least {written.label_share:.0%} of the mature pairs",
                blocking=False,
            )
        )
    return found


def content_checks(design: ShadowDesign, pairing: PairingEvidence, content: ContentEvidence) -> list[Check]:
    """What shows only with the answers: the deciding measure of every labelled pair, labels in the models' words."""
    sums = content.quantity(design.primary.measure.name)
    said, wanted = 0 if sums is None else sums.pairs, pairing.labelled
    found = [
        Check(
            name="Answers of both models",
            result="pass" if wanted and said >= design.written.matched_share * wanted else "fail",
            detail=f"{words.count(said)} of {words.count(wanted)} labelled pairs have the {design.primary.measure.words} of both",
            rule=f"at least {design.written.matched_share:.2%} of the labelled pairs",
            blocking=False,
        )
    ]
    if content.label_values and design.task in {"binary", "multiclass"}:
        strange = pairing.labelled - content.known_labels
        too_many = design.task == "binary" and content.label_values > 2
        detail = f"{words.count(content.label_values)} different labels; {words.count(strange)} pairs have one that no model ever answered"
        limit = 0.5 * pairing.labelled
        found.append(
            Check(
                name="Labels in the models' words",
                result="fail" if too_many or strange > limit else "warn" if strange else "pass",
                detail=detail,
                rule="two labels of a binary task; most labels are among the answers",
                blocking=False,
            )
        )
    return found


def _missing_check(design: ShadowDesign, found: MissingAtRandom) -> Check:
    rules = design.written.pairing
    beyond = found.largest_gap is not None and found.largest_gap > rules.largest_gap
    by_chance = found.p_value is not None and found.p_value >= rules.alpha
    result: CheckResult = "pass" if not beyond else "warn" if by_chance else "fail"
    gap = (
        "no requests"
        if found.largest_gap is None
        else f"{found.largest_gap * 100:.2f} percentage points at {found.worst}"
    )
    return Check(
        name=f"Missing at random by {found.attribute}",
        result=result,
        detail=f"largest excess of unmatched requests: {gap}",
        rule=f"at most {words.points(rules.largest_gap)} above the share of all, or p ≥ {rules.alpha:g}",
        p_value=found.p_value,
    )


def _inputs(design: ShadowDesign, pairing: PairingEvidence) -> Check:
    if pairing.with_hash == 0:
        return Check(
            name="Same inputs",
            result="not applicable",
            detail="no input hash of both models is logged: nobody can tell whether they were given the same",
            rule="logged hashes are equal",
            blocking=False,
        )
    return _share_check(
        "Same inputs",
        pairing.other_inputs,
        pairing.with_hash,
        design.written.pairing.other_inputs,
        "pairs with different input hashes",
    )


def _order(design: ShadowDesign, pairing: PairingEvidence) -> list[Check]:
    limit = design.written.pairing.out_of_order
    found = []
    if pairing.too_far_apart is not None:
        hours = design.written.pairing.answer_within / 3600
        found.append(
            _share_check(
                "Answered together",
                pairing.too_far_apart,
                pairing.both,
                limit,
                f"pairs answered more than {hours:g} h apart",
            )
        )
    if pairing.out_of_order is not None:
        found.append(
            _share_check(
                "Same order",
                pairing.out_of_order,
                pairing.units_with_several,
                limit,
                "users whose first or last request differs between the models",
            )
        )
    return found


def _share_check(name: str, odd: int, of: int, limit: float, what: str) -> Check:
    share = odd / of if of else 0.0
    result: CheckResult = "fail" if share > limit else "warn" if odd else "pass"
    return Check(
        name=name,
        result=result,
        detail=f"{words.count(odd)} of {words.count(of)} {what}",
        rule="none" if limit == 0 else f"at most {limit:.2%}",
    )


def _days(pairing: PairingEvidence, short: CheckResult) -> Check:
    """Every UTC day from the first to the last (or the cut-off) has requests that both models logged."""
    last = pairing.days[-1].day
    if pairing.cut_off.before_us is not None and not pairing.complete:
        last = (pairing.cut_off.before_us - 1) // DAY_US
    covered = {one.day for one in pairing.days if one.both}
    absent = [day for day in range(pairing.days[0].day, last + 1) if day not in covered]
    named = ", ".join(f"{at_moment(day * DAY_US):%d %b %Y}{_whose(pairing, day)}" for day in absent[:5])
    more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
    return Check(
        name="Whole days",
        result=short if absent else "pass",
        detail=f"no pair on {named}{more}" if absent else f"{len(covered)} days, each with pairs",
        rule="both models logged requests on every day",
        blocking=False,
    )


def _whose(pairing: PairingEvidence, day: int) -> str:
    found = next((one for one in pairing.days if one.day == day), None)
    if found is None:
        return " (no request at all)"
    return " (the candidate logged none)" if found.champion_only else " (the champion logged none)"


def _rows(design: ShadowDesign, pairing: PairingEvidence) -> str:
    empty = [
        f"no row of {model} {version}"
        for model, version, rows in (
            ("champion", design.champion, pairing.champion_rows),
            ("candidate", design.candidate, pairing.candidate_rows),
        )
        if rows == 0
    ]
    return "; ".join(empty) or f"{words.count(pairing.both)} requests logged by both"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.2%}"
