"""Verified metrics: a metric steward vouches for one version of a metric as it is defined at that moment.

The catalogue is a file that people edit, so what is vouched for is the hash of the definition: a new version is not verified,
and one that was edited in place no longer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import RowMapping, select

from experiments.designs.metrics import Metric
from registry.actors import Role
from registry.acts import Act, act
from registry.canonical import sha256_of
from registry.clock import parse_instant
from registry.database import Registry
from registry.errors import Unknown
from registry.tables import verified_metrics

MINIMUM_REASON: Final = 10
"""Characters that a reason needs at least."""

Standing = Literal["verified", "changed", "not verified"]


@dataclass(frozen=True, slots=True)
class Verified:
    """Who vouched for a metric version, when and why.

    Attributes:
        definition_sha256: of what was vouched for.
    """

    reference: str
    definition_sha256: str
    verified_by: str
    verified_at: datetime
    reason: str


def verify_metric(registry: Registry, actor: str, metric: Metric, reason: str) -> Verified:
    """Vouch for a metric version: its sentence says what it counts, and it counts what it should. A steward's act."""
    with act(registry, actor, "verify metric", _entity(metric.reference)) as doing:
        _require_steward(doing)
        doing.reason = _reason(doing, reason)
        sha256 = definition_sha256(metric)
        before = _found(doing, metric.reference)
        if before is not None and before.definition_sha256 == sha256:
            doing.object(
                f"{metric.reference} is verified already, by {before.verified_by}.",
                when_possible="once its definition has changed, or the verification is taken back.",
                what_to_do="Nothing: it may be used.",
            )
        doing.refuse_if_objections()
        row = {
            "definition_sha256": sha256,
            "verified_by": actor,
            "verified_at": doing.now,
            "reason": doing.reason,
        }
        if before is None:
            doing.insert(verified_metrics, {"reference": metric.reference} | row)
        else:
            doing.update(verified_metrics, {"reference": metric.reference}, row)
        doing.facts = {"metric": metric.reference, "definition_sha256": sha256}
        doing.summary = f"Verified {metric.reference}."
    return verified(registry)[metric.reference]


def unverify_metric(registry: Registry, actor: str, reference: str, reason: str) -> None:
    """Take a verification back. Locked plans that name the version stay as they are.

    Raises:
        Unknown: this version is not verified.
    """
    with act(registry, actor, "unverify metric", _entity(reference)) as doing:
        _require_steward(doing)
        doing.reason = _reason(doing, reason)
        doing.refuse_if_objections()
        before = _found(doing, reference)
        if before is None:
            raise Unknown(f"{reference} is not verified")
        doing.delete(verified_metrics, {"reference": reference})
        doing.facts = {"metric": reference, "definition_sha256": before.definition_sha256}
        doing.summary = f"{reference} is verified no longer."


def verified(registry: Registry) -> dict[str, Verified]:
    """Every verification that holds, by ``name@version``."""
    query = select(verified_metrics).order_by(verified_metrics.c.reference)
    with registry.reading() as connection:
        return {row["reference"]: _verified(row) for row in connection.execute(query).mappings()}


def standing_of(metric: Metric, known: Mapping[str, Verified]) -> Standing:
    """Whether somebody vouches for the metric as the catalogue defines it now."""
    found = known.get(metric.reference)
    if found is None:
        return "not verified"
    return "verified" if found.definition_sha256 == definition_sha256(metric) else "changed"


def definition_sha256(metric: Metric) -> str:
    """The hash of what a steward vouches for: everything but the baseline, which is measured anew from time to time.

    A field at its default is left out, so that a field that a later Fairtrial adds changes no hash.
    """
    return sha256_of(metric.model_dump(mode="json", exclude={"baseline"}, exclude_defaults=True))


def _entity(reference: str) -> str:
    return f"metric:{reference}"


def _require_steward(doing: Act) -> None:
    doing.role = Role.METRIC_STEWARD
    if not doing.actor.has(Role.METRIC_STEWARD):
        doing.refuse(
            f"Only a metric steward may {doing.verb.replace('metric', 'a metric')}; {doing.actor.id} is none.",
            when_possible="for a metric steward.",
            what_to_do="Ask a metric steward, or an admin for the role.",
        )


def _reason(doing: Act, reason: str) -> str:
    text = reason.strip()
    if len(text) < MINIMUM_REASON:
        doing.object(
            f"The reason has {len(text)} characters; to {doing.verb}, {MINIMUM_REASON} are needed.",
            when_possible=f"with a reason of at least {MINIMUM_REASON} characters.",
            what_to_do="Say what was checked, so that a stranger understands it in a year.",
        )
    return text


def _found(doing: Act, reference: str) -> Verified | None:
    query = select(verified_metrics).where(verified_metrics.c.reference == reference)
    row = doing.connection.execute(query).mappings().one_or_none()
    return None if row is None else _verified(row)


def _verified(row: RowMapping) -> Verified:
    return Verified(
        row["reference"],
        row["definition_sha256"],
        row["verified_by"],
        parse_instant(row["verified_at"]),
        row["reason"],
    )
