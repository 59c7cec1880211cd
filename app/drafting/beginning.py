"""How a draft begins: from a template, from a file, or from another experiment."""

from __future__ import annotations

from typing import Any

from app.drafting.text import DraftText, written
from app.templates import design_template
from experiments.designs.metrics import Catalogue
from experiments.forms.documents import scan_document
from experiments.forms.problems import Invalid, Path
from experiments.forms.spellings import REFERENCE

TEMPLATE_NAMES = {
    "model-ab": "Model A/B",
    "feature-ab": "Feature A/B",
    "non-inferiority": "Non-inferiority migration",
}

_OWN_WORDS: tuple[Path, ...] = (
    ("background",),
    ("hypothesis", "because"),
    ("hypothesis", "population"),
    ("assignment", "key"),
    ("eligibility",),
    ("segments",),
    ("primary", "mde"),
    ("primary", "margin"),
    ("power", "units_per_day"),
    ("outcome_data_seen",),
)
"""What nobody should register because an example said so."""


def from_template(name: str, title: str, catalogue: Catalogue) -> DraftText:
    """A draft shaped as a template, with the catalogue's metrics, and without the words and numbers of its example."""
    draft = DraftText(design_template(name)).with_value(("title",), title.strip() or None)
    for path in _OWN_WORDS:
        draft = draft.with_value(path, None)
    body: dict[str, Any] = dict(draft.body)
    body["arms"] = [{"name": arm["name"]} for arm in body["arms"]]
    primary = {key: value for key, value in body["primary"].items() if key not in {"metric", "alpha"}}
    if _known(body["primary"]["metric"], catalogue):
        primary = {"metric": body["primary"]["metric"], **primary}
    body["primary"] = primary
    body["guardrails"] = [
        {"metric": one["metric"], "margin": one["margin"], "role": "must-hold"}
        for one in body["guardrails"]
        if _known(one["metric"], catalogue)
    ]
    secondary = [one for one in body.get("secondary", {}).get("metrics", ()) if _known(one, catalogue)]
    body["secondary"] = {"metrics": secondary}
    return DraftText(written({key: value for key, value in _pruned(body).items() if value not in ({}, [])}))


def example_of(name: str, path: Path) -> str:
    """What the template says in a place, to be shown as an example."""
    found = DraftText(design_template(name)).at(path)
    return found if isinstance(found, str) else ""


def from_file(text: str) -> DraftText:
    """A draft that is a file as it was written, whatever is wrong in its fields.

    Raises:
        Invalid: it is not one mapping of named fields, or names a field twice.
    """
    document = scan_document(text, "design")
    if document.faults:
        raise Invalid("design", document.faults)
    return DraftText(text)


def from_experiment(text: str, title: str) -> DraftText:
    """The plan of another experiment under a title, a key and a salt of its own."""
    draft = DraftText(text)
    for path in (
        ("owner",),
        ("reviewer",),
        ("assignment", "key"),
        ("assignment", "salt"),
        ("expected_start",),
    ):
        draft = draft.with_value(path, None)
    return draft.with_value(("title",), title.strip() or None)


def _known(reference: str, catalogue: Catalogue) -> bool:
    return REFERENCE.fullmatch(reference) is not None and reference in catalogue


def _pruned(body: dict[str, Any]) -> dict[str, Any]:
    """Without groups and lists that hold nothing."""
    return {
        key: value for key, value in body.items() if not (isinstance(value, dict) and not any(value.values()))
    }
