"""The tables as a document for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tests.guarantees import canary
from tests.guarantees.cases import ASYMPTOTIC, Section
from tests.guarantees.measuring import Share
from tests.guarantees.requests_per_user import FEWEST_EFFECTIVE
from tests.guarantees.results import HABITS_PART, Guarantees, futility_case, guarded
from tests.guarantees.shadow_document import shadow_parts
from tests.guarantees.tables import bound, percent, table, yes

KEPT = (
    "Every rule offered keeps its bound. One kind of interval is known to fall short, and is named below: those by user with few "
    "effective users."
)
WIDTH = 130


def document(found: Guarantees, command: str) -> str:
    """The whole document as Markdown."""
    parts = [_head(found, command)]
    parts += [_errors(section, shares) for section, shares in found.errors]
    parts += [_harm_stops(found), _intervals(found), _after_futility(found)]
    parts += [_beside_guardrails(found), _practices(found)]
    if found.by_user:
        parts.append(_by_user(found))
    parts += shadow_parts(found.shadow)
    parts.append(canary.section(found.canary))
    return "\n\n".join(wrapped(part) for part in (*parts, ASOS)) + "\n"


def wrapped(part: str) -> str:
    """Prose in lines of one width; headings and tables as they are."""
    blocks = part.split("\n\n")
    return "\n\n".join(block if block[0] in "#|" else textwrap.fill(block, WIDTH) for block in blocks)


def _head(found: Guarantees, command: str) -> str:
    sizes = found.sizes
    rows = sum(len(shares) for _, shares in found.errors) + len(found.harm_stops) + len(found.intervals)
    answer = KEPT
    if found.broken:
        answer = "**Not every rule keeps its bound:** " + "; ".join(found.broken) + "."
    return f"""# Guarantees

How often every stopping rule errs, and whether its intervals hold, by simulation. Written by `{command}` (`make guarantees`);
do not edit it by hand. The same command gives the same numbers.

{answer}

Every row is a design as a team would write it, {sizes.replays:,} replays of it from seed {sizes.seed} (fewer where there are many
looks or every replay has boundaries of its own, as the row says), units drawn one by one, looks taken one after the other by the
whole rule: validity checks, primary, guardrails, verdict. Replays run on moments, by the rule of `design simulate`, with boundaries
integrated at each replay's own information. In every one of the {rows} rows of the first tables, the first {sizes.walked} replays
were taken through readout after readout as well, as the registry would: each ended at the same look, with the same verdict, and each
interval shown held the truth where the simulated one did (harm stops: day by day, by the tests of a watch). One replay that differs
ends the command.

