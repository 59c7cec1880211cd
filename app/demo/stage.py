"""The stage of the demo: its folder, its logs up to a moment, and commands run there as a person runs them."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any

from app.cli.errors import Refusal
from experiments.traffic import Scenario, write_traffic

LOG = "demo.log"
"""Every command of the demo with its whole output; also how a folder is known to be a demo's."""


@dataclass(slots=True)
class Stage:
    """Runs public commands in one folder.

    Attributes:
        tell: takes each line that a spectator sees.
    """

    folder: Path
    scenarios: Sequence[Scenario]
    tell: Callable[[str], None]
    commands: int = 0
    _began: float = field(default_factory=monotonic)

    @property
    def seconds(self) -> float:
        return monotonic() - self._began

    def chapter(self, title: str) -> None:
        """Say what happens next."""
        self.tell(f"\n[{self.seconds:4.0f} s] {title}")
        self._log(f"\n=== {title}\n")

    def run(self, *arguments: str, expect: int = 0, show: bool = False) -> str:
        """Run ``fairtrial`` with these arguments and give its standard output.

        Args:
            expect: the exit code it has to end with.
            show: whether a spectator sees the output too.

        Raises:
            Refusal: it ended otherwise.
        """
        from app.cli.main import run

        out, err = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            code = run(arguments)
        self.commands += 1
        line = f"$ fairtrial {shlex.join(arguments)}"
        ended = "" if code == 0 else f"    → exit code {code}"
        said = out.getvalue() + err.getvalue()
        self._log(f"{line}\n{said}{ended + chr(10) if ended else ''}\n")
        self.tell(line + ended)
        if show or code != expect:
            for text in said.rstrip().splitlines():
                self.tell(f"    {text}".rstrip())
        if code != expect:
            raise Refusal(f"the demo went wrong: {line} ended with exit code {code} instead of {expect}")
        return out.getvalue()

    def answer(self, *arguments: str) -> dict[str, Any]:
        """The JSON document that a command answers with."""
        document: dict[str, Any] = json.loads(self.run(*arguments, "--json"))
        return document

    def answer_whatever(self, *arguments: str) -> dict[str, Any]:
        """The same of a command that ends with 1 where what it found is bad news, which is no fault of the demo's."""
        from app.cli.main import run

        out, err = io.StringIO(), io.StringIO()
        with chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            code = run((*arguments, "--json"))
        self.commands += 1
        line = f"$ fairtrial {shlex.join(arguments)} --json"
        self._log(f"{line}\n{out.getvalue()}{err.getvalue()}\n")
        self.tell(line + ("" if code == 0 else f"    → exit code {code}"))
        document: dict[str, Any] = json.loads(out.getvalue())
        return document

    def let_pass(self, until: datetime) -> None:
        """Let the simulated time come to this moment: the clock and the logs."""
        self.run("clock", "--set", until.isoformat())
        written = write_traffic(self.folder / "logs", self.scenarios, until)
        said = (
            f"  (live traffic up to {until:%d %b %Y}: {written.assignments:,} assignments, {written.exposures:,} "
            f"exposures, {written.outcomes:,} outcome rows in logs/)"
        )
        self.tell(said)
        self._log(f"{said}\n")

    def _log(self, text: str) -> None:
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(text)


@contextmanager
def without_settings_from_outside() -> Iterator[None]:
    """No variable of the person who runs the demo reaches its registry."""
    outside = {name: value for name, value in os.environ.items() if name.startswith("FAIRTRIAL_")}
    for name in outside:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(outside)
