"""docs/reference/comparison.md: every test that it names is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "reference" / "comparison.md"
NAME = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")


def test_every_row_names_a_test_that_exists():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    named = {name for row in rows for name in NAME.findall(row)}
    assert len(named) > 30
    missing = [
        (file, test)
        for file, test in sorted(named)
        if f"def {test}(" not in (TESTS / file).read_text()
    ]
    assert not missing
