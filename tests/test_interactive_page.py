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
    assert set(shown) == set(trace.names) - {"w"}
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
    assert shown == [q for q in expected if q[0] != "w"]


def test_it_is_linked():
    text = (PAGE.parents[1] / "explanation" / "derivation.md").read_text()
    assert "../_static/back_propagation.html" in text


def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(names)}")
    return found


def page_in_a_browser(address, folder):
    """A page after its scripts have run."""
    done = subprocess.run(
        [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
            f"--user-data-dir={folder / 'profile'}", address,
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells_of(page):
    """The name, the value with all digits, and the rest of every array on a page."""
    cells = re.findall(r'id="(\w+)" data-value="([^"]*)"(.*?)</div>', page)
    return [(name, json.loads(html.unescape(value)), cell) for name, value, cell in cells]


@pytest.mark.parametrize(
    ("address", "x", "label"),
    [
        ("x=1,a&label=2", [1.2, -0.9], 0),
        ("x=1,,2&label=1", [1.2, -0.9], 1),
        ("x=7,-9", [3.0, -3.0], 0),
    ],
)
def test_what_is_wrong_in_the_address_is_ignored(address, x, label, tmp_path):
    page = page_in_a_browser(f"{PAGE.as_uri()}#{address}", tmp_path)
    assert_equal_to_dnncore({name: value for name, value, _ in cells_of(page)}, x, label)


def test_a_browser_shows_the_numbers_of_dnncore(tmp_path):
    page = page_in_a_browser(f"{PAGE.as_uri()}#x=2.99,-1.25&label=1&steps=2", tmp_path)
    cells = cells_of(page)
    values = {name: value for name, value, _ in cells}
    assert_equal_to_dnncore(values, [2.99, -1.25], 1, steps=2)
    for name, _, cell in cells:  # what is read, not only what is kept
        read = [float(text) for text in re.findall(r">(-?[\d.]+)</span>", cell)]
        np.testing.assert_allclose(read, np.ravel(values[name]), rtol=0, atol=0.5001e-4)
    assert page.count('class="input"') == 2


# What a user does, and the inputs, the label and the number of steps afterwards.
ACTIONS = [
    ("", [1.2, -0.9], 0, 0),
    ("slide('x0', 2.5)", [2.5, -0.9], 0, 0),
    ("slide('x1', -3)", [2.5, -3.0], 0, 0),
    ("press('reset')", [1.2, -0.9], 0, 0),
    ("pull(1, -60)", [1.2, 0.1], 0, 0),
    ("pull(0, 30)", [0.7, 0.1], 0, 0),
    ("pull(1, 1000)", [0.7, -3.0], 0, 0),  # no further than the slider
    ("choose(1)", [0.7, -3.0], 1, 0),
    ("press('step')", [0.7, -3.0], 1, 1),
    ("press('step')", [0.7, -3.0], 1, 2),
    ("press('reset')", [1.2, -0.9], 0, 0),
]
USER = """
const act = (element, event) => { element.dispatchEvent(event); };
const slide = (id, value) => { byId(id).value = value; act(byId(id), new Event("input")); };
const press = id => byId(id).click();
const choose = value => {
  byId("label").value = value;
  act(byId("label"), new Event("change"));
};
const pointer = (kind, clientY) => new PointerEvent("pointer" + kind, { clientY });
const pull = (unit, down) => {
  act(document.querySelectorAll("circle.input")[unit], pointer("down", 100));
  act(window, pointer("move", 100 + 0.3 * down));
  act(window, pointer("move", 100 + down));
  act(window, pointer("up", 100 + down));
  act(window, pointer("move", 0));  // it is no longer dragged
};
const shown = () => Object.fromEntries(
  [...document.querySelectorAll(".values")].map(cell => [cell.id, JSON.parse(cell.dataset.value)]));
"""


def test_whatever_one_does_on_the_page_every_number_follows(tmp_path):
    calls = "\n".join(f"{action}; seen.push(shown());" for action, *_ in ACTIONS)
    kept = "document.body.dataset.seen = JSON.stringify(seen);"
    script = f"{{ const seen = []; {USER}\n{calls}\n{kept} }}"  # names of its own
    copy = tmp_path / "page.html"
    copy.write_text(TEXT.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    page = page_in_a_browser(copy.as_uri(), tmp_path)
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', page)[1]))
    assert len(seen) == len(ACTIONS)
    for shown, (_, *expected) in zip(seen, ACTIONS, strict=True):
        assert_equal_to_dnncore(shown, *expected)


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
