"""The page of one experiment: ``/experiment?id=EXP-0042&tab=live``."""

from app.screens.experiment.page import experiment_page

__all__ = ["experiment_page"]
