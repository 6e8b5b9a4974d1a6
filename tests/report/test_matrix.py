"""Confusion matrices."""

import numpy as np
from pages import Page

from dnncore.report._matrix import confusions, matrix


def test_confusion_of_a_hundred_classes():
    rng = np.random.default_rng(0)
    C = np.diag(rng.integers(1, 50, 100))
    C[3, 70] = 9
    names = [f"class {i}" for i in range(100)]
    page = Page(matrix(C, names))
    assert page.tags.count("tr") == 101
    assert len(page.rows[1]) == 101
    assert f"9 of class 3 predicted as class 70 ({9 / C[3].sum():.1%})" in page.titles
    assert Page(confusions(C, names)).rows[1] == [
        "class 3",
        "class 70",
        "9",
        f"{9 / C[3].sum():.1%}",
    ]
    assert len(matrix(C, names)) < 400_000
    assert confusions(np.diag([1, 2]), ["a", "b"]) == ""
