"""`webhook`: who is told of what, and what was sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.cli.errors import Failure, parameters
from app.cli.examples import examples
from app.cli.output import REFUSED, AsJson, Cell, Table, plain
from app.cli.session import As, Session, opened

if TYPE_CHECKING:
    from registry.outbox import Delivery
    from registry.webhooks import Webhook

commands = typer.Typer(
    name="webhook",
    help="Tell other systems of events; never a number of an outcome before its release.",
    no_args_is_help=True,
)

QuietHours = Annotated[
    str | None,
    typer.Option(
        "--quiet", metavar="HH-HH", help="Hours, UTC, in which what is not urgent waits, for example 20-07."
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The webhook's name, for example team-channel.")]


@commands.command(
    epilog=examples(
        "fairtrial webhook add audit --url https://hooks.example.org/fairtrial --secret-env AUDIT_SECRET --as ada",
        "fairtrial webhook add team --url env:SLACK_URL --format slack --event look.due --event readout.released --as ada",
        "fairtrial webhook add mornings --url env:SLACK_URL --format slack --digest daily --quiet 20-07 --as ada",
    )
)
def add(
    name: Name,
    url: Annotated[
        str,
        typer.Option(help="https://HOST/PATH, or env:NAME for one that stands in the worker's environment."),
    ],
    event: Annotated[
        list[str] | None, typer.Option(metavar="EVENT", help="Repeatable. Default: every event.")
    ] = None,
    form: Annotated[Literal["json", "slack"], typer.Option("--format", help="What is sent.")] = "json",
    secret_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="The environment variable of the worker that holds the signing secret; needed for json.",
        ),
    ] = None,
    digest: Annotated[
        Literal["daily"] | None,
        typer.Option(help="One message a day, from 08:00 UTC on, with all that is not urgent."),
    ] = None,
    quiet: QuietHours = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Tell an endpoint of events from now on.

    Events: experiment.submitted, experiment.registered, experiment.amended, experiment.started, enrolment.slow,
    health.failed, health.recovered, look.due, look.opened, look.held, look.closed, readout.released, decision.signed,
    harm_stop.tripped, model.transition.requested, model.transition.approved, model.transition.rolled_back, ladder.route.
    The worker sends them, signed, and tries again five times. Harm stops, failing health, rollbacks and routes are
    urgent: they wait for no digest and for no end of quiet hours. Only an admin adds one.
    """
    from registry.events import EVENTS
    from registry.webhooks import add_webhook

    with opened(actor) as session, parameters({"name": "NAME"}):
        added = add_webhook(
            session.registry,
            session.actor,
            name,
            url,
            events=tuple(event or EVENTS),
            format=form,
            secret_variable=secret_env,
            digest=digest,
            quiet=quiet,
        )
        _answer(session, added, as_json=as_json)


