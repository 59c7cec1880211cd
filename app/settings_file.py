"""Changing one setting in the text of ``fairtrial.yaml``; every other line, comments included, stays as it is."""

from __future__ import annotations

import os
import re
from pathlib import Path


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


def change_setting(file: Path, key: str, value: str | None) -> None:
    """Write a setting into the file, whole: a worker that reads it just then finds it as it was or as it is."""
    text = with_setting(file.read_text(encoding="utf-8"), key, value)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
