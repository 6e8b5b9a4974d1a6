"""Network.trace: every quantity of a pass, by the names of the derivation."""

import copy
import pickle
import re

import numpy as np
import pytest
from scipy.sparse import csr_array
from tracednetworks import ACTIVATIONS, KINDS, LOSSES, traced_network

from dnncore import Network, kernels
from dnncore._network import back_propagation, losses
from dnncore._network.formulas import evaluate

WEIGHTS = np.array([1.0, 2.0, 0.5, 0.0, 1.0, 3.0])


def values(trace):
    return {quantity.name: quantity.value for quantity in trace}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_formula_gives_the_value(kind, loss, activation):
    network, rows, options = traced_network(kind, loss, activation)
    trace = network.trace(*rows, sample_weight=WEIGHTS, alpha=0.3, **options)
    quantities = values(trace)
    n_computed = 0
    for quantity in trace:
        if quantity.formula == quantity.name:
            continue
        n_computed += 1
        name, _, _ = quantity.formula.partition(" = ")
        assert name == quantity.name
        found = evaluate(quantity.formula, quantities)
        assert np.shape(found) == quantity.shape, quantity.formula
        scale = np.nan_to_num(np.abs(found)).max(initial=1e-3)
        np.testing.assert_allclose(
            quantity.value, found, rtol=0, atol=1e-13 * scale, err_msg=quantity.formula
        )
    assert n_computed >= 15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(4, 3), (4, 5, 3), (4, 7, 6, 5, 3)])
def test_it_is_forward_and_gradients(kind, sizes, dtype):
    network, (X, y), options = traced_network(kind, sizes=sizes, dtype=dtype)
    options |= {"sample_weight": WEIGHTS, "alpha": 0.3}
    trace = network.trace(X, y, **options)
    forward, gradients = network.forward(X), network.gradients(X, y, **options)
    n = len(network.coefs_)
    expected = {"x": X, "p": forward.p, "loss": gradients.loss, "dx": gradients.dx}
    for layer in range(1, n + 1):
        expected |= {
            f"a_{layer - 1}": forward.a[layer - 1],
            f"z_{layer}": forward.z[layer - 1],
            f"W_{layer}": network.coefs_[layer - 1],
            f"b_{layer}": network.intercepts_[layer - 1],
            f"dz_{layer}": gradients.deltas[layer - 1],
            f"da_{layer - 1}": gradients.da[layer - 1],
            f"dW_{layer}": gradients.coefs[layer - 1],
            f"db_{layer}": gradients.intercepts[layer - 1],
        }
    if kind == "embedding":
        expected |= dict(zip(("s", "V", "c"), network.embedding_, strict=True))
        expected |= dict(zip(("ds", "dV", "dc"), gradients.embedding, strict=True))
    for name, value in expected.items():
        np.testing.assert_array_equal(getattr(trace, name), value, err_msg=name)
        assert trace[name].shape == np.shape(value)
        assert np.asarray(getattr(trace, name)).dtype == (dtype if np.ndim(value) else float)
    assert trace["x"].layer == trace["a_0"].layer == trace["dx"].layer == 0
    assert trace["loss"].layer is None
    assert trace["p"].layer == trace[f"dz_{n}"].layer == n


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "quantile"])
def test_dp_leads_to_the_same_gradients(loss):
    network, (X, y), options = traced_network(loss=loss)
    trace = network.trace(X, y, sample_weight=WEIGHTS, **options)
    found = network.backward(network.forward(X), d_outputs=trace.dp)
    expected = network.gradients(X, y, sample_weight=WEIGHTS, **options)
    np.testing.assert_allclose(found.flat, expected.flat, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", LOSSES)
def test_everything_is_finite_where_outputs_saturate(loss, dtype):
    network, (X, y), options = traced_network(loss=loss, dtype=dtype)
    network.coefs_[-1][...] *= 1e5
    trace = network.trace(X, y, **options)
    if loss != "poisson":  # where the derivative itself is larger than any number
        assert all(np.isfinite(quantity.value).all() for quantity in trace)
    if loss in ("cross_entropy", "binary_cross_entropy"):
        assert (trace.p == 0).any()
    if loss != "quantile":
        assert np.isfinite(trace.dp).all()


def test_the_quantile_loss_has_no_dp():
    network, rows, options = traced_network(loss="quantile")
    trace = network.trace(*rows, **options)
    assert "dp" not in trace.names
    assert trace.q.tolist() == options["quantiles"]
    with pytest.raises(AttributeError, match=r"a trace has x, mean, .*, got 'dp'"):
        _ = trace.dp


def recorded(monkeypatch):
    """Every array that a kernel returns from now on, by the name of the kernel."""
    results = {}

    def recording(kernel):
        def call(*arguments, **options):
            result = kernel(*arguments, **options)
            arrays = result if isinstance(result, tuple) else (result,)
            results.setdefault(kernel.__name__, []).extend(np.array(a) for a in arrays)
            return result

        call.__name__ = kernel.__name__
        return call

    for name in ("affine", "affine_backward", "norm_backward", "cross_entropy_backward",
                 "piecewise_linear", "piecewise_linear_backward"):  # fmt: skip
        monkeypatch.setattr(kernels, name, recording(getattr(kernels, name)))
    for table in (back_propagation.FUNCTIONS, back_propagation.BACKWARD, losses.KERNELS):
        for name, kernel in list(table.items()):
            monkeypatch.setitem(table, name, recording(kernel))
    return results


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ["norm", "embedding"])
def test_the_kernel_is_the_one_that_computed_it(kind, loss, activation, monkeypatch):
    network, rows, options = traced_network(kind, loss, activation)
    results = recorded(monkeypatch)
    trace = network.trace(*rows, **options)
    named = [quantity for quantity in trace if quantity.kernel]
    assert all(callable(getattr(kernels, quantity.kernel)) for quantity in named)
    assert len(named) >= 11
    for quantity in named:
        if quantity.kernel != "norm":  # that one is called in C
            made = results[quantity.kernel]
            assert any(np.array_equal(array, quantity.value) for array in made), quantity.name
    if kind == "norm":
        expected = kernels.norm(rows[0], network.mean_, network.scale_)
        np.testing.assert_array_equal(trace.a_0, expected)