@commands.command(
    epilog=examples(
        "fairtrial webhook change audit --digest daily --quiet 18-06 --as ada",
        "fairtrial webhook change audit --as ada",
    )
)
def change(
    name: Name,
    digest: Annotated[
        Literal["daily"] | None,
        typer.Option(help="One message a day; left out, each event at once."),
    ] = None,
    quiet: QuietHours = None,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Say anew when an endpoint is told; what is left out no longer holds.

    What was gathered for a digest is sent at once when there is to be none.
    """
    from registry.webhooks import set_timing

    with opened(actor) as session, parameters({"name": "NAME"}):
        changed = set_timing(session.registry, session.actor, name, digest=digest, quiet=quiet)
        _answer(session, changed, as_json=as_json)


@commands.command("list", epilog=examples("fairtrial webhook list"))
def list_all(as_json: AsJson = False) -> None:
    """List the endpoints and what they are told of."""
    from registry.webhooks import list_webhooks, timing_words

    with opened() as session:
        found = list_webhooks(session.registry)
        rows: list[tuple[Cell, ...]] = [
            (
                one.name,
                _host(one),
                one.format,
                len(one.events),
                timing_words(one.digest, one.quiet),
                "" if one.active else "paused",
            )
            for one in found
        ]
        session.answer(
            {"webhooks": [plain(one) for one in found]},
            [
                Table(("name", "url", "format", "events", "told", ""), rows)
                if rows
                else "There is no webhook."
            ],
            as_json=as_json,
        )


@commands.command("test", epilog=examples("fairtrial webhook test audit --queue --as ada"))
def send_test_message(
    name: Name,
    queue: Annotated[
        bool,
        typer.Option(
            "--queue", help="Leave it to the worker, which has the secrets, instead of sending it here."
        ),
    ] = False,
    actor: As = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message, now and from here.

    The secret, and a URL written env:NAME, are taken from this command's environment. Exit code 1 if it does not arrive;
    the worker tries again later.
    """
    from app.notify import send_now
    from registry.outbox import send_test

    with opened(actor) as session:
        sent = send_test(session.registry, session.actor, name)
        if not queue:
            address = session.settings.address
            sent = send_now(session.registry, sent.id, os.environ, address=address) or sent
        last = sent.attempts[-1] if sent.attempts else None
        failed = last is not None and last.error is not None
        problems = ({"message": f"{name}: {last.error}"},) if last is not None and failed else ()
        session.answer(
            {"delivery": _document(sent)},
            [f"Delivered: HTTP {last.status}." if last and not failed else f"{name}: {_became(sent)}"],
            as_json=as_json,
            failure=Failure("refused", "the test did not arrive", problems, REFUSED) if failed else None,
        )


@commands.command(epilog=examples("fairtrial webhook pause audit --as ada"))
def pause(name: Name, actor: As = None, as_json: AsJson = False) -> None:
    """Tell an endpoint nothing for now; of what happens meanwhile it is not told later."""
    _set_active(name, actor, active=False, as_json=as_json)


@commands.command(epilog=examples("fairtrial webhook resume audit --as ada"))
def resume(name: Name, actor: As = None, as_json: AsJson = False) -> None:
    """Tell a paused endpoint of events again."""
    _set_active(name, actor, active=True, as_json=as_json)


@commands.command(epilog=examples("fairtrial webhook remove audit --as ada"))
def remove(name: Name, actor: As = None, as_json: AsJson = False) -> None:
    """Tell an endpoint nothing more; what waits for it is dropped, its log stays."""
    from registry.webhooks import remove_webhook

    with opened(actor) as session:
        remove_webhook(session.registry, session.actor, name)
        session.answer({"removed": name}, [f"Removed webhook {name}."], as_json=as_json)


@commands.command(epilog=examples("fairtrial webhook log", "fairtrial webhook log audit --limit 10 --json"))
def log(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only of this webhook.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List what was sent, with every attempt, and what waits."""
    from app.formats import instant
    from registry.outbox import delivery_log

    with opened() as session:
        found = delivery_log(session.registry, name, limit)
        rows: list[tuple[Cell, ...]] = [
            (
                one.id,
                instant(one.created_at),
                one.webhook,
                one.event,
                one.entity,
                len(one.attempts),
                _became(one),
            )
            for one in found
        ]
        columns = ("id", "at", "webhook", "event", "about", "attempts", "")
        session.answer(
            {"deliveries": [_document(one) for one in found]},
            [Table(columns, rows) if rows else "Nothing was sent and nothing waits."],
            as_json=as_json,
        )


def _set_active(name: str, actor: str | None, *, active: bool, as_json: bool) -> None:
    from registry.webhooks import set_active

    with opened(actor) as session:
        _answer(session, set_active(session.registry, session.actor, name, active=active), as_json=as_json)


def _answer(session: Session, found: Webhook, *, as_json: bool) -> None:
    from registry.webhooks import timing_words

    state = "" if found.active else ", paused"
    session.answer(
        {"webhook": plain(found)},
        [
            f"{found.name}  {_host(found)} ({found.format}{state}): {', '.join(found.events)}",
            f"Told {timing_words(found.digest, found.quiet)}.",
        ],
        as_json=as_json,
    )


def _document(delivery: Delivery) -> dict[str, Any]:
    document: dict[str, Any] = plain(delivery)
    return document


def _became(delivery: Delivery) -> str:
    last = delivery.attempts[-1] if delivery.attempts else None
    why = f": {last.error}" if last is not None and last.error else ""
    return f"{delivery.state}{why}"


def _host(webhook: Webhook) -> str:
    from urllib.parse import urlsplit

    from registry.webhooks import FROM_ENVIRONMENT

    return webhook.url if webhook.url.startswith(FROM_ENVIRONMENT) else str(urlsplit(webhook.url).netloc)
