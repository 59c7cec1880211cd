"""A rollout as people write it: one document over all rungs of one candidate, with every default stated here.

Only ``title``, ``model``, ``champion``, ``candidate``, ``rungs.ab`` and ``risk_budget`` have to be written. The rungs
themselves are registered designs of their own; they may be named here, or when the rollout reaches them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from experiments.forms.durations import Duration
from experiments.forms.spellings import Count, Frozen, Name, Prose, Share

Criterion = Annotated[Prose, Field(min_length=5, max_length=200)]


class ModelVersion(Frozen):
    """One of the two versions of the model."""

    version: str = Field(min_length=1, max_length=200, description="the version in the serving system")
    hash: str | None = Field(default=None, min_length=6, max_length=200, description="of the artefact")


class RungPlan(Frozen):
    """What a rung asks for beside its own sealed verdict, which nothing here can replace."""

    registered: str | None = Field(
        default=None,
        min_length=5,
        max_length=20,
        description="the registered design that runs it, SHD-0001; default: named when the rollout reaches it",
    )
    entry: tuple[Criterion, ...] = Field(
        default=(), max_length=12, description="what a person confirms before the rung begins"
    )
    exit: tuple[Criterion, ...] = Field(
        default=(), max_length=12, description="what a person confirms before the rung is left upwards"
    )


class AbRungPlan(RungPlan):
    """The A/B that has to show the candidate better."""

    canary_units: Literal["exclude", "keep"] = Field(
        default="exclude",
        description="units in the canary's two slices: kept out of the A/B by the hash, or assigned anew like all others",
    )
    canary_units_reason: Prose | None = Field(
        default=None, min_length=10, description="required to keep them: some have met the candidate before"
    )
    baseline: Literal["catalogue", "shadow"] = Field(
        default="catalogue",
        description="of the primary: the catalogue's; or the champion's in the shadow, where both measure the same of a unit",
    )
    design: dict[str, Any] = Field(
        default_factory=dict,
        description="fields of the A/B design that the rollout does not fix (hypothesis, primary, power …), for the draft",
    )


class Rungs(Frozen):
    shadow: RungPlan | None = Field(
        default=RungPlan(), description="mirrored requests; null needs shadow in left_out"
    )
    canary: RungPlan | None = Field(
        default=RungPlan(), description="growing shares; null needs canary in left_out"
    )
    ab: AbRungPlan = Field(description="never left out: promotion rests on its readout")


class LeftOut(Frozen):
    """Why a rung is left out; it is printed on the rollout for ever."""

    shadow: Prose | None = Field(default=None, min_length=30, description="why no request is mirrored first")
    canary: Prose | None = Field(default=None, min_length=30, description="why no small share goes first")


class RiskBudget(Frozen):
    """How much may be put at risk before an A/B has shown the candidate better."""

    share: Share = Field(
        description="of all units, that the canary may serve the candidate: 25%; at most 50%",
    )
    units: Count | None = Field(
        default=None,
        ge=1,
        description="that may meet the candidate in the canary; a step that follows is refused beyond",
    )
    duration: Duration | None = Field(
        default=None,
        gt=0,
        description="from the first served share until the A/B begins; a step that follows is refused beyond",
    )


class WrittenRollout(Frozen):
    """Everything that may be written. The fields of ``ADMINISTRATIVE`` decide nothing."""

    title: Prose = Field(min_length=10, max_length=120, description="which candidate replaces which champion")
    model: Name = Field(description="whose aliases champion and candidate are moved")
    champion: ModelVersion = Field(description="the version that is served now")
    candidate: ModelVersion = Field(description="the version that is to replace it")
    rungs: Rungs = Field(description="shadow, canary, A/B, in this order")
    left_out: LeftOut = Field(default=LeftOut(), description="why a rung is left out")
    risk_budget: RiskBudget = Field(description="how much may be put at risk")
    anything_else: Prose = Field(default="", description="whatever else is fixed now")

    background: Prose = Field(default="", description="what is different in the candidate, for a stranger")
    owner: str | None = Field(default=None, description="who answers for the rollout")
    model_owner: str | None = Field(
        default=None, description="who answers for the model; may pause and roll back"
    )
    deciders: tuple[str, ...] = Field(
        default=(), description="who may approve a step; neither owner nor author"
    )
    team: str | None = Field(default=None, description="whose model it is")
    links: tuple[str, ...] = Field(default=(), description="tickets, documents, the model card")


ADMINISTRATIVE: Final = ("title", "background", "owner", "model_owner", "deciders", "team", "links")
"""What decides nothing; not part of the hash."""
