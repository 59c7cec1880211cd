"""`app`: the pages, served from this machine to this machine, on one workspace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from app.cli.errors import Refusal
from app.cli.examples import examples
from app.cli.output import AsJson, answer

commands = typer.Typer()

PAGES = Path(__file__).parents[1] / "main.py"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - recognised, not listened at


@commands.command("app", epilog=examples("fairtrial app", "fairtrial app demo-output --headless --port 8600"))
def start(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="The workspace. Default: the current folder's.",
        ),
    ] = Path(),
    headless: Annotated[bool, typer.Option("--headless", help="Open no browser.")] = False,
    host: Annotated[
        str, typer.Option(help="Where it listens; other machines reach it only by another one.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="On which port.")] = 8501,
    with_worker: Annotated[
        bool,
        typer.Option(
            "--worker/--no-worker",
            help="Also start the process that reads the logs and takes looks; a shared deployment runs `fairtrial worker` itself.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Serve the pages of a workspace until Ctrl-C.

    To this machine only, unless another host is given. The pages hold no outcome and open no outcome log: a worker does.
    """
    from app.cli.session import open_workspace_registry
    from app.settings import load_settings

    settings = load_settings(folder)
    open_workspace_registry(settings).close()
    url = f"http://{'localhost' if host == '127.0.0.1' else host}:{port}"
    answer(
        {"url": url, "folder": str(settings.folder)},
        lambda: [f"The pages of {settings.folder} are at {url}. Ctrl-C ends them."],
        as_json=as_json,
    )
    from app.worker import start_worker

    worker = start_worker(settings.folder) if with_worker else None
    try:
        arguments = streamlit_arguments(
            host, port, headless=headless, address=settings.address, upload_limit=settings.upload_limit
        )
        code = serve(arguments, settings.folder)
    finally:
        if worker is not None:
            worker.terminate()
            worker.wait()
    if code != 0:
        raise Refusal(f"the pages ended with exit code {code}; is port {port} in use?")


def streamlit_arguments(
    host: str, port: int, *, headless: bool, address: str | None = None, upload_limit: int = 200
) -> list[str]:
    """What Streamlit is started with: no usage statistics, no prompt, no traces in the browser, known hosts only, our colours.

    Args:
        address: where people reach the pages, if not on this machine by their port.
        upload_limit: megabytes of the largest file that is taken.
    """
    from app import theme

    name = None if address is None else urlsplit(address).hostname
    hosts = dict.fromkeys(one for one in (host, "localhost", "127.0.0.1", name) if one is not None)
    # Without a name of its own, Streamlit asks a server outside for the address of this machine.
    own = name or ("localhost" if host in ("127.0.0.1", *_EVERYWHERE) else host)
    return [
        "run",
        str(PAGES),
        f"--server.address={host}",
        f"--server.port={port}",
        f"--browser.serverAddress={own}",
        *(f"--server.allowedHosts={one}" for one in hosts),
        f"--server.headless={str(headless).lower()}",
        "--server.showEmailPrompt=false",
        "--server.fileWatcherType=none",
        f"--server.maxUploadSize={upload_limit}",
        "--browser.gatherUsageStats=false",
        "--client.toolbarMode=minimal",
        "--client.showErrorDetails=none",
        *theme.options(),
    ]


def serve(arguments: list[str], folder: Path) -> int:
    """Run Streamlit in a folder until it ends; Ctrl-C is a good end."""
    # Its own messages go to standard error: standard output holds the answer.
    command = [sys.executable, "-m", "streamlit", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=sys.stderr.fileno()) as server:  # noqa: S603 (our own arguments)
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0
