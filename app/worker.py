"""The worker: the process that opens outcome logs, does the jobs that people ask for, and sends what waits in the outbox.

Any number of workers may run beside each other. One that is told to end finishes what it has begun, or puts it back; the job
of one that dies is taken up by another after `registry.jobs.STALE_AFTER`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic
from types import FrameType, TracebackType
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from app.cli.errors import Refusal
from app.cli.session import Session, open_workspace_registry
from app.execution import execute, in_words
from app.notify import send_due
from app.schedule import Schedule
from app.settings import Settings, load_settings
from app.spool import sweep
from experiments.forms.problems import Invalid
from registry import claims, jobs
from registry.database import Registry
from registry.errors import ClaimLost, RegistryError
from registry.jobs import STALE_AFTER, Job, JobState, Kind

HEARTBEAT_SECONDS: Final = STALE_AFTER.total_seconds() / 6
SWEEP_SECONDS: Final = 3_600.0
"""How often files are looked for that were handed in and never added."""

REPORT_SECONDS: Final = 1.0
"""How often progress is written at most: each time somebody else waits to write."""

BREAKABLE: Final = frozenset({Kind.SIMULATE})
"""Kinds that a worker puts back when it is told to end; the others are short, or have opened a look."""

PARENT: Final = "FAIRTRIAL_WORKER_PARENT"
"""Names the process whose end is also the worker's."""

_PRIVATE: Final = ("FAIRTRIAL_TOKEN", "FAIRTRIAL_ACTOR")


class BrokenOff(Exception):  # noqa: N818
    """The worker was told to end in the middle of a job that can be begun again."""


@dataclass(slots=True)
class Tally:
    """What a worker did: its jobs as they ended, and how many messages it tried to send."""

    worker: str
    jobs: list[Job] = field(default_factory=list)
    sent: int = 0

    def count(self, state: JobState) -> int:
        return sum(job.state is state for job in self.jobs)


