"""Write a page for each machine whose results are in ``benchmarks/results``.

``benchmarks/run.py`` writes ``MACHINE.md``, and other scripts ``MACHINE-SCRIPT.md``. The page of a
machine includes all of them.
"""

import re
from collections import defaultdict
from pathlib import Path

from sphinx.application import Sphinx

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
FILE_NAME = re.compile(r"(.+-cpus)(?:-\w+)?\.md")
INCLUDE = """\
```{{include}} ../../../benchmarks/results/{name}
:heading-offset: {offset}
:relative-images:
```
"""


def page(machine: str, names: list[str]) -> str:
    """Return the page of a machine: its complete run, then the single scripts."""
    whole = f"{machine}.md"
    if whole not in names:
        parts = [f"# {machine.replace('-', ' ')}\n"]
    else:
        parts = [INCLUDE.format(name=whole, offset=0)]
    parts += [INCLUDE.format(name=name, offset=1) for name in names if name != whole]
    return "\n".join(parts)


def write_pages(app: Sphinx) -> None:
    machines = defaultdict(list)
    for name in sorted(path.name for path in RESULTS.glob("*.md")):
        if match := FILE_NAME.fullmatch(name):
            machines[match[1]].append(name)
    folder = Path(app.srcdir) / "explanation" / "results"
    folder.mkdir(exist_ok=True)
    for machine, names in machines.items():
        path, text = folder / f"{machine}.md", page(machine, names)
        if not path.exists() or path.read_text() != text:  # else Sphinx would read it again
            path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
