"""The page on a telephone, laid out by Chromium if that is installed."""

import re
import shutil
import subprocess
from html import escape

import numpy as np
import pytest

from dnncore import DNNClassifier
from dnncore.report import write_report
from dnncore.tabular import TabularClassifier

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell"))), None)
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
# The smallest window of Chromium is wider than a telephone; a frame is as wide as it should be.
FRAME = """<!DOCTYPE html><title></title><iframe style="width:{width}px;height:900px;border:0"
srcdoc="{page}" onload="const root = this.contentDocument.documentElement;
document.title = root.scrollWidth + ' of ' + root.clientWidth"></iframe>"""

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium"),
    pytest.mark.filterwarnings("ignore"),
]


def widths(page, width, folder):
    """The width of the contents of a page, and that of the window."""
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width, page=escape(page)), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    (found,) = re.findall(r"<title>(\d+) of (\d+)</title>", done.stdout)
    return tuple(map(int, found))


def with_many_classes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 40)), np.array([f"class {'x' * (i % 30)}{i}" for i in range(30)])
    y = y[np.arange(300) % 30]
    return DNNClassifier((8, 8), max_iter=3, random_state=0).fit(X, y), X, y


def with_long_names(wine):
    _, X, y = wine
    table = X.rename(columns={"alcohol": "w" * 200, "ash": "a long name " * 20})
    return TabularClassifier(n_members=2, max_iter=2, random_state=0).fit(table, y), table, y


@pytest.mark.parametrize("kind", ["wine", "regressor", "many classes", "long names"])
def test_only_tables_and_figures_scroll_sideways(kind, request, tmp_path):
    if kind == "many classes":
        model, X, y = with_many_classes()
    elif kind == "long names":
        model, X, y = with_long_names(request.getfixturevalue("wine"))
    else:
        model, X, y = request.getfixturevalue(kind)
    facts = {"File": "x" * 150 + ".csv", "Target": "größe " * 30, "a" * 80: "b"}
    write_report(model, X, y, tmp_path / "report.html", title="T" * 100, data_summary=facts)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for width in (320, 400):
        wanted, shown = widths(page, width, tmp_path)
        assert wanted == shown <= width  # the rest is a scroll bar
