"""The app as people start it, on a workspace with the demo's catalogue and a team on a simulated clock."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from app.demo.scenarios import WORKSPACE

BEGIN = "2026-11-01T12:00:00Z"
TEAM = {"mira": "analyst", "ola": "reviewer", "dan": "decider"}
STARTING = 60.0
"""Seconds that the app may take to come up on a busy machine."""

_FAIRTRIAL = (sys.executable, "-c", "from app.cli.main import main; main()")


def fairtrial(folder: Path, *arguments: str) -> None:
    """Run a command in a folder, which has to succeed."""
    ran = subprocess.run(
        [*_FAIRTRIAL, *arguments], cwd=folder, env=_environment(), capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr


def workspace(folder: Path) -> Path:
    """The demo's catalogue and sources, without its designs, and a team on a simulated clock."""
    folder.mkdir()
    for file in WORKSPACE.glob("*.yaml"):
        shutil.copy(file, folder)
    fairtrial(folder, "init", ".", "--admin", "Ada", "--simulated-clock", BEGIN)
    for person, role in TEAM.items():
        fairtrial(folder, "people", "add", person, "--role", role, "--as", "ada")
    return folder


@contextmanager
def served(folder: Path, port: int | None = None) -> Iterator[str]:
    """The address of the app while it runs, with its worker."""
    port = port or free_port()
    log = folder / "app.log"
    with log.open("w") as said:
        server = subprocess.Popen(
            [*_FAIRTRIAL, "app", ".", "--headless", "--port", str(port)],
            cwd=folder,
            env=_environment(),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    url = f"http://localhost:{port}"
    try:
        _wait_for(f"{url}/_stcore/health", server, log)
        yield url
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


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTING
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(url):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"the app did not come up: {log.read_text()}")


def _environment() -> dict[str, str]:
    """Without settings of the person who runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FAIRTRIAL_")}