± is the Monte-Carlo standard error. A ceiling is kept when the share is at most the bound and three standard errors. Exact rules are
held to their level, asymptotic ones (confidence sequences, skewed or linearised outcomes) to {ASYMPTOTIC:g} times it."""


def _errors(section: Section, shares: Sequence[Share]) -> str:
    rows = [
        (
            one.rule,
            one.looks,
            one.outcome,
            f"{share.replays:,}",
            percent(share),
            f"{100 * one.nominal:g} %",
            f"{100 * share.bound:g} %",
            yes(share),
        )
        for one, share in zip(section.cases, shares, strict=True)
    ]
    head = ("rule", "looks at", "outcome", "replays", "error", "nominal", "bound", "kept")
    return f"## {section.title}\n\n{section.about}\n\n{table(head, rows)}"


def _harm_stops(found: Guarantees) -> str:
    rows = [
        (
            one.rule,
            one.looks,
            one.outcome,
            f"{share.replays:,}",
            percent(share),
            f"{100 * one.nominal:g} %",
            bound(share),
            yes(share),
        )
        for one, share in found.harm_stops
    ]
    head = ("rule", "watched", "outcome", "replays", "trips ever", "nominal", "bound", "kept")
    return (
        "## Harm stops watched daily\n\nThe worsening is just the margin: how often the stop ever trips.\n\n"
        + table(head, rows)
    )


def _intervals(found: Guarantees) -> str:
    rows = []
    for one, held in found.intervals:
        parts = (held.ships, held.at_all_looks, None if guarded(one) else held.stagewise)
        kept = all(part is None or part.kept for part in parts)
        stagewise = "" if parts[2] is None else percent(parts[2])
        rows.append(
            (
                one.rule,
                one.looks,
                f"{held.ships.replays:,}",
                percent(held.ships),
                percent(held.at_all_looks),
                stagewise,
                f"{100 * held.at_all_looks.bound:g} %",
                "yes" if kept else "**no**",
            )
        )
    head = (
        "rule",
        "looks at",
        "replays",
        "ships",
        "interval of every look",
        "stage-wise at the end",
        "nominal",
        "kept",
    )
    return (
        "## Power, and intervals around the true effect\n\n"
        "The primary's true effect is its MDE, guardrails are unharmed, the sample size is the design's own: the declared power is 80 %. "
        "The interval of every look is the repeated one, or the confidence sequence: it counts only if it holds the effect at all looks at "
        "once (with binding futility: at all looks taken). The stage-wise interval is the one shown after the stop "
        f"({_stagewise_replays(found)} replays). A two-guardrail design has more power than declared where its guardrails ask for more "
        "units than the primary.\n\n" + table(head, rows)
    )


def _stagewise_replays(found: Guarantees) -> str:
    return f"{max(held.stagewise.replays for _, held in found.intervals if held.stagewise):,}"


def _after_futility(found: Guarantees) -> str:
    by_convention, counted = (held.stagewise for held in found.after_futility)
    if by_convention is None or counted is None:
        raise ValueError("after_futility: a group-sequential design has a stage-wise interval")
    rows = [
        (
            "ignores futility, as software does by convention",
            percent(by_convention),
            "90 %",
            yes(by_convention),
        ),
        ("counts futility, as readouts here do", percent(counted), "90 %", yes(counted)),
    ]
    return (
        "## The stage-wise interval after futility that does not bind\n\n"
        "Lower limit and p-value ignore such futility, and hold whether it is obeyed or overruled. An upper limit that ignores it is too "
        "low where it is obeyed: ends that futility cut off pass for stronger ones. So the upper limit counts it, and holds either way. "
        f"Measured with {futility_case().rule}, the effect being the MDE:\n\n"
        + table(("upper limit", "coverage", "nominal", "kept"), rows)
    )


def _beside_guardrails(found: Guarantees) -> str:
    rows = []
    for one, shown, first in found.beside_guardrails:
        if shown.stagewise is None or first.stagewise is None:
            raise ValueError(f"{one.name}: a group-sequential design has a stage-wise interval")
        rows.append(
            (
                one.rule,
                f"{100 * shown.stagewise.replays / first.stagewise.replays:.0f} %",
                percent(shown.stagewise),
                yes(shown.stagewise),
                percent(first.stagewise),
                yes(first.stagewise),
            )
        )
    head = (
        "rule",
        "not crossed before",
        "coverage if only then shown",
        "kept",
        "at the first crossing, always shown",
        "kept",
    )
    return (
        "## The stage-wise interval beside must-hold guardrails\n\n"
        "A guardrail may keep an experiment going after its primary has crossed. The order of the stops is then no longer that of the "
        "primary, and an interval shown only where the primary had not crossed before is selected: it covers up to three points less than "
        "the nominal 95 %. So readouts take the stage-wise interval at the primary's own first crossing, and always show it:\n\n"
        + table(head, rows)
    )


def _practices(found: Guarantees) -> str:
    rows = [
        (
            one.name,
            one.looks,
            percent(one.share, 3 if "SRM" in one.name else 2),
            one.promised,
            yes(one.share),
            "yes" if one.offered else "",
        )
        for one in found.practices
    ]
    head = ("what is done", "looks at", "found", "promised", "kept", "offered here")
    sizes = found.sizes
    return (
        "## What habits do\n\nThe same kind of data, judged without a rule. Where a rule is offered instead it stands below. The "
        f"chi-squared checks and their anytime-valid counterpart see 1,000 units a day ({sizes.replays:,} replays; the other rows "
        f"{round(HABITS_PART * sizes.replays):,}).\n\n" + table(head, rows)
    )


def _by_user(found: Guarantees) -> str:
    rows = [
        (
            one.metric,
            f"{one.law}",
            f"{one.users:,}",
            "" if one.effective is None else f"{one.effective:,.0f}",
            f"{one.by_user.replays:,}",
            percent(one.by_user, 1),
            percent(one.naive, 1),
        )
        for one in found.by_user
    ]
    head = (
        "metric",
        "P(m requests)",
        "users per arm",
        "effective users",
        "replays",
        "by user",
        "as if independent",
    )
    return (
        "## Users of 1 to 500 requests\n\n"
        "Coverage of nominal 95 % intervals of a difference over requests, where the requests of a user resemble each other and the "
        "treatment raises every user by 5 %. By user is what Fairtrial computes. Effective users are (Σ m)² / Σ m²: **below about "
        f"{FEWEST_EFFECTIVE} of them intervals by user are a few points too narrow**, and the readout's number of effective units tells. "
        "A p95 has an interval where its outer order statistics are among the requests; replays without one are left out.\n\n"
        + table(head, rows)
    )


ASOS = """## Real experiments: the ASOS checkpoints

99 streams of checkpoints of one metric (ASOS Digital Experiments Dataset; Liu, Cardoso, Couturier & McCoy 2021; CC-BY-4.0), without a
declared plan; planned information and units are taken from each stream's last checkpoint. By a plain p < 0.05 at any checkpoint 46 of
the 99 are significant, by a plain p at the last one 26. Two streams are refused, with the reason: their counts shrink, which those of
a growing cohort cannot. Of the other 97:

| rule, at 0.05 | called significant |
|---|---|
| every checkpoint, plain p | 44 |
| one look at the end | 25 |
| group-sequential, `lan-demets-obf`, up to 5 looks | 25 |
| group-sequential, `lan-demets-obf`, up to 10 looks | 25 |
| always-valid, at every checkpoint | 20 |

These counts are pinned by `tests/analysis/test_real_data_asos.py`, which needs the data set beside the repository."""
