"""`metric`: the catalogue's metrics, and which of them a metric steward vouches for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import BadUsage, Refusal
from app.cli.examples import examples
from app.cli.output import AsJson, Cell, Table, plain
from app.cli.session import As, opened
from app.cli.workspace import CatalogueFile, catalogue_in_use

if TYPE_CHECKING:
    from experiments.designs.metrics import Catalogue, Metric

commands = typer.Typer(
    name="metric", help="Metrics of the catalogue, and who vouches for them.", no_args_is_help=True
)

Reference = Annotated[
    str, typer.Argument(metavar="NAME@VERSION", help="The metric; a bare name is its newest version.")
]
Reason = Annotated[str, typer.Option(help="What was checked, or why it is taken back; it is recorded.")]


@commands.command("list", epilog=examples("fairtrial metric list", "fairtrial metric list --verified"))
def list_all(
    verified: Annotated[
        bool, typer.Option("--verified", help="Only those that a metric steward vouches for.")
    ] = False,
    catalogue: CatalogueFile = None,
    as_json: AsJson = False,
) -> None:
    """List the metrics that a design may name, with who vouches for them."""
    from app.overview.catalogue import described
    from registry.portfolio import last_plans
    from registry.stewardship import verified as verified_in

    with opened() as session:
        registry = session.registry
        known = verified_in(registry)
        every = described(catalogue_in_use(catalogue), last_plans(registry), known)
        found = [one for one in every if one.standing == "verified" or not verified]
        rows: list[tuple[Cell, ...]] = [
            (one.reference, one.type, one.direction, one.used_in, one.standing_words, one.meaning)
            for one in found
        ]
        columns = ("metric", "type", "direction", "used in", "", "meaning")
        session.answer(
            {
                "metrics": [
                    {
                        "reference": one.reference,
                        "meaning": one.meaning,
                        "type": one.type,
                        "direction": one.direction,
                        "used_in": one.used_in,
                        "standing": one.standing,
                        "verified": None if one.verified is None else plain(one.verified),
                    }
                    for one in found
                ]
            },
            [Table(columns, rows) if rows else "There is no such metric."],
            as_json=as_json,
        )


@commands.command(
    epilog=examples(
        "fairtrial metric verify task_success@1 --reason 'Compared with the October report: equal.' --as vera"
    )
)
def verify(
    metric: Reference,
    reason: Reason,
    catalogue: CatalogueFile = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Vouch for a metric version as it is defined now; only a metric steward may.

    A new version is not verified, and one that is edited in the file no longer is.
    """
    from registry.stewardship import verify_metric

    found = _named(metric, catalogue_in_use(catalogue))
    with opened(actor) as session:
        done = verify_metric(session.registry, session.actor, found, reason)
        session.answer(
            {"verified": plain(done)}, [f"Verified {done.reference}, by {done.verified_by}."], as_json=as_json
        )


@commands.command(
    epilog=examples(
        "fairtrial metric unverify task_success@1 --reason 'The event is logged twice since Monday.' --as vera"
    )
)
def unverify(metric: Reference, reason: Reason, actor: As = None, as_json: AsJson = False) -> None:
    """Take a verification back; locked plans that name the version stay as they are. Only a metric steward may."""
    from registry.stewardship import unverify_metric

    with opened(actor) as session:
        unverify_metric(session.registry, session.actor, metric, reason)
        session.answer({"unverified": metric}, [f"{metric} is verified no longer."], as_json=as_json)


def unverified_metrics(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """Those for which no steward vouches, by the workspace's registry; none where there is no registry to ask."""
    from app.cli.session import open_workspace_registry
    from app.overview.catalogue import unverified
    from app.settings import load_settings
    from experiments.forms.problems import Invalid
    from registry.errors import RegistryError
    from registry.stewardship import verified

    try:
        with open_workspace_registry(load_settings()) as registry:
            return unverified(metrics, verified(registry))
    except (Refusal, Invalid, RegistryError):  # a note is no reason to fail
        return ()


def _named(reference: str, catalogue: Catalogue) -> Metric:
    if reference not in catalogue:
        raise BadUsage(f"NAME@VERSION: {catalogue.explain_missing(reference)}")
    return catalogue[reference]
