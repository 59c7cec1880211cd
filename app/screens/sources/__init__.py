"""The data sources: what the sources file maps, what the worker found of the logs, and files that are handed in for them."""

from app.screens.sources.page import sources_page

__all__ = ["sources_page"]
