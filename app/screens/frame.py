"""What every page has around it: the workspace, who is here, the simulated clock, errors in words."""

from __future__ import annotations

import logging
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app.cli.errors import Refusal
from app.cli.session import open_workspace_registry
from app.formats import instant
from app.identity import ACT_AS, Identity, NobodyHere, who_is_here
from app.screens.pieces import plain
from app.settings import Settings, load_settings
from experiments.forms.problems import Invalid
from registry.database import Registry
from registry.errors import Refused, RegistryError
from registry.store import everybody

log = logging.getLogger("fairtrial.pages")


@dataclass(frozen=True, slots=True)
class Here:
    """What a page works with: the workspace's registry and who is looking. It holds no outcome, and no way to one."""

    settings: Settings
    registry: Registry
    me: Identity


def page(draw: Callable[[Here], None]) -> Callable[[], None]:
    """A page that is drawn for somebody known, in an opened registry; what goes wrong is said in words."""

    def drawn() -> None:
        try:
            settings = load_settings()
            with open_workspace_registry(settings) as registry:
                here = Here(settings, registry, who_is_here(registry))
                _around(here)
                draw(here)
        except NobodyHere as nobody:
            _nobody(nobody)
        except Refused as refused:
            refusal(refused)
        except (Refusal, Invalid, RegistryError) as error:
            st.error(f"This page cannot be shown: {error}")
        except Exception as error:
            if type(error).__module__.startswith("streamlit"):
                raise  # a rerun or a stop, which Streamlit signals by exceptions
            number = uuid.uuid4().hex[:8]
            log.exception("page failed, request %s", number)
            st.error(
                f"Something went wrong on this page. Nothing was changed. Tell an admin: request {number}"
            )

    drawn.__name__ = draw.__name__
    return drawn


def is_somebody_here() -> bool:
    """Whether to list the pages: not to somebody whom they would not be shown."""
    try:
        with open_workspace_registry(load_settings()) as registry:
            who_is_here(registry)
    except NobodyHere:
        return False
    except (Refusal, Invalid, RegistryError):
        return True  # which the page says itself
    return True


def refusal(refused: Refused) -> None:
    """An act that was refused: what, why, when it is possible, what to do."""
    st.error(plain(str(refused)))


def _nobody(nobody: NobodyHere) -> None:
    """Why nobody may see the page, and the way in, or out again."""
    st.title("Fairtrial", anchor=False)
    st.write("May this change ship, on the evidence of live traffic?")
    st.text(str(nobody))  # in Markdown an e-mail address is a link
    if nobody.can_sign_in and st.button("Sign in", type="primary", icon=":material/login:"):
        try:
            st.login()
        except StreamlitAuthError as error:
            log.error("sign-in is not set up completely: %s", error)
            st.error(
                "Nobody can sign in, because [auth] in .streamlit/secrets.toml is not complete. Tell an admin: "
                + plain(" ".join(str(error).split()))
            )
    if nobody.can_sign_out:
        _sign_out("Sign out, to sign in as somebody else")


def _sign_out(words: str) -> None:
    st.button(words, on_click=st.logout, icon=":material/logout:")


def _around(here: Here) -> None:
    clock = here.registry.clock
    if clock.simulated:
        st.warning(
            f"Simulated clock: {instant(clock.now())}. What is recorded here is labelled simulated for ever.",
            icon=":material/schedule:",
        )
    with st.sidebar:
        if here.me.chosen:
            ids = [one.id for one in everybody(here.registry) if one.active and one.id != "system"]
            # On every run: another page is another widget, which would begin with the first of them.
            st.session_state[ACT_AS] = here.me.id
            st.selectbox(
                "Act as",
                ids,
                key=ACT_AS,
            )
            st.caption(
                "Nobody signs in here: on a simulated clock, on this machine, you may be each of them in turn."
            )
            _passing(here)
        roles = ", ".join(sorted(role.value for role in here.me.person.roles)) or "no role"
        st.text(f"{here.me.person.name} ({here.me.id}) · {roles} · {here.me.how}")
        if here.me.signed_in:
            _sign_out("Sign out")
        st.caption("Times are UTC.")


def _passing(here: Here) -> None:
    """Let time pass on a simulated clock; another process writes the logs, for this one holds no outcome."""
    for words, duration in (("Let a day pass", "1d"), ("Let a week pass", "7d")):
        if st.button(words, key=f"pass {duration}"):
            with st.spinner("The traffic is coming in"):
                command = [sys.executable, "-c", "from app.cli.main import main; main()", "pass", duration]
                done = subprocess.run(  # noqa: S603 (our own arguments)
                    command, cwd=here.settings.folder, capture_output=True, text=True, check=False
                )
            if done.returncode:
                st.error(plain(done.stderr.strip().splitlines()[-1]) if done.stderr.strip() else "It failed.")
            else:
                st.rerun()
    st.caption("The clock stands still until then. As time passes, registered experiments get traffic.")
