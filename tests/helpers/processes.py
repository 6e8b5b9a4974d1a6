"""Python in a process of its own."""

import os
import subprocess
import sys
import textwrap


def run_python(code, cwd=None, **environment):
    """What code prints, and what it says on standard error."""
    # -P: not from a source tree, which would come before the installed package.
    done = subprocess.run(
        [sys.executable, "-P", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, cwd=cwd, env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr
