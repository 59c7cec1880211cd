"""One way to write a document down, so that equal documents have equal hashes."""

import hashlib
import json
from typing import Any

Document = dict[str, Any]
"""A JSON object: text keys; values of null, booleans, numbers, text, lists and objects."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and characters as themselves (UTF-8 when encoded).

    Raises:
        ValueError: for NaN and infinities, which JSON cannot hold, and for text that is not Unicode.
        TypeError: for a value or a key that JSON cannot hold as it is.
    """
    _refuse_other_keys(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()  # a lone surrogate would be refused only later, by the database
    return text


def sha256_of_text(text: str) -> str:
    """The SHA-256 of a text's UTF-8 bytes, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(value: object) -> str:
    """The SHA-256 of a document in its canonical form."""
    return sha256_of_text(canonical_json(value))


def _refuse_other_keys(value: object) -> None:
    # json.dumps turns the keys 1, True and None into text: two different documents would share a hash.
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not text; a document's keys are text: write {str(key)!r}")
            _refuse_other_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_other_keys(item)
