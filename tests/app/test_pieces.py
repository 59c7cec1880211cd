"""What people typed, as a page shows it: nothing of it is a link into the web."""

from __future__ import annotations

import re

import pytest

from app.screens.pieces import plain

# What Streamlit's Markdown makes links of, once escapes are taken away: mdast-util-gfm-autolink-literal 2, `transformGfmAutolinkLiterals`.
FOUND_AS_ADDRESS = re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE)
ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def drawn(text: str) -> str:
    return ESCAPE.sub(r"\1", plain(text))


@pytest.mark.parametrize(
    "typed",
    [
        "see https://example.org/x",
        "see HTTP://example.org",
        "www.example.org",
        "WWW.example.org/x?y=z",
        "(https://www.example.org)",
    ],
)
def test_an_address_that_somebody_typed_is_no_link(typed):
    assert FOUND_AS_ADDRESS.search(typed)
    assert not FOUND_AS_ADDRESS.search(drawn(typed))
    assert drawn(typed).replace("\N{WORD JOINER}", "") == typed


@pytest.mark.parametrize("typed", ["task_success@1", "mira@example.org", "v7: faster, by 3.5 ms", "a www b"])
def test_anything_else_is_drawn_as_it_was_typed(typed):
    assert drawn(typed) == typed
