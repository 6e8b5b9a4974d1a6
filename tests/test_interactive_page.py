"""docs/_static/back_propagation.html: its JavaScript computes what dnncore computes."""

import html
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

from dnncore import Network

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "_static" / "back_propagation.html"
TEXT = PAGE.read_text(encoding="utf-8")
CASES = [([1.2, -0.9], 0), ([-3.0, 3.0], 1), ([0.25, -0.5], 0), ([2.99, 0.01], 1)]


def script(name):
    return re.search(rf'<script[^>]* ?id="{name}">\n(.*?)</script>', TEXT, re.DOTALL)[1]


def network_of_the_page():
    given = json.loads(script("network"))
    network = Network((2, 3, 2))
    network.set_norm(given["mean"], given["scale"])
    for layer in (1, 2):
        network.coefs_[layer - 1][...] = given[f"W_{layer}"]
        network.intercepts_[layer - 1][...] = given[f"b_{layer}"]
    return network


def assert_equal_to_dnncore(shown, x, label, steps=0, rate=0.5):
    network, X, y = network_of_the_page(), np.array([x]), np.array([label])
    for _ in range(steps):
        network.parameters -= rate * network.gradients(X, y).flat
    trace = network.trace(X, y)
    assert set(shown) == set(trace.names) - {"mean", "scale", "w"}
    for name, value in shown.items():
        assert np.shape(value) == trace[name].shape, name
        np.testing.assert_allclose(
            value, getattr(trace, name), rtol=1e-12, atol=1e-12, err_msg=name
        )


def test_it_needs_nothing_else():
    assert "//" not in re.sub(r"//( |www\.w3\.org/2000/svg)", "", TEXT)
    assert not re.search(r"\b(fetch|import|XMLHttpRequest|src|link)\b *[=(]", TEXT)


def test_its_formulas_and_kernels_are_those_of_a_trace():
    shown = re.findall(r'^  \["(\w+)", "(.*)", "(\w*)"\],$', script("page"), re.MULTILINE)
    trace = network_of_the_page().trace(np.zeros((1, 2)), np.array([0]))
    expected = [(q.name, q.formula, q.kernel) for q in trace]
    assert shown == [q for q in expected if q[0] not in ("mean", "scale", "w")]


def test_it_is_linked():
    text = (PAGE.parents[1] / "explanation" / "derivation.md").read_text()
    assert "../_static/back_propagation.html" in text


def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(names)}")
    return found


@pytest.mark.parametrize(("x", "label"), CASES)
@pytest.mark.parametrize("steps", [0, 3])
def test_a_browser_shows_the_numbers_of_dnncore(x, label, steps, tmp_path):
    address = f"{PAGE.as_uri()}#x={x[0]},{x[1]}&label={label}&steps={steps}"
    done = subprocess.run(
        [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            f"--user-data-dir={tmp_path}", address,
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = re.findall(r'id="(\w+)"[^>]*data-value="([^"]*)"', done.stdout)
    shown = {name: json.loads(html.unescape(value)) for name, value in found}
    assert_equal_to_dnncore(shown, x, label, steps)
    assert done.stdout.count('class="input"') == 2


@pytest.mark.parametrize(("x", "label"), CASES)
def test_its_functions_compute_the_numbers_of_dnncore(x, label):
    """Without a browser, in Node.js."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("needs Node.js")
    call = f"backPropagation({script('network')}, {json.dumps(x)}, {label})"
    program = f"{script('mathematics')}\nconsole.log(JSON.stringify({call}));"
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert_equal_to_dnncore(json.loads(done.stdout), x, label)
