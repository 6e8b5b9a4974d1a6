"""`dnncore explain`: back-propagation in numbers."""

import re

import numpy as np
import pytest
from pages import Page

from dnncore import Network
from dnncore.cli._slips import SLIPS, shown_slips
from dnncore.cli._worked_example import NORM_ROWS


def example(seed=0, sizes=(2, 3, 2), rows=3):
    """The network and the rows of the command."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(3.0, 2.0, (rows + NORM_ROWS, sizes[0])).round(1)
    X, y = seen[:rows], rng.permutation(np.arange(rows) % sizes[-1])
    network = Network(sizes, seed=seed)
    network.update_norm(seen)
    return network, X, y


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ([], {}),
        (["--seed", 3], {"seed": 3}),
        (["--sizes", 4, 2], {"sizes": (4, 2)}),
        (["--rows", 1], {"rows": 1}),
        (["--sizes", 3, 4, 2, 3, "--rows", 2], {"sizes": (3, 4, 2, 3), "rows": 2}),
    ],
)
def test_all_numbers_are_printed(options, arguments, dnncore_command):
    status, out, err = dnncore_command("explain", *options, "--learning-rate", 0.25)
    assert (status, err) == (0, "")
    network, X, y = example(**arguments)
    assert len(np.unique(y)) == min(len(y), network.layer_sizes[-1])
    assert np.abs(network.trace(X, y).a_0).min() > 0
    trace = network.trace(X, y)
    with np.printoptions(precision=4, suppress=True, threshold=200, linewidth=100):
        for quantity in trace:
            assert f"\n{quantity}\n" in out
        gradients = network.gradients(X, y)
        network.parameters -= 0.25 * gradients.flat
        for layer, W in enumerate(network.coefs_, 1):
            assert f"\nW_{layer} = W_{layer} - 0.25 * dW_{layer}    [shape {W.shape}]\n{W}\n" in out
    before, after = re.search(r"before the step: ([\d.]+), after it: ([\d.]+)", out).groups()
    assert float(before) == pytest.approx(trace.loss, abs=1e-6)
    assert float(after) == pytest.approx(network.loss(X, y), abs=1e-6)
    assert float(after) < float(before)
    assert "gradients agree with central differences." in out


def test_the_five_slips_are_shown(dnncore_command):
    _, out, _ = dnncore_command("explain", "--seed", 1)
    assert len(SLIPS) == 5
    for shown in shown_slips(1):
        # What the kernel computed is what was measured; the slip is not.
        np.testing.assert_allclose(shown.right, shown.measured, rtol=0, atol=1e-8)
        assert np.abs(shown.wrong - shown.measured).max() > 1e-3
        assert shown.slip.text in out
        assert shown.slip.formula in out
        assert shown.formula in out
        with np.printoptions(precision=4, suppress=True):
            assert f" {shown.wrong}\n" in out
            assert f" {shown.right}\n" in out


def test_one_page(dnncore_command, tmp_path):
    status, out, err = dnncore_command("explain", "--html", "page.html")
    assert (status, out, err) == (0, "", "")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))  # refers to nothing outside
    assert "One step of gradient descent" in page
    assert "gradients agree with central differences." in page
    assert all(slip.text in page for slip in SLIPS)
    assert page.tags.count("math") == 25 + 4
    assert "svg" in page.tags
    assert ["quantity", "values", "shape"] in page.rows  # without the columns that are empty


def test_other_activations(dnncore_command):
    _, out, _ = dnncore_command("explain", "--activation", "tanh")
    assert "dz_1 = da_1 * (1 - a_1) * (1 + a_1)    [layer 1, shape (3, 3), tanh_backward]" in out


def test_mistakes(fails):
    assert "--sizes must be at least 2 sizes, got 1" in fails("explain", "--sizes", 3)
    assert "--sizes must end with the number of classes" in fails("explain", "--sizes", 2, 1)
    assert "--html" in fails("explain", "--html", "nowhere/page.html")
    assert "must be an integer >= 1, got '0'" in fails("explain", "--sizes", 2, 0)