def test_a_trace_stays_as_it_is():
    network, (X, y), _ = traced_network("plain")
    trace = network.trace(X, y)
    before = copy.deepcopy(values(trace))
    network.parameters += 1
    X += 1
    for name, value in values(trace).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_soft_labels_weights_and_sparse_rows():
    network, (X, y), _ = traced_network("plain")
    soft = np.random.default_rng(0).dirichlet(np.ones(3), len(X))
    np.testing.assert_array_equal(network.trace(X, soft).L, soft)
    trace = network.trace(csr_array(X), y, sample_weight=WEIGHTS)
    np.testing.assert_array_equal(trace.L, np.eye(3)[y])
    np.testing.assert_array_equal(trace.x, X)
    np.testing.assert_allclose(trace.w[:, 0], WEIGHTS / WEIGHTS.sum(), rtol=1e-15)
    np.testing.assert_allclose(network.trace(X, y).w, np.full((6, 1), 1 / 6), rtol=1e-15)


def test_it_is_walked_in_the_order_of_the_derivation():
    network, rows, _ = traced_network()
    trace = network.trace(*rows)
    assert [step.name for step in trace] == trace.names
    assert " ".join(trace.names) == (
        "x mean scale a_0 W_1 b_1 z_1 a_1 W_2 b_2 z_2 p L w loss "
        "dp dz_2 da_1 dW_2 db_2 dz_1 da_0 dW_1 db_1 dx"
    )
    assert len(trace) == 25
    assert trace.gradients == trace.names[15:]
    known = set()
    for step in trace:  # a formula uses what is already there
        names = {name for name in trace.names if name in words(step.formula)}
        assert names - {step.name} <= known, step.formula
        known.add(step.name)


def words(formula):
    return re.findall(r"\w+", formula.partition(" = ")[2])


def test_it_is_printed_as_a_table():
    network, rows, _ = traced_network()
    trace = network.trace(*rows, alpha=0.1)
    header, *lines = str(trace).splitlines()
    assert header.split() == ["name", "layer", "shape", "values", "kernel", "formula"]
    assert [line.split()[0] for line in lines] == trace.names
    by_name = dict(zip(trace.names, lines, strict=True))
    assert by_name["dz_1"].endswith("sigmoid_backward        dz_1 = da_1 * a_1 * (1 - a_1)")
    assert f"{trace.dz_1.min():.4g} to {trace.dz_1.max():.4g}" in by_name["dz_1"]
    assert by_name["loss"].endswith("loss = -sum(w * L * log(p)) + penalty")
    assert str(trace["dz_1"]) == (
        f"dz_1 = da_1 * a_1 * (1 - a_1)    [layer 1, shape (6, 5), sigmoid_backward]\n{trace.dz_1}"
    )
    assert repr(network.trace(*(array[:1] for array in rows))).startswith("<Trace of 1 row, ")
    assert repr(trace).startswith(f"<Trace of 6 rows, loss {trace.loss:.6g}: x, mean,")


def test_names_that_a_trace_does_not_have():
    network, rows, _ = traced_network()
    trace = network.trace(*rows)
    with pytest.raises(KeyError, match=r"a trace has x, .*, dx, got 'z_3'"):
        _ = trace["z_3"]
    assert not hasattr(trace, "z_0")
    assert "z_1" in trace and "z_3" not in trace
    assert {"dz_1", "names"} <= set(dir(trace))
    again = pickle.loads(pickle.dumps(trace))
    np.testing.assert_array_equal(again.dx, trace.dx)


def test_no_rows():
    network = Network((2, 3, 2), seed=0)
    trace = network.trace(np.empty((0, 2)), np.empty(0, int))
    assert trace.loss == 0
    assert not trace.dW_1.any()
    assert trace.dx.shape == (0, 2)
    assert "dx" in str(trace)
    assert "empty" in trace._repr_html_()


def test_arguments_are_checked():
    network, (X, y), _ = traced_network()
    with pytest.raises(ValueError, match="alpha must"):
        network.trace(X, y, alpha=-1)
    with pytest.raises(ValueError, match="loss must be one of"):
        network.trace(X, y, loss="huber")
    with pytest.raises(ValueError, match="y must"):
        network.trace(X, y[:3])
