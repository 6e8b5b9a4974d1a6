"""Nothing is kept of fits, files and exports that are over."""

import subprocess
import sys

import endurance
import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_resources_are_given_back():
    """The command `python tests/helpers/endurance.py` does so for hours."""
    command = [sys.executable, endurance.__file__, "--rounds", "50", "--allowed", "8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
