"""The app as people start it: alone on this machine, or for a team as docs/operations.md says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from app.demo.scenarios import WORKSPACE
from app.demo.stage import without_settings_from_outside
from app.settings_file import change_setting
from tests.app.life import quietly
from tests.browser.provider import CLIENT, Provider

BEGIN = "2026-11-01T12:00:00Z"
TEAM = {"mira": "analyst", "ola": "reviewer", "dan": "decider"}
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
STARTING = 60.0
"""Seconds that the app may take to come up on a busy machine."""

NAME = "fairtrial.test"
"""Under which a team reaches its pages; the tests' Chromium takes it for this machine."""


def fairtrial(folder: Path, *arguments: str, token: str | None = None) -> str:
    """What a command says that has to succeed in a folder."""
    command, *rest = arguments
    with without_settings_from_outside(), pytest.MonkeyPatch.context() as environment:
        if token is not None:
            environment.setenv("FAIRTRIAL_TOKEN", token)
        ran = quietly(folder)(command, *rest)
    assert ran.exit_code == 0, ran.err
    said: str = ran.out
    return said


def workspace(folder: Path) -> Path:
    """The demo's catalogue and sources, without its designs, and a team on a simulated clock."""
    _catalogue(folder)
    fairtrial(folder, "init", ".", "--admin", "Ada", "--simulated-clock", BEGIN)
    for person, role in TEAM.items():
        fairtrial(folder, "people", "add", person, "--role", role, "--as", "ada")
    return folder


def team_workspace(folder: Path, registry: str) -> str:
    """A workspace on Postgres, founded by the commands of docs/operations.md; the admin's token."""
    _catalogue(folder)
    token = None
    (commands,) = re.findall(r"```sh\n(fairtrial init .*?)```", OPERATIONS.read_text(), re.DOTALL)
    for line in commands.splitlines():
        match shlex.split(line):
            case ["fairtrial", "init", "/srv/fairtrial", *options]:
                options[options.index("--registry") + 1] = registry
                fairtrial(folder, "init", ".", *options, "--simulated-clock", BEGIN)
            case ["fairtrial", "people", "token", *rest]:
                token = json.loads(fairtrial(folder, "people", "token", *rest, "--json"))["secret"]
            case ["fairtrial", *arguments]:
                fairtrial(folder, *arguments, token=token)
            case ["cd", _] | ["export", "FAIRTRIAL_TOKEN=…"]:
                pass
            case other:
                raise AssertionError(f"nobody can run {other}")
    assert token is not None
    return token


def set_up_sign_in(folder: Path, provider: Provider, url: str) -> None:
    """Sign-in and the pages' address, by the settings of docs/operations.md."""
    (example,) = re.findall(r"```toml\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    documented = tomllib.loads(example)
    given = {
        "redirect_uri": provider.redirect,
        "cookie_secret": "long and random enough for a test",
        "client_id": CLIENT,
        "client_secret": provider.client_secret,
        "server_metadata_url": provider.metadata_url,
    }
    assert list(documented) == ["auth"]
    assert documented["auth"].keys() == given.keys()
    lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text("\n".join(["[auth]", *lines]))
    change_address(folder, url)


def change_address(folder: Path, url: str) -> None:
    change_setting(folder / "fairtrial.yaml", "address", url)


@contextmanager
def served(folder: Path, port: int | None = None, name: str = "localhost") -> Iterator[str]:
    """The address of the app while it runs, with its worker."""
    port = port or free_port()
    log = folder / "app.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRTRIAL_")}
    environment["FAIRTRIAL_REFRESH"] = "never"  # what is checked and taken is asked for by the visitor
    with log.open("w") as said:
        server = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from app.cli.main import main; main()",
                "app",
                "--headless",
                "--port",
                str(port),
            ],
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://localhost:{port}/_stcore/health", server, log)
        yield f"http://{name}:{port}"
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _catalogue(folder: Path) -> None:
    folder.mkdir()
    for file in WORKSPACE.glob("*.yaml"):
        shutil.copy(file, folder)


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(url):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"the app did not come up: {log.read_text()}")
