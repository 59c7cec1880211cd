"""The public import of Fairtrial for notebooks and scripts: ``import fairtrial as ft``."""
