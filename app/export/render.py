"""The forms of a readout, and what their files are called. Each form is loaded only when it is asked for."""

from __future__ import annotations

import re
from typing import Literal, get_args

from app.export.kinds import AnyReadout
from app.export.withheld import refuse_effects

Form = Literal["text", "json", "markdown", "html", "pdf", "csv"]
FORMS: tuple[Form, ...] = get_args(Form)

_ENDINGS: dict[Form, str] = {
    "text": "txt",
    "json": "json",
    "markdown": "md",
    "html": "html",
    "pdf": "pdf",
    "csv": "zip",
}


def render(readout: AnyReadout, form: Form) -> str | bytes:
    """The readout in one form: text, except for ``pdf``, and ``csv``, which is a zip archive of tables.

    Raises:
        ValueError: the form does not exist, or the readout holds effects that its verdict withholds.
    """
    if form not in FORMS:
        raise ValueError(f"form: {form!r} is not allowed; use one of {', '.join(FORMS)}")
    refuse_effects(readout, whole=form in {"json", "csv"})
    match form:
        case "text":
            from app.export.terminal import text

            return text(readout)
        case "json":
            from app.export.json_form import json_document

            return json_document(readout)
        case "markdown":
            from app.export.markdown import markdown

            return markdown(readout)
        case "html":
            from app.export.html import html

            return html(readout)
        case "pdf":
            from app.export.pdf import pdf

            return pdf(readout)
        case "csv":
            from app.export.csv_form import csv_tables

            return csv_tables(readout)


def file_name(readout: AnyReadout, form: Form) -> str:
    """``EXP-0042_readout_v1_9f3c.html``: experiment, version of the plan, start of the readout's own SHA-256."""
    experiment = re.sub(r"[^A-Za-z0-9.-]+", "-", readout.registration.experiment).strip("-.") or "experiment"
    return f"{experiment}_readout_v{readout.registration.version}_{readout.sha256[:4]}.{_ENDINGS[form]}"
