"""Shadow review: a candidate on mirrored requests, from its plan to its sign-off: ``/shadow?id=SHD-0002&tab=live``."""

from app.screens.shadow.page import shadow_page

__all__ = ["shadow_page"]
