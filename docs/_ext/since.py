"""Tell on the API pages since which version a class, function or exception exists.

A docstring without a ``versionadded`` of its own belongs to the first release.
"""

from typing import Any

from sphinx.application import Sphinx

FIRST_RELEASE = "0.1.0"
BEFORE_NUMPYDOC = 400  # which moves what follows the summary into a section


def add_version(
    app: Sphinx, what: str, name: str, described: Any, options: Any, lines: list[str]
) -> None:
    """Insert the version after the summary, the first paragraph of the docstring."""
    if what not in ("class", "exception", "function") or not lines:
        return
    if any(line.startswith(".. versionadded::") for line in lines):
        return
    end = lines.index("") if "" in lines else len(lines)
    lines[end:end] = ["", f".. versionadded:: {FIRST_RELEASE}"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", add_version, priority=BEFORE_NUMPYDOC)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
