"""Register an experiment: nine steps, saved as they are typed, beside the plan in plain language."""

from app.screens.register.registering import register_page

__all__ = ["register_page"]
