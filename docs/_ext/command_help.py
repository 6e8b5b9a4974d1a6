"""The directive ``command-help``: inserts the output of ``dnncore COMMAND --help``."""

import os
import subprocess
import sys
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class CommandHelp(SphinxDirective):
    optional_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        # -P: import the installed package, not one in the current folder.
        command = [sys.executable, "-P", "-m", "dnncore", *self.arguments, "--help"]
        environment = {**os.environ, "COLUMNS": "88", "NO_COLOR": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise self.error(f"{' '.join(command[3:])}: {done.stderr}")
        return [nodes.literal_block(done.stdout, done.stdout, language="none")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
