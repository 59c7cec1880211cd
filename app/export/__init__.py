"""One sealed readout, many forms; none of them queries or computes again."""

from app.export.render import FORMS, Form, file_name, render

__all__ = ["FORMS", "Form", "file_name", "render"]
