"""The workspace a command works in: its settings, and its metric catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.errors import Refusal

if TYPE_CHECKING:
    from experiments.designs.metrics import Catalogue

CatalogueFile = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        exists=True,
        dir_okay=False,
        help="The metric catalogue. Default: the workspace's, metrics.yaml.",
    ),
]
DesignFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="The design, a YAML file.")
]


def catalogue_in_use(given: Path | None) -> Catalogue:
    """The metric catalogue that was named, or the workspace's.

    Raises:
        Refusal: the workspace has none.
        Invalid: it has problems.
    """
    from experiments.designs.metrics import load_catalogue

    return load_catalogue(given or _existing("catalogue", "metric catalogue", "--catalogue"))


def sources_file(given: Path | None) -> Path:
    return given or _existing("sources", "sources file", "--sources")


def outcomes_file(given: Path | None) -> Path:
    return given or _existing("outcomes", "outcomes file", "--outcomes")


def _existing(setting: str, what: str, option: str) -> Path:
    from app.settings import load_settings

    settings = load_settings()
    path: Path = getattr(settings, setting)
    if not path.is_file():
        raise Refusal(
            f"there is no {what}: {path} does not exist; give {option} FILE, or start a workspace with fairtrial init"
        )
    return path
