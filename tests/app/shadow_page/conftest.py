"""The pages served to this machine, and a shadow at a stage of its life."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit import config

from app.worker import Worker
from tests.app.shadow_page.life import ShadowLife


@pytest.fixture(autouse=True)
def served_to_this_machine() -> Iterator[None]:
    """The pages as `fairtrial app` serves them: without sign-in they refuse any other address."""
    before = st.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    yield
    config.set_option("server.address", before)


@pytest.fixture
def life(tmp_path: Path, fairtrial: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> ShadowLife:
    monkeypatch.chdir(tmp_path)
    return ShadowLife(tmp_path, fairtrial)


@pytest.fixture
def work(tmp_path: Path) -> Callable[[], None]:
    """Let the worker do what was asked for."""
    return lambda: void(Worker(tmp_path).run(once=True))


def void(_: object) -> None:
    """What the worker did is seen on the page."""
