"""The machine form: the canonical document, with the SHA-256 that every other form prints."""

from __future__ import annotations

from app.export.kinds import AnyReadout


def json_document(readout: AnyReadout) -> str:
    """Sorted keys, no spaces, one line: the bytes that the seal is over, and the seal."""
    return readout.canonical() + "\n"
