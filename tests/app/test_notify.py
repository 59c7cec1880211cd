"""Sending: the right bytes, signed, known again; every way in which it fails, and no secret in what is said of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from app import notify
from app.cli.session import opened
from app.cli.webhook import add
from app.notify import MOST_LINES, body_of, is_signed, send_due, send_now, signature, slack_text
from app.worker import Worker
from registry import jobs, lifecycle, membership, outbox, store, webhooks
from registry.actors import Role
from registry.clock import SimulatedClock
from registry.database import Registry
from registry.events import EVENTS, enqueue, payload_of
from registry.messages import UNREAD
from registry.outbox import RETRIES, Delivery
from tests.app.leaks import WORD, plant
from tests.app.life import ID, Life

SECRET = "a secret that only the two sides know"
ENVIRONMENT = {"HOOK_SECRET": SECRET}
TODAY = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass
class Receiver:
    """An HTTP server on this machine that keeps what it gets and answers as told."""

    url: str = ""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.got.append((self.path, dict(self.headers), body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_port}/hook?key=hidden"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture
def machine() -> SimulatedClock:
    return SimulatedClock(TODAY)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with store.open_registry(str(tmp_path / "r.db"), clock=SimulatedClock(TODAY)) as opened:
        membership.found(opened, "ada", "Ada", also=[Role.ANALYST])
        yield opened


def waiting(
    registry: Registry, url: str, format: Any = "json", secret: str | None = "HOOK_SECRET"
) -> Delivery:
    webhooks.add_webhook(registry, "ada", "hook", url, format=format, secret_variable=secret)
    return outbox.send_test(registry, "ada", "hook")


def test_a_message_arrives_signed_over_its_exact_bytes(
    registry: Registry, receiver: Receiver, machine: SimulatedClock
) -> None:
    delivery = waiting(registry, receiver.url)
    assert send_due(registry, ENVIRONMENT, machine=machine) == 1
    ((path, headers, body),) = receiver.got
    assert path == "/hook?key=hidden"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == delivery.key
    assert headers["Fairtrial-Event"] == "webhook.test"
    seconds = int(TODAY.timestamp())
    # HMAC-SHA256 (RFC 2104) spelled out as a receiver in any language would: over "SECONDS.BODY".
    expected = hmac.new(SECRET.encode(), str(seconds).encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Fairtrial-Signature"] == f"t={seconds},v1={expected}"
    assert json.loads(body) == dict(delivery.payload)
    after = outbox.find_delivery(registry, delivery.id)
    assert (after.state, after.attempts[0].status, after.attempts[0].error) == ("delivered", 204, None)
    assert send_due(registry, ENVIRONMENT, machine=machine) == 0


def test_a_receiver_knows_a_signature_and_refuses_every_other() -> None:
    header = signature(SECRET, 1_000_000, b"{}")
    assert is_signed(SECRET, header, b"{}", 1_000_000)
    assert is_signed(SECRET, header, b"{}", 1_000_300)
    for secret, written, body, now in (
        ("another", header, b"{}", 1_000_000),
        (SECRET, header, b"{} ", 1_000_000),
        (SECRET, header, b"{}", 1_000_301),
        (SECRET, header, b"{}", 999_699),
        (SECRET, header.replace("t=1000000", "t=1000001"), b"{}", 1_000_000),
        (SECRET, header.replace("v1=", "v0="), b"{}", 1_000_000),
        (SECRET, "", b"{}", 1_000_000),
        (SECRET, "t=x,v1=y", b"{}", 1_000_000),
    ):
        assert not is_signed(secret, written, body, now)


def test_retries_send_the_same_bytes_under_the_same_key_until_it_arrives(
    registry: Registry, receiver: Receiver, machine: SimulatedClock
) -> None:
    delivery = waiting(registry, receiver.url)
    receiver.status = 503
    for wait in RETRIES[:2]:
        assert send_due(registry, ENVIRONMENT, machine=machine) == 1
        assert send_due(registry, ENVIRONMENT, machine=machine) == 0
        machine.advance(wait)
    receiver.status = 200
    assert send_due(registry, ENVIRONMENT, machine=machine) == 1
    assert len({body for _, _, body in receiver.got}) == 1
    assert {headers["Idempotency-Key"] for _, headers, _ in receiver.got} == {delivery.key}
    assert (
        len({headers["Fairtrial-Signature"] for _, headers, _ in receiver.got}) == 3
    )  # each with its own time
    log = outbox.find_delivery(registry, delivery.id)
    assert [one.error for one in log.attempts] == ["HTTP 503", "HTTP 503", None]
    assert log.state == "delivered"


def test_a_redirect_is_not_followed(registry: Registry, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": "http://127.0.0.1:9/elsewhere"}
    waiting(registry, receiver.url)
    send_due(registry, ENVIRONMENT)
    assert len(receiver.got) == 1
    assert outbox.delivery_log(registry)[0].attempts[0].error == "HTTP 302"


@pytest.mark.parametrize(
    ("url", "environment", "said"),
    [
        ("http://127.0.0.1:9/?key=hidden", ENVIRONMENT, "nothing listens there"),
        ("http://127.0.0.1:9/", {}, "not sent: HOOK_SECRET is not set where the worker runs"),
        ("env:HOOK_URL", ENVIRONMENT, "not sent: HOOK_URL is not set where the worker runs"),
        (
            "env:HOOK_URL",
            ENVIRONMENT | {"HOOK_URL": "http://x.example/hidden"},
            "not sent: the URL in HOOK_URL is http is for this machine only; give https",
        ),
        (
            "env:HOOK_URL",
            ENVIRONMENT | {"HOOK_URL": "file:///etc/hidden"},
            "not sent: the URL in HOOK_URL is not allowed; give https://HOST/PATH, "
            "or env:NAME for one that stands in the worker's environment",
        ),
    ],
)
def test_what_went_wrong_is_said_in_words_without_a_secret(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    delivery = waiting(registry, url)
    send_due(registry, environment)
    after = outbox.find_delivery(registry, delivery.id)
    assert (after.state, after.attempts[0].error) == ("waiting", said)
    assert "hidden" not in said


def test_silence_and_nonsense_from_the_other_side_are_failures(
    registry: Registry, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent:
        def open(self, *_: Any, **__: Any) -> Any:
            raise TimeoutError

    with monkeypatch.context() as silent:
        silent.setattr(notify, "_OPENER", Silent())
        delivery = waiting(registry, receiver.url)
        send_due(registry, ENVIRONMENT)
    assert outbox.find_delivery(registry, delivery.id).attempts[0].error == "no answer within 10 seconds"


def test_slack_gets_text_whose_first_line_stands_alone(registry: Registry, receiver: Receiver) -> None:
    webhooks.add_webhook(registry, "ada", "slack", "env:SLACK_URL", format="slack")
    outbox.send_test(registry, "ada", "slack")
    send_due(registry, {"SLACK_URL": receiver.url}, address="https://fairtrial.example.org")
    ((_, headers, body),) = receiver.got
    assert "Fairtrial-Signature" not in headers
    assert set(json.loads(body)) == {"text"}
    assert json.loads(body)["text"].splitlines() == [
        "Fairtrial: ada tests the webhook slack. Nothing else happened.",
        "Simulated clock: this is a demonstration.",
    ]


def test_slack_text_is_one_escaped_line_and_a_link() -> None:
    payload = {
        "event": "look.due",
        "text": "EXP-0042 <!channel> A & B\nv7: look 1 is due.",
        "simulated": False,
        "detail": {},
        "link": "https://f.example/experiment?id=EXP-0042&tab=looks",
    }
    assert slack_text(payload).splitlines() == [
        "EXP-0042 &lt;!channel&gt; A &amp; B v7: look 1 is due.",
        "<https://f.example/experiment?id=EXP-0042&tab=looks|Open the page>",
    ]


def test_slack_is_told_of_a_digest_line_by_line_and_no_longer_than_can_be_read(
    registry: Registry, receiver: Receiver, machine: SimulatedClock
) -> None:
    webhooks.add_webhook(registry, "ada", "hook", receiver.url, format="slack", digest="daily")
    one = payload_of("look.due", "k", "", "EXP-0001 A <b>: look 1 is due.", {}, simulated=True)
    with registry.writing() as connection:
        for n in range(MOST_LINES + 2):
            page = {"page": f"/experiment?id=EXP-{n:04d}&tab=looks"}
            enqueue(
                connection, "look.due", f"k{n}", f"EXP-{n:04d}", one | page, "2026-11-20T00:00:00.000000Z"
            )
    assert send_due(registry, {}, address="https://f.example/", machine=machine) == 0
    machine.set(TODAY.replace(hour=8))
    assert send_due(registry, {}, address="https://f.example/", machine=machine) == 1
    ((_, _, body),) = receiver.got
    first, second, third, *rest = json.loads(body)["text"].splitlines()
    assert first == (
        "Fairtrial: 42 events since the last digest, about EXP-0000, EXP-0001, EXP-0002, EXP-0003, EXP-0004 and 37 more."
    )
    assert second == "Simulated clock: this is a demonstration."
    assert (
        third
        == "• EXP-0001 A &lt;b&gt;: look 1 is due. <https://f.example/experiment?id=EXP-0000&tab=looks|Open>"
    )
    assert len(rest) == MOST_LINES
    assert rest[-1] == "and 2 more; the delivery log has them all"


def test_the_help_of_the_command_names_every_event() -> None:
    said = add.__doc__ or ""
    assert [event for event in EVENTS if event not in said] == []


def test_links_are_whole_once_the_address_of_the_pages_is_set(at: Callable[[str], Life]) -> None:
    life = at("founded")
    life.ok("webhook add hook --url https://hooks.example.org/x --secret-env HOOK_SECRET --as ada")
    life.ok("register design.yaml --reviewer ola --as mira")
    with opened() as session:
        (delivery,) = outbox.delivery_log(session.registry)
        (webhook,) = webhooks.list_webhooks(session.registry)
    body = json.loads(body_of(delivery, webhook, "https://fairtrial.example.org/"))
    assert body["link"] == f"https://fairtrial.example.org/experiment?id={ID}&tab=history"
    assert "link" not in json.loads(body_of(delivery, webhook))


def test_one_message_is_sent_at_once_while_others_wait(registry: Registry, receiver: Receiver) -> None:
    first = waiting(registry, receiver.url)
    second = outbox.send_test(registry, "ada", "hook")
    assert send_now(registry, second.id, ENVIRONMENT).state == "delivered"
    assert outbox.find_delivery(registry, first.id).state == "waiting"
    assert send_now(registry, second.id, ENVIRONMENT) is None


# By command


def test_the_worker_sends_what_an_act_caused(
    at: Callable[[str], Life], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    (life.folder / "fairtrial.yaml").open("a").write("\naddress: https://fairtrial.example.org\n")
    life.ok(f"webhook add hook --url {receiver.url} --secret-env HOOK_SECRET --as ada")
    life.ok("register design.yaml --reviewer ola --as mira")
    assert life.ok("worker --once --json").document["messages_tried"] == 1
    ((_, headers, body),) = receiver.got
    sent = json.loads(body)
    assert sent["text"].startswith(f"{ID} A small change for everybody: mira asks ola to review plan ")
    assert sent["link"].startswith("https://fairtrial.example.org/experiment?id=")
    assert is_signed(SECRET, headers["Fairtrial-Signature"], body, int(datetime.now(UTC).timestamp()))
    log = life.ok("webhook log hook --json")
    (delivery,) = log.document["deliveries"]
    assert delivery["state"] == "delivered"
    shown = log.out + life.ok("webhook log").out + life.ok("audit log --json").out
    assert SECRET not in shown


def test_the_test_command_says_whether_it_arrived(
    at: Callable[[str], Life], receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = at("founded")
    life.ok(f"webhook add hook --url {receiver.url} --secret-env HOOK_SECRET --as ada")
    failed = life.fairtrial("webhook test hook --as ada --json")
    assert failed.exit_code == 1
    assert "HOOK_SECRET is not set" in failed.document["error"]["problems"][0]["message"]
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    assert "Delivered: HTTP 204." in life.ok("webhook test hook --as ada").out
    assert "waiting" in life.ok("webhook test hook --queue --as ada").out
    assert len(receiver.got) == 1
    assert "hidden" not in life.ok("webhook list").out


def test_endpoints_are_listed_paused_and_removed(at: Callable[[str], Life]) -> None:
    life = at("founded")
    assert "There is no webhook." in life.ok("webhook list").out
    assert "Nothing was sent" in life.ok("webhook log").out
    life.ok("webhook add team --url env:SLACK_URL --format slack --event look.due --as ada")
    assert "paused" in life.ok("webhook pause team --as ada").out
    assert life.ok("webhook list --json").document["webhooks"][0]["active"] is False
    assert "paused" not in life.ok("webhook resume team --as ada").out
    assert "Removed" in life.ok("webhook remove team --as ada").out
    assert life.fairtrial("webhook remove team --as ada").exit_code == 1
    wrong = life.fairtrial("webhook add Team! --url http://x.example --event no --as ada --json")
    assert wrong.exit_code == 2
    messages = [problem["message"] for problem in wrong.document["error"]["problems"]]
    assert [message.split(":")[0] for message in messages] == ["NAME", "--url", "--event", "--secret-env"]
    assert life.fairtrial("webhook add team --url env:U --format slack --as mira").exit_code == 1


def test_the_help_names_every_event(fairtrial: Callable[..., Any]) -> None:
    said = " ".join(fairtrial("webhook add --help").out.split())
    assert not [event for event in EVENTS if event not in said]


def test_a_delivery_that_fails_stands_in_nobody_s_way(at: Callable[[str], Life]) -> None:
    life = at("founded")
    life.ok("webhook add dead --url http://127.0.0.1:9/ --secret-env HOOK_SECRET --as ada")
    life.ok("register design.yaml --reviewer ola --as mira")
    assert life.ok("worker --once --json").document["messages_tried"] == 1
    assert life.ok("worker --once --json").document["messages_tried"] == 0
    assert "waiting: not sent" in life.ok("webhook log").out


def test_no_message_before_the_release_holds_what_outcomes_hold(at: Callable[[str], Life]) -> None:
    life = at("due")
    life.ok("webhook add each --url https://hooks.example.org/x --secret-env NOT_SET --as ada")
    life.ok(
        "webhook add mornings --url https://hooks.example.org/x --secret-env NOT_SET --digest daily --as ada"
    )
    canaries = plant(life.folder)
    with opened() as session:
        for kind in (jobs.Kind.HEALTH, jobs.Kind.LOOK_STATUS):
            jobs.request(session.registry, "mira", kind, ID)
    Worker(life.folder).run(once=True)
    kept = life.folder / "logs" / "outcomes"
    aside = kept.rename(life.folder / "kept")
    for file in aside.rglob("*.parquet"):
        spoilt = kept / file.relative_to(aside)
        spoilt.parent.mkdir(parents=True)
        spoilt.write_text(f"{WORD} 7351.846193")
    assert life.fairtrial(f"readout {ID} --as mira").exit_code != 0
    shutil.rmtree(kept)
    aside.rename(kept)
    with opened() as session:
        lifecycle.open_look(session.registry, "system", ID, 1, 1, session.registry.clock.now())
        lifecycle.hold_look(session.registry, "system", ID, 1, f"{UNREAD}: '7351.846193' is no number")
        outbox.gather_digests(session.registry, machine=SimulatedClock(TODAY.replace(hour=9)))
        told = outbox.delivery_log(session.registry, limit=1_000)
        hooks = {one.name: one for one in webhooks.list_webhooks(session.registry)}
    assert {one.event for one in told} >= {"look.due", "look.opened", "look.held", "webhook.digest"}
    for delivery in told:
        for form in ("json", "slack"):
            body = body_of(delivery, replace(hooks[delivery.webhook], format=form))
            assert canaries.found_in(delivery.event, body) == []
    life.ok(f"readout {ID} --as mira")
    with opened() as session:
        released = outbox.delivery_log(session.registry, "each")[0]
    assert released.event == "readout.released"
    assert b"percentage points higher with candidate" in body_of(released, hooks["each"])
