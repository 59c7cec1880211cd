"""Every page, where it stands in the sidebar, and its address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from app.screens.audit import audit_page
from app.screens.experiment import experiment_page
from app.screens.experiments import experiments_page
from app.screens.help import help_page
from app.screens.home import home_page
from app.screens.ladder import ladder_page
from app.screens.metrics import metrics_page
from app.screens.places import monitors_page
from app.screens.register import register_page
from app.screens.shadow import shadow_page
from app.screens.sources import sources_page


@dataclass(frozen=True, slots=True)
class Screen:
    """One page.

    Attributes:
        icon: a name of Material Symbols, which Streamlit serves itself.
        address: what follows the host; the first page has none.
        hidden: reached only through another page.
    """

    draw: Callable[[], None]
    title: str
    icon: str
    address: str
    hidden: bool = False

    def page(self) -> st.Page:
        """The page for one run of one session: Streamlit marks it as callable, so sessions must not share it."""
        return st.Page(
            self.draw,
            title=self.title,
            icon=f":material/{self.icon}:",
            url_path=self.address or None,
            default=not self.address,
            visibility="hidden" if self.hidden else "visible",
        )


SECTIONS: dict[str, tuple[Screen, ...]] = {
    "Work": (
        Screen(home_page, "Home", "home", ""),
        Screen(register_page, "Register", "edit_note", "register"),
        Screen(experiments_page, "Experiments", "format_list_bulleted", "experiments"),
        Screen(experiment_page, "Experiment", "science", "experiment", hidden=True),
    ),
    "Models": (
        Screen(shadow_page, "Shadow review", "compare_arrows", "shadow"),
        Screen(ladder_page, "Ladder", "stairs", "ladder"),
        Screen(monitors_page, "Monitors", "monitoring", "monitors"),
    ),
    "Library": (
        Screen(metrics_page, "Metrics", "straighten", "metrics"),
        Screen(sources_page, "Data sources", "database", "sources"),
        Screen(audit_page, "Audit log", "history", "audit"),
        Screen(help_page, "Help and glossary", "help", "help"),
    ),
}
"""By section of the sidebar. A new page is one line here; the leak test and the tests of every page take it from here."""


def pages() -> dict[str, list[st.Page]]:
    """The pages of one run."""
    return {section: [screen.page() for screen in screens] for section, screens in SECTIONS.items()}


def screen_at(address: str) -> Screen | None:
    """The page at an address, if there is one."""
    return next((one for those in SECTIONS.values() for one in those if one.address == address), None)
