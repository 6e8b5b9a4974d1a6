"""What the API pages say of every class, function and exception: since which version it exists.

A docstring without a ``versionadded`` of its own belongs to the first release. An object without a
docstring causes a warning.
"""

from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

FIRST_RELEASE = "0.1.0"
BEFORE_NUMPYDOC = 400  # which makes lists of the sections

logger = logging.getLogger(__name__)


def add_version(
    app: Sphinx, what: str, name: str, described: Any, options: Any, lines: list[str]
) -> None:
    """Insert the version before the first section of the docstring."""
    if not any(lines):
        logger.warning("%s has no docstring", name, type="api_pages")
    if what not in ("class", "exception", "function"):
        return
    if any(line.startswith(".. versionadded::") for line in lines):
        return
    sections = (i - 1 for i, line in enumerate(lines) if line and not line.strip("-"))
    first = next(sections, len(lines))
    lines[first:first] = ["", f".. versionadded:: {FIRST_RELEASE}", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", add_version, priority=BEFORE_NUMPYDOC)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
