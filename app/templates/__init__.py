"""The files a workspace starts from: three designs, a metric catalogue, sources and outcomes, settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

DESIGNS: Mapping[str, str] = {
    "model-ab": "a new model against the one that is served",
    "feature-ab": "a change of the product against how it is now",
    "non-inferiority": "a migration that must not make things worse",
}
"""The design templates, and what each is for."""

WORKSPACE = ("fairtrial.yaml", "metrics.yaml", "sources.yaml", "outcomes.yaml")
"""What ``fairtrial init`` writes beside each other."""

_FOLDER = Path(__file__).parent


def design_template(name: str) -> str:
    """A commented design that passes the check with the template catalogue.

    Raises:
        KeyError: there is no template of this name.
    """
    if name not in DESIGNS:
        raise KeyError(name)
    return (_FOLDER / "designs" / f"{name}.yaml").read_text(encoding="utf-8")


def workspace_file(name: str) -> str:
    """One of the files in ``WORKSPACE``.

    Raises:
        KeyError: there is no such file.
    """
    if name not in WORKSPACE:
        raise KeyError(name)
    return (_FOLDER / name).read_text(encoding="utf-8")
