"""Sends what waits in the outbox: signed over the exact bytes, under a key by which a receiver knows a message again.

What a message says was fixed when it was put into the outbox. Secrets come from the environment and stand in no log, error
or answer; of what a receiver answers only the status is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from registry.canonical import canonical_json
from registry.clock import Clock
from registry.database import Registry
from registry.events import DIGEST
from registry.jobs import MACHINE
from registry.outbox import Delivery, claim_delivery, gather_digests, record_attempt
from registry.webhooks import FROM_ENVIRONMENT, Webhook, url_problem

SIGNATURE: Final = "Fairtrial-Signature"
"""``t=SECONDS,v1=HEX``: HMAC-SHA256 under the webhook's secret over the seconds, a full stop and the body."""

KEY: Final = "Idempotency-Key"
EVENT: Final = "Fairtrial-Event"
PATIENCE_SECONDS: Final = 10
MOST_LINES: Final = 40
"""Events of a digest that Slack is told line by line."""

TOLERANCE_SECONDS: Final = 300
"""How old a signature may be for a receiver; older ones may be repeated by somebody who listened."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How sending went: the HTTP status if there was one, and what went wrong if anything."""

    status: int | None
    error: str | None


def send_due(
    registry: Registry,
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    most: int = 20,
    machine: Clock = MACHINE,
) -> int:
    """Make the digests whose time has come and send the messages that are due, at most so many; gives how many were tried."""
    gather_digests(registry, machine=machine)
    tried = 0
    while tried < most and (claimed := claim_delivery(registry, machine=machine)) is not None:
        _send_claimed(registry, *claimed, environment, address, machine)
        tried += 1
    return tried


def send_now(
    registry: Registry,
    id: int,
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    machine: Clock = MACHINE,
) -> Delivery | None:
    """Send one message at once, due or not; None where another sender has ended it already."""
    claimed = claim_delivery(registry, only=id, machine=machine)
    return None if claimed is None else _send_claimed(registry, *claimed, environment, address, machine)


def body_of(delivery: Delivery, webhook: Webhook, address: str | None = None) -> bytes:
    """The bytes that are sent, the same at every attempt.

    Args:
        address: of the app, for links; without it a message has the page's path alone.
    """
    payload = _linked(delivery.payload, address)
    if webhook.format == "slack":
        return canonical_json({"text": slack_text(payload)}).encode()
    return canonical_json(payload).encode()


def slack_text(payload: Mapping[str, Any]) -> str:
    """Text as Slack takes it. Its first line stands alone: previews and screen readers stop there."""
    lines = [_escaped(payload["text"])]
    if payload["simulated"]:
        lines.append("Simulated clock: this is a demonstration.")
    gathered = payload["detail"]["events"] if payload["event"] == DIGEST else []
    for one in gathered[:MOST_LINES]:
        link = f" <{one['link']}|Open>" if "link" in one else ""
        lines.append(f"\N{BULLET} {_escaped(one['text'])}{link}")
    if len(gathered) > MOST_LINES:
        lines.append(f"and {len(gathered) - MOST_LINES} more; the delivery log has them all")
    if "link" in payload:
        lines.append(f"<{payload['link']}|Open the page>")
    return "\n".join(lines)


def signature(secret: str, seconds: int, body: bytes) -> str:
    """The value of the signature header."""
    signed = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={signed}"


def is_signed(secret: str, header: str, body: bytes, now: int) -> bool:
    """Whether a received body is ours and fresh: what a receiver should check, before it reads the body."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    written = parts.get("t", "")
    if not written.isdecimal() or abs(now - int(written)) > TOLERANCE_SECONDS:
        return False
    return hmac.compare_digest(signature(secret, int(written), body), f"t={written},v1={parts.get('v1', '')}")


def _linked(payload: Mapping[str, Any], address: str | None) -> dict[str, Any]:
    """A payload with the address of its page, and those of a digest with theirs; without an address as it is."""
    linked = dict(payload)
    if payload["event"] == DIGEST:
        linked["detail"] = {"events": [_linked(one, address) for one in payload["detail"]["events"]]}
    page = payload.get("page")
    if address and page:
        linked["link"] = f"{address.rstrip('/')}{page}"
    return linked


def _send_claimed(
    registry: Registry,
    delivery: Delivery,
    webhook: Webhook,
    environment: Mapping[str, str],
    address: str | None,
    machine: Clock,
) -> Delivery:
    answered = _send(delivery, webhook, environment, address, machine)
    return record_attempt(
        registry, delivery.id, status=answered.status, error=answered.error, machine=machine
    )


def _send(
    delivery: Delivery,
    webhook: Webhook,
    environment: Mapping[str, str],
    address: str | None,
    machine: Clock,
) -> Answered:
    body = body_of(delivery, webhook, address)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "fairtrial",
        EVENT: delivery.event,
        KEY: delivery.key,
    }
    if webhook.secret_variable is not None:
        secret = environment.get(webhook.secret_variable)
        if not secret:
            return Answered(None, f"not sent: {webhook.secret_variable} is not set where the worker runs")
        headers[SIGNATURE] = signature(secret, int(machine.now().timestamp()), body)
    url = webhook.url
    if url.startswith(FROM_ENVIRONMENT):
        variable = url.removeprefix(FROM_ENVIRONMENT)
        url = environment.get(variable, "").strip()
        if not url:
            return Answered(None, f"not sent: {variable} is not set where the worker runs")
        if (problem := url_problem(url)) is not None:
            return Answered(None, f"not sent: the URL in {variable} is {problem}")
    return _post(url, body, headers)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> Answered:
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 (url_problem)
    try:
        with _OPENER.open(request, timeout=PATIENCE_SECONDS) as response:
            return Answered(int(response.status), None)
    except urllib.error.HTTPError as error:
        error.close()
        return Answered(error.code, f"HTTP {error.code}")
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        return Answered(None, _in_words(error))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes where an admin said and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER: Final = urllib.request.build_opener(_NoRedirect)


def _in_words(error: Exception) -> str:
    """What went wrong, without the URL or anything that the other side said."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {PATIENCE_SECONDS} seconds"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(cause, socket.gaierror):
        return "the host's name is not known"
    if isinstance(cause, ssl.SSLError):
        return "no secure connection: the host's certificate is not accepted"
    return f"the connection failed ({type(cause).__name__})"


def _escaped(text: str) -> str:
    """The three characters that mean something to Slack, and no line breaks: the first line is one line."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
