"""Twenty people at once, each on a connection of their own to one server: nobody gets another's words, person or error."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.util import calc_hash
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from app.cli.session import open_workspace_registry
from app.cli.start import streamlit_arguments
from app.screens.navigation import SECTIONS
from app.settings import load_settings
from registry.actors import Role
from registry.membership import add_person

PEOPLE = 20
VISITS = 6
"""How often each session draws a page."""


@dataclass
class Session:
    """One browser, without the browser: it sends what a browser sends and keeps what it is sent."""

    number: int
    connection: ClientConnection
    received: list[bytes] = field(default_factory=list)

    @property
    def person(self) -> str:
        return f"person{self.number:02d}"

    @property
    def word(self) -> str:
        """Stands in the address of this session alone."""
        return f"needle{self.number:02d}"

    def draw(self, address: str, query: str, act_as: str | None = None) -> list[ForwardMsg]:
        """A page, as it was sent to this session."""
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string, state.page_script_hash = query, calc_hash(address)
        if act_as is not None:
            widget = state.widget_states.widgets.add()
            widget.id, widget.string_value = act_as, self.person
        self.connection.send(asked.SerializeToString())
        sent = []
        while True:
            content = self.connection.recv(timeout=60)
            assert isinstance(content, bytes)
            self.received.append(content)
            message = ForwardMsg.FromString(content)
            sent.append(message)
            if message.WhichOneof("type") == "script_finished":
                return sent


@pytest.fixture
def server(at) -> Iterator[int]:
    """The app as `fairtrial app` serves it, on a workspace with as many people as sessions."""
    life = at("running")
    with open_workspace_registry(load_settings(life.folder)) as registry:
        for number in range(PEOPLE):
            add_person(registry, "ada", f"person{number:02d}", f"Person {number:02d}", [Role.ANALYST])
    with _serving(life.folder) as port:
        yield port


@contextmanager
def _serving(folder: Path) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRTRIAL_")}
    command = [sys.executable, "-m", "streamlit", *streamlit_arguments("127.0.0.1", port, headless=True)]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def _connected(port: int) -> ClientConnection:
    """A connection as a page of the server opens it."""
    for _ in range(50):
        try:
            return connect(
                f"ws://127.0.0.1:{port}/_stcore/stream",
                origin=f"http://localhost:{port}",  # type: ignore[arg-type]
                subprotocols=["streamlit"],  # type: ignore[list-item]
                max_size=None,
            )
        except (OSError, WebSocketException):
            time.sleep(0.2)
    raise AssertionError("the server does not answer")


def _act_as(sent: list[ForwardMsg]) -> str:
    """The widget that says who acts."""
    return next(
        message.delta.new_element.selectbox.id
        for message in sent
        if message.delta.new_element.selectbox.label == "Act as"
    )


def _live(number: int, port: int, together: Barrier) -> Session:
    with _connected(port) as connection:
        session = Session(number, connection)
        chooser = _act_as(session.draw("", ""))
        session.received.clear()
        together.wait(timeout=120)
        for visit in range(VISITS):
            address = ("experiments", "experiment", "help", "audit")[(number + visit) % 4]
            query = {
                "experiments": f"text={session.word}",
                "experiment": f"id=EXP-{session.word}",
                "help": f"word={session.word}",
                "audit": f"entity={session.word}",
            }[address]
            if address == "experiment" and not any(one.address == address for one in SECTIONS["Work"]):
                continue
            session.draw(address, query, chooser)
        return session


@pytest.mark.parametrize("people", [4, pytest.param(PEOPLE, marks=pytest.mark.slow)])
def test_people_at_once_see_their_own_words_person_and_errors_only(server, people):
    together = Barrier(people)
    with ThreadPoolExecutor(people) as pool:
        sessions = list(pool.map(lambda number: _live(number, server, together), range(people)))
    for session in sessions:
        everything = b"\n".join(session.received)
        assert session.word.encode() in everything, session.number
        assert f"({session.person}) · ".encode() in everything, session.number
        assert b"Something went wrong" not in everything
        assert b"cannot be called" not in everything  # a page object that sessions share says so
        for other in sessions:
            if other is session:
                continue
            assert other.word.encode() not in everything, (session.number, other.number)
            assert f"({other.person}) · ".encode() not in everything, (session.number, other.number)
