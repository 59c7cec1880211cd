"""The ladder's aliases in an MLflow model registry, against a server that speaks the three calls of its REST API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.cli.errors import Refusal
from app.mlflow_aliases import TOKEN, set_aliases
from registry.ladder import Alias

AT = datetime(2026, 11, 3, tzinfo=UTC)


class FakeMlflow(BaseHTTPRequestHandler):
    """GET reads its arguments from the query, every other method from a JSON body: as MLflow's own handlers do."""

    models: dict[str, dict[str, str]]
    calls: list[tuple[str, str]]
    tokens: list[str | None]

    def do_GET(self) -> None:
        name = parse_qs(urlsplit(self.path).query)["name"][0]
        if name not in self.models:
            self._answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"{name} not found"})
            return
        held = [{"alias": alias, "version": version} for alias, version in self.models[name].items()]
        self._answer(200, {"registered_model": {"name": name, "aliases": held}})

    def do_POST(self) -> None:
        body = self._body()
        self.models[body["name"]][body["alias"]] = body["version"]
        self._answer(200, {})

    def do_DELETE(self) -> None:
        body = self._body()
        del self.models[body["name"]][body["alias"]]
        self._answer(200, {})

    def _body(self) -> dict[str, Any]:
        text = self.rfile.read(int(self.headers["Content-Length"]))
        return dict(json.loads(text))

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self.calls.append((self.command, urlsplit(self.path).path))
        self.tokens.append(self.headers.get("Authorization"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def mlflow() -> Iterator[tuple[str, type[FakeMlflow]]]:
    held = {"models": {"router": {"champion": "2", "other": "1"}}, "calls": [], "tokens": []}
    handler: type[FakeMlflow] = type("Handler", (FakeMlflow,), held)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def aliases(**versions: str | None) -> dict[str, Alias]:
    return {name: Alias("router", name, version, "ROL-0001", 1, AT) for name, version in versions.items()}


def test_aliases_are_moved_and_those_of_others_stay(mlflow: Any) -> None:
    address, server = mlflow
    moved = set_aliases(address, "router", aliases(champion="v3", candidate="v4"))
    assert server.models["router"] == {"champion": "3", "candidate": "4", "other": "1"}
    assert moved == ["candidate none → 4", "champion 2 → 3"]


def test_an_alias_that_names_nothing_is_taken_away(mlflow: Any) -> None:
    address, server = mlflow
    set_aliases(address, "router", aliases(champion="v3", candidate="v4"))
    assert set_aliases(address, "router", aliases(champion="v3", candidate=None)) == [
        "candidate taken away (it was 4)"
    ]
    assert "candidate" not in server.models["router"]


def test_what_is_so_already_is_not_called_for(mlflow: Any) -> None:
    address, server = mlflow
    assert set_aliases(address, "router", aliases(champion="2", candidate=None)) == []
    assert [method for method, _ in server.calls] == ["GET"]


def test_a_token_is_sent_where_one_is_set(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    address, server = mlflow
    monkeypatch.setenv(TOKEN, "made-up")
    set_aliases(address, "router", aliases(champion="2"))
    assert server.tokens == ["Bearer made-up"]


def test_a_model_that_is_not_there_and_a_server_that_is_not_there_are_refused_in_words(mlflow: Any) -> None:
    address, _ = mlflow
    with pytest.raises(Refusal, match=r"MLflow said no to GET .*404 .*ranker not found"):
        set_aliases(address, "ranker", aliases(champion="v3"))
    with pytest.raises(Refusal, match=r"cannot be reached at 127\.0\.0\.1:1"):
        set_aliases("http://127.0.0.1:1", "router", aliases(champion="v3"))
    with pytest.raises(Refusal, match="is not allowed; give the address of a tracking server"):
        set_aliases("file:///somewhere", "router", aliases(champion="v3"))