class Worker:
    """Does jobs of the workspace that a folder lies in, until it is told to end.

    Args:
        log: takes each line of what it does.
        refresh: ask by itself for what was found longer ago than this of the experiments that run, and for looks that are due
            where the settings say so (`app.schedule`); None to wait for people.

    Attributes:
        ending: set it to end the worker.
    """

    def __init__(
        self,
        folder: Path | None = None,
        log: Callable[[str], None] | None = None,
        refresh: timedelta | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self.ending = threading.Event()
        self._folder = folder
        self._schedule = Schedule(refresh)
        self._log = log or (lambda _: None)
        self._settings: Settings | None = None
        self._registry: Registry | None = None
        self._swept = float("-inf")

    def run(self, *, once: bool = False, poll: float = 1.0) -> Tally:
        """Work until told to end; ``once``, until nothing waits."""
        tally = Tally(self.name)
        parent = os.environ.get(PARENT)
        try:
            while not self.ending.is_set():
                if parent is not None and os.getppid() != int(parent):
                    self._log("The process that started this worker has ended; so does the worker.")
                    break
                if not self._turn(tally, once=once):
                    if once:
                        break
                    self.ending.wait(poll)
        finally:
            self._close()
        return tally

    def _turn(self, tally: Tally, *, once: bool) -> bool:
        """One job, and the messages that are due; whether there was anything to do."""
        try:
            session = self._session()
            self._sweep(session.settings)
            self._schedule.ask(session.settings, session.registry)
            job = claims.claim(session.registry, self.name)
            if job is None and self._schedule.ask(session.settings, session.registry, idle=True):
                job = claims.claim(session.registry, self.name)
            if job is not None:
                tally.jobs.append(self._do(session, job))
                self._schedule.worked()
            sent = send_due(session.registry, os.environ, address=session.settings.address)
        except (RegistryError, SQLAlchemyError, Refusal, Invalid) as error:
            if once:
                raise
            self._log(
                f"The workspace or its registry cannot be used just now ({type(error).__name__}); trying again."
            )
            return False
        tally.sent += sent
        return job is not None or sent > 0

    def _sweep(self, settings: Settings) -> None:
        if monotonic() - self._swept < SWEEP_SECONDS:
            return
        self._swept = monotonic()
        cleared = sweep(settings.folder)
        if cleared:
            self._log(
                f"Cleared away {cleared} files that were handed in more than a day ago and never added."
            )

    def _do(self, session: Session, job: Job) -> Job:
        registry = session.registry
        self._log(f"job {job.id} {job.kind} {job.entity}: begun")
        try:
            with _Heart(registry, job, self) as heart:
                finding = execute(session, job, heart.report)
            ended = claims.finish(registry, job.id, self.name, finding)
        except BrokenOff:
            ended = claims.give_back(registry, job.id, self.name)
        except ClaimLost as lost:
            self._log(f"job {job.id}: {lost}")
            return jobs.find(registry, job.id)
        except Exception as error:
            ended = self._failed(registry, job, error)
        self._log(f"job {job.id} {job.kind} {job.entity}: {ended.state}")
        return ended

    def _failed(self, registry: Registry, job: Job, error: Exception) -> Job:
        # The trace is said by place only: an exception's own words may hold a value that was read.
        places = (f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(error))
        self._log(f"job {job.id}: {type(error).__name__} at {' < '.join(places)}")
        try:
            return claims.fail(registry, job.id, self.name, in_words(error, job))
        except ClaimLost as lost:
            self._log(f"job {job.id}: {lost}")
            return jobs.find(registry, job.id)

    def _session(self) -> Session:
        """The workspace as its settings are now: somebody may have moved its clock."""
        settings = load_settings(self._folder)
        if self._registry is None or settings != self._settings:
            self._close()
            self._registry, self._settings = open_workspace_registry(settings), settings
        return Session(settings, self._registry, None)

    def _close(self) -> None:
        if self._registry is not None:
            self._registry.close()
            self._registry = None


class _Heart:
    """Tells the registry now and then that the worker is alive, whatever the job is doing."""

    def __init__(self, registry: Registry, job: Job, worker: Worker) -> None:
        self._registry, self._job, self._worker = registry, job, worker
        self._still = threading.Event()
        self._lost: ClaimLost | None = None
        self._reported = float("-inf")
        self._thread = threading.Thread(target=self._beat, name=f"heart of job {job.id}", daemon=True)

    def __enter__(self) -> _Heart:
        self._thread.start()
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType]) -> None:
        self._still.set()
        self._thread.join()

    def report(self, share: float | None, text: str | None) -> None:
        """Write how far the job has come; raises when it has to be broken off."""
        if self._lost is not None:
            raise self._lost
        if self._worker.ending.is_set() and self._job.kind in BREAKABLE:
            raise BrokenOff
        if share is None or monotonic() - self._reported >= REPORT_SECONDS:
            self._reported = monotonic()
            claims.progress(self._registry, self._job.id, self._worker.name, share, text)

    def _beat(self) -> None:
        while not self._still.wait(HEARTBEAT_SECONDS):
            try:
                claims.progress(self._registry, self._job.id, self._worker.name)
            except ClaimLost as lost:
                self._lost = lost
                return
            except (RegistryError, SQLAlchemyError):
                continue  # somebody else is writing; the next beat tells as much


@contextmanager
def ended_by_signals(worker: Worker) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the worker in good order."""

    def end(number: int, _: FrameType | None) -> None:
        worker.ending.set()
        signal.signal(number, before[signal.Signals(number)])  # a second one ends it at once

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_worker(workspace: Path) -> subprocess.Popen[bytes]:
    """Start a worker of a workspace as a child process, for one-person mode; it ends when this process does.

    It takes no token and no name with it: what it does, it does as Fairtrial itself or for whoever asked.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _PRIVATE}
    environment[PARENT] = str(os.getpid())
    # -P: a file of the workspace must not be taken for one of our modules.
    command = [sys.executable, "-P", "-c", "from app.cli.main import main; main()", "worker"]
    return subprocess.Popen(  # noqa: S603 (our own arguments)
        command, cwd=workspace, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _frames(error: Exception) -> list[traceback.FrameSummary]:
    """The innermost places of an exception, last first."""
    return list(reversed(traceback.extract_tb(error.__traceback__)))[:6]
