"""The ladder: a candidate's way from shadow over canary and A/B to promotion: ``/ladder?id=ROL-0001``, ``/ladder?id=CAN-0002``."""

from app.screens.ladder.page import ladder_page

__all__ = ["ladder_page"]
