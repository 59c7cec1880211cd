"""Changing one setting in the text of ``fairtrial.yaml``; every other line, comments included, stays as it is."""

from __future__ import annotations

import re


def with_setting(text: str, key: str, value: str | None) -> str:
    """The text with a setting given, or with None commented out.

    A line that is there, or is there as a comment (``# clock: …``), is replaced where it stands; else one is added.
    """
    line = f'{key}: "{value}"'
    present = re.compile(rf"(?m)^{key}:.*$")
    commented = re.compile(rf"(?m)^# {key}:.*$")
    if value is None:
        return present.sub(lambda found: f"# {found[0]}", text)
    for pattern in (present, commented):
        if pattern.search(text):
            return pattern.sub(lambda _: line, text, count=1)
    return f"{text.rstrip()}\n{line}\n"
