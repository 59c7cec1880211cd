"""Acts from the page: done by the registry or refused by it, never twice, and never on something that has changed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from app.screens.experiment import marks
from app.screens.pieces import plain
from experiments.forms.problems import Invalid
from registry.errors import AnchorNotWritten, Conflict, Refused, RegistryError
from registry.lifecycle.checks import MINIMUM_REASON

_DONE: Final = "experiment.done"
_PRESSED: Final = "pressed."


def button(
    label: str,
    key: str,
    revision: int,
    *,
    why_not: str | None = None,
    primary: bool = False,
    in_form: bool = False,
) -> int | None:
    """A button for an act; gives the revision that was on the page when it was pressed, else None.

    Args:
        revision: of the experiment as it is drawn now.
        why_not: why the act is not possible; it then stands beside a button that cannot be pressed.
    """
    draw = st.form_submit_button if in_form else st.button
    pressed = draw(
        label,
        key=key,
        disabled=why_not is not None,
        type="primary" if primary else "secondary",
        on_click=_note,
        args=(key, revision),
    )
    if why_not is not None:
        marks.words(f"{label}: {why_not}", muted=True)
    if not pressed:
        return None
    seen: int = st.session_state.pop(_PRESSED + key, revision)
    return seen


def impossible(label: str, key: str, why_not: str | None) -> bool:
    """Whether an act is not possible; then its button cannot be pressed, and says why."""
    if why_not is not None:
        button(label, key, 0, why_not=why_not)
    return why_not is not None


def reason(label: str, what: str, key: str) -> str:
    """A field for the reason of an act, with the length it needs."""
    return st.text_area(f"{label} (at least {MINIMUM_REASON[what]} characters)", key=key) or ""


def attempt(act: Callable[[], object], said: str) -> None:
    """Do an act and draw the page anew; a refusal is said in words, and what was typed stays."""
    try:
        act()
    except Refused as refused:
        st.error("  \n".join(plain(str(problem)) for problem in refused.problems))
    except Conflict as conflict:
        st.warning(f"{plain(str(conflict))} What you wrote is still here.")
    except AnchorNotWritten as error:
        st.warning(plain(str(error)))
    except (Invalid, RegistryError) as error:
        st.error(f"{plain(str(error))} Nothing was changed, and what you wrote is still here.")
    else:
        st.session_state[_DONE] = said
        st.rerun()


def say_what_was_done() -> None:
    """Once after an act: that it was done."""
    said = st.session_state.pop(_DONE, None)
    if said is not None:
        st.success(said)
        st.toast(said)  # whoever acted at the end of a long page does not see its top


def _note(key: str, revision: int) -> None:
    st.session_state[_PRESSED + key] = revision
