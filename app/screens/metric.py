"""One metric: its definition, who vouches for it, what designs declared about it, what it can show. No outcome is read."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.export.blocks import table as block
from app.formats import count, instant, shortest
from app.overview.catalogue import Described
from app.overview.metric_power import ASSUMED, false_alarms, sensitivity
from app.overview.metric_uses import changes, margins
from app.readings import Reading
from app.screens.experiment import marks
from app.screens.frame import Here, refusal
from app.screens.pieces import plain, way_to
from experiments.designs.metrics import Catalogue
from registry.actors import Role
from registry.enrolment import declared_per_day
from registry.errors import Refused, RegistryError
from registry.portfolio import last_plans, last_simulations, written_plans
from registry.stewardship import MINIMUM_REASON, unverify_metric, verify_metric

MOST_USES = 12
"""Experiments that a metric lists as links; the rest are counted."""

MOST_DESIGNS = 20
"""Newest designs that its traffic, margins and simulations are taken from."""


def metric(here: Here, one: Described, every: Sequence[Described], catalogue: Catalogue) -> None:
    """Draw everything about one version of a metric."""
    st.subheader(one.reference, anchor=False)
    st.markdown(plain(one.meaning) if one.meaning else "The catalogue does not say yet what it means.")
    _standing(one)
    _definition(one)
    users = list(dict.fromkeys(use.experiment for use in reversed(one.uses)))[:MOST_DESIGNS]
    _uses(one)
    _margins(here, one, users)
    _power(here, one, users, catalogue)
    _false_alarms(here, one, users)
    _versions(one, every)
    _vouch(here, one, catalogue)


def _standing(one: Described) -> None:
    found = one.verified
    if found is None:
        marks.notice(
            Reading("Not verified.", "?", "diamond", "open"),
            "No metric steward vouches for this version yet. A design may name it; it then carries a note.",
        )
        return
    by = f"{found.verified_by}, {instant(found.verified_at)}: {found.reason}"
    if one.standing == "verified":
        marks.notice(Reading("Verified", "✓", "circle", "good"), f"by {by}")
    else:
        marks.notice(
            Reading("Edited since it was verified.", "!", "triangle-up", "warning"),
            f"The catalogue defines it otherwise than when it was verified (by {by}). A version should never be edited: a change "
            "is the next version.",
        )


def _definition(one: Described) -> None:
    rows = [
        {"Rule": rule, "As defined": words}
        for rule, words in (
            ("What a unit contributes", one.formula),
            ("Type", one.type),
            ("Direction", one.direction),
            ("Window", one.window),
            ("Unit", one.unit),
            ("Cap", one.cap),
            ("Missing", one.missing),
            ("Baseline", one.baseline),
            ("Events it is made of", ", ".join(one.events)),
        )
    ]
    marks.table(block(f"How {one.reference} is defined", rows))


def _uses(one: Described) -> None:
    st.markdown("#### Where it is used")
    if not one.uses:
        st.caption("No experiment names this version yet.")
        return
    st.markdown(f"In {count(one.used_in)} experiment{'' if one.used_in == 1 else 's'}, the newest first:")
    newest = sorted(one.uses, key=lambda use: use.experiment, reverse=True)
    with st.container(horizontal=True):
        for use in newest[:MOST_USES]:
            way_to(use.experiment, f"{use.experiment} ({use.role})")
    if len(newest) > MOST_USES:
        st.caption(f"and {count(len(newest) - MOST_USES)} more")


def _margins(here: Here, one: Described, users: Sequence[str]) -> None:
    st.markdown("#### Margins")
    declared = margins(one.reference, last_plans(here.registry, users))
    if not declared:
        st.caption("The catalogue keeps no default margin, and no design has declared one for this version.")
        return
    st.caption("The catalogue keeps no default margin. What designs declared, and why:")
    rows = [
        {"Experiment": each.experiment, "Role": each.role, "Margin": each.margin, "Why": each.why}
        for each in declared
    ]
    marks.table(block(f"Margins declared for {one.reference}", rows))


def _power(here: Here, one: Described, users: Sequence[str], catalogue: Catalogue) -> None:
    st.markdown("#### Smallest detectable effect at typical traffic")
    written = written_plans(here.registry, users).values()
    traffic = [per_day for text in written if (per_day := declared_per_day(text)) is not None]
    found = sensitivity(catalogue[one.reference], traffic)
    if found.not_known is not None or found.traffic is None:
        st.caption(plain(f"Not known: {found.not_known}."))
        return
    among = f"median of {count(found.designs)} designs" if found.designs > 1 else "of the one design"
    marks.words(f"At {shortest(found.traffic)} units a day ({among} that name it), with {ASSUMED}.")
    rows = [
        {"Weeks of enrolment": str(week.weeks), "Units": week.units, "Smallest effect": week.effect}
        for week in found.weeks
    ]
    marks.table(
        block("Each week is a plan of its own: no licence to look every week", rows, numeric=("Units",))
    )


def _false_alarms(here: Here, one: Described, users: Sequence[str]) -> None:
    st.markdown("#### False alarms where nothing differs (A/A)")
    found = false_alarms(
        one.reference, last_plans(here.registry, users), last_simulations(here.registry, users)
    )
    if found:
        marks.words("Of designs with this primary, simulated on drawn numbers as their plans are now:")
        marks.bullets([each.words for each in found])
    else:
        marks.words("Not simulated yet for any design with this primary.")
    st.caption(
        "On drawn numbers: ask for a simulation in the design preview of the page Register, or `fairtrial design simulate`. "
        "On the units of a past experiment, split again by chance: `fairtrial design simulate DESIGN --aa SOURCES OUTCOMES`."
    )


def _versions(one: Described, every: Sequence[Described]) -> None:
    st.markdown("#### Versions")
    versions = sorted((each for each in every if each.name == one.name), key=lambda each: each.version)
    which = "the newest" if one.newest else "an older one; a bare name in a new design means the newest"
    st.caption(f"{', '.join(each.reference for each in versions)}. This is {which}.")
    older = [each for each in versions if each.version < one.version]
    if not older:
        return
    found = changes(older[-1], one)
    rows = [{"Rule": change.rule, "Before": change.before, "Now": change.after} for change in found]
    if rows:
        marks.table(block(f"What changed from {older[-1].reference} to {one.reference}", rows))
    else:
        st.caption(f"Nothing that is shown here differs from {older[-1].reference}.")


def _vouch(here: Here, one: Described, catalogue: Catalogue) -> None:
    """A steward's act; for everybody else, who may."""
    if not here.me.person.has(Role.METRIC_STEWARD):
        st.caption(
            "A metric steward may verify it, or take a verification back; both are records with a reason."
        )
        return
    back = one.standing == "verified"
    with st.form(f"vouch-{one.reference}", enter_to_submit=False):
        reason = st.text_area(
            "Why the verification is taken back" if back else "What was checked",
            placeholder="Example: the event is logged twice since Monday"
            if back
            else "Example: compared with the finance report of October, equal",
            help=f"At least {MINIMUM_REASON} characters; it is recorded.",
        )
        sent = st.form_submit_button(f"Take back {one.reference}" if back else f"Verify {one.reference}")
    if not sent:
        return
    try:
        if back:
            unverify_metric(here.registry, here.me.id, one.reference, reason)
        else:
            verify_metric(here.registry, here.me.id, catalogue[one.reference], reason)
    except Refused as refused:
        refusal(refused)
    except RegistryError as error:
        st.error(str(error))
    else:
        st.rerun()
