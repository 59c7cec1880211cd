"""Unit ids as they may be shown: enough to see what kind of id it is, too little to find anybody."""

from __future__ import annotations

HIDDEN = "•"


def masked(value: object) -> str:
    """A unit id as its first two characters at most; of a short one less."""
    text = str(value)
    shown = text[: min(2, len(text) // 3)]
    return shown + HIDDEN * min(6, max(3, len(text) - len(shown)))
