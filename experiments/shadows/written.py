"""A shadow design as people write it, with every default stated here.

Candidate and champion score the same mirrored requests, and nobody sees what the candidate said. Only ``title``,
``hypothesis``, ``model``, ``champion``, ``candidate``, ``task``, ``primary`` and ``limits`` (or a reason for having none)
have to be written. What the fields mean together is checked in ``meaning``; what they resolve to stands in ``design``.
The table in docs/shadow.md is made of the descriptions here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pydantic import Field

from experiments.designs.written_stopping import Stopping
from experiments.forms.durations import DAY, SECONDS, Duration
from experiments.forms.spellings import Column, Count, Frozen, Name, Number, Prose, Rate, Share

Task = Literal["binary", "multiclass", "regression", "ranking"]
Loss = Literal["correctness", "absolute_error", "squared_error", "log_loss", "score"]
Test = Literal["exact", "midp", "tango", "obuchowski", "linearised", "sequence"]
Limited = Literal[
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "latency_mean",
    "error_share",
    "timeout_share",
    "cost",
    "agreement",
    "flipped_share",
    "score_psi",
    "prediction_psi",
]


class ModelVersion(Frozen):
    version: str = Field(
        min_length=1, max_length=200, description="as the source of the predictions names it"
    )
    hash: str | None = Field(
        default=None,
        min_length=6,
        max_length=200,
        description="of the model's files, so that it can be found",
    )


class PrimaryLoss(Frozen):
    """What decides: one loss of the two models on the same labelled requests."""

    measure: Loss | None = Field(
        default=None,
        description="default by task: correctness (binary, multiclass), absolute_error (regression), score (ranking)",
    )
    purpose: Literal["non-inferiority", "superiority"] = Field(
        default="non-inferiority", description="what the candidate has to show"
    )
    margin: Number | None = Field(
        default=None,
        gt=0,
        description="non-inferiority: the largest worsening accepted, in the measure's unit: 0.005 is half a percentage point",
    )
    reason: Prose | None = Field(
        default=None,
        min_length=10,
        description="why this margin: from cost, not from data; required with a margin",
    )
    mde: Number | None = Field(
        default=None, gt=0, description="superiority: the smallest improvement worth having"
    )
    alpha: Rate | None = Field(
        default=None,
        gt=0,
        le=0.10,
        description="default: 0.025 one-sided for non-inferiority, 0.05 two-sided for superiority",
    )
    test: Test | None = Field(
        default=None,
        description="default: tango, or exact for superiority with one look, where the request is the unit; obuchowski by user, also "
        "for losses, whose linearised interval is too short where users differ much in their requests; linearised for losses by "
        "request; sequence in an always-valid design",
    )
    decimals: Count = Field(
        default=6, ge=0, le=9, description="to which scores, predictions and errors are kept and added up"
    )


class ShadowSegment(Frozen):
    """An attribute of the requests, of which every level has to hold."""

    attribute: Column = Field(description="an attribute that the source of the predictions names")
    margin: Number | None = Field(
        default=None, gt=0, description="default: the primary's; needed where the primary has none"
    )
    reason: Prose | None = Field(
        default=None, min_length=10, description="why; required with a margin of its own"
    )
    alpha: Rate = Field(default=0.025, gt=0, le=0.10, description="one-sided, of each level")
    levels: tuple[str, ...] = Field(
        default=(), description="that have to be there; one without pairs is not measured, which never passes"
    )
    minimum_pairs: Count = Field(
        default=30, ge=2, description="labelled pairs of a level; fewer are not measured, which never passes"
    )


class ShadowLimit(Frozen):
    """What the candidate may cost or change: an interval against a limit, never 'not significant'."""

    measure: Limited = Field(description="what is limited")
    at_most: Number | None = Field(
        default=None, description="the candidate's own value; of flipped_share and the PSIs, the value itself"
    )
    at_least: Number | None = Field(default=None, description="agreement: the least share of equal answers")
    worsening: Number | None = Field(
        default=None, gt=0, description="against the champion on the same requests, in the measure's unit"
    )
    reason: Prose = Field(min_length=10, description="why this limit: from cost, not from data")
    alpha: Rate = Field(default=0.025, gt=0, le=0.10, description="one-sided; the interval is at 1 − 2α")


class Size(Frozen):
    """What the number of labelled pairs rests on, where it is not declared outright."""

    discordance: Rate | None = Field(
        default=None, gt=0, le=1, description="correctness: share of pairs on which just one model is right"
    )
    difference: Number = Field(
        default=0.0, description="non-inferiority: the true difference, candidate − champion, to plan for"
    )
    power: Rate = Field(default=0.80, ge=0.5, le=0.99, description="of the primary")
    design_effect: Number = Field(
        default=1.0, ge=1, description="variance inflation, where a user's requests resemble one another"
    )
    requests_per_unit: Number = Field(
        default=1.0, ge=1, description="labelled pairs expected of a user in the time of the shadow"
    )


class Pairing(Frozen):
    """When the pairs can be trusted to be pairs."""

    answer_within: Duration = Field(
        default=SECONDS["h"],
        gt=0,
        le=DAY,
        description="the candidate's answer after the champion's, at most; up to a day",
    )
    largest_gap: Rate = Field(
        default=0.02,
        gt=0,
        le=1,
        description="by how much a level of an attribute may exceed the share of unmatched requests; above, and beyond chance: "
        "INVALID",
    )
    alpha: Rate = Field(
        default=0.001, gt=0, le=0.05, description="of the tests whether pairs are missing at random, together"
    )
    duplicates: Rate = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of requests that a model logged more than once; above: INVALID",
    )
    other_inputs: Rate = Field(
        default=0.0, ge=0, le=1, description="share of pairs with different input hashes; above: INVALID"
    )
    out_of_order: Rate = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of units whose first or last request differs between the models, or of pairs answered too far apart; "
        "above: INVALID",
    )


class WrittenShadow(Frozen):
    """Everything that may be written. The fields of ``ADMINISTRATIVE`` may change without amending the plan."""

    title: Prose = Field(min_length=10, max_length=120, description="which model, for what")
    hypothesis: Prose = Field(min_length=10, description="what the candidate should show, and why")
    model: Column = Field(description="the name that champion and candidate share")
    champion: ModelVersion = Field(description="the model that serves")
    candidate: ModelVersion = Field(description="the model that answers unseen")
    task: Task = Field(description="what an answer is")
    primary: PrimaryLoss = Field(default=PrimaryLoss(), description="exactly one measure decides")
    limits: tuple[ShadowLimit, ...] = Field(
        default=(), max_length=12, description="operations and predictions; each has to hold"
    )
    no_limits_reason: Prose | None = Field(default=None, min_length=10, description="required without limits")
    segments: tuple[ShadowSegment, ...] = Field(
        default=(), max_length=10, description="attributes of which every level has to hold"
    )

    positive: str = Field(
        default="1", min_length=1, description="binary: the label and prediction that is the positive one"
    )
    threshold: Number | None = Field(
        default=None, description="binary: the live threshold; a score at or above it is a positive decision"
    )
    unit: Literal["user", "request"] = Field(
        default="user",
        description="what is independent; a user has several requests, which resemble one another",
    )
    sample: Share = Field(default=Fraction(1), description="share of the live traffic that is mirrored")
    minimum_pairs: Count = Field(default=100, ge=2, description="requests that both models answered")
    minimum_labels: Count | None = Field(
        default=None, ge=2, description="of them with a label; default: what size needs"
    )
    matched_share: Rate = Field(
        default=0.98, gt=0, le=1, description="requests that both models logged, at least; less: not measured"
    )
    window: Duration | None = Field(
        default=None,
        gt=0,
        description="several looks by user: how long since a user's first request its requests count; a user is judged when it "
        "is over, so that looks add users and never requests of users judged before; required then",
    )
    label_delay: Duration = Field(default=0, description="how long until a label is surely in the log")
    label_share: Rate = Field(
        default=0.80,
        gt=0,
        le=1,
        description="of the mature pairs with a label, at least; less holds the look",
    )
    whole_days: bool = Field(
        default=True, description="every day has requests of both models; a day without holds the look"
    )
    size: Size = Field(default=Size(), description="what the number of labels rests on")
    pairing: Pairing = Field(default=Pairing(), description="when the pairs can be trusted")
    stopping: Stopping = Field(default=Stopping(), description="when labels and answers are read, in units")
    source: Name = Field(default="main", description="which source of the predictions file")
    anything_else: Prose = Field(default="", description="whatever else is fixed now")

    background: Prose = Field(default="", description="what is different about the candidate, for a stranger")
    owner: str | None = Field(default=None, description="who answers for the shadow")
    model_owner: str | None = Field(
        default=None, description="who asks for the candidate; not part of the hash"
    )
    reviewer: str | None = Field(default=None, description="who is to lock the plan; not the owner")
    deciders: tuple[str, ...] = Field(default=(), description="who may approve; neither owner nor author")
    team: str | None = Field(default=None, description="whose model it is")
    links: tuple[str, ...] = Field(default=(), description="tickets, documents, the model card")
    tags: tuple[str, ...] = Field(default=(), description="to find it again")


ADMINISTRATIVE = (
    "title",
    "background",
    "owner",
    "model_owner",
    "reviewer",
    "deciders",
    "team",
    "links",
    "tags",
)
"""What may change without amending the plan; not part of the hash."""
