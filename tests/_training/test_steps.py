"""Single steps of a trainer: the same as those of an epoch, and errors that change nothing."""

import itertools
import pickle
import warnings

import numpy as np
import pytest
from samples import random_classes

from dnncore import Network, PiecewiseLinear, kernels
from dnncore._core import csrc
from dnncore.training import LBFGS, SGD, Adam, AdamW, Trainer

SIZES = (7, 17, 9, 3)
OUTPUTS = ("softmax", "logistic", "identity", "exp", "sorted")
QUANTILES = (0.1, 0.5, 0.9)  # used by the output "sorted" only


def network(dtype=np.float32, output="softmax", *, norm=False, **options):
    made = Network(SIZES, dtype=dtype, seed=0, output=output, **options)
    if norm:
        made.set_norm(np.linspace(-1, 1, 7), np.linspace(0.5, 2, 7))
    return made


def rows(n, dtype=np.float32, output="softmax"):
    X, y = random_classes(SIZES, n, dtype)
    if output != "softmax":
        y = np.random.default_rng(3).random((n, 3)).astype(dtype)
    return X, y


def states(trainer):
    return [trainer.network.parameters, *trainer._state, trainer._steps]


def assert_equal_states(trainer, other):
    for a, b in zip(states(trainer), states(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("norm", [False, True])
def test_a_step_is_a_mini_batch_of_an_epoch(dtype, output, weighted, norm):
    X, y = rows(50, dtype, output)
    weight = np.random.default_rng(1).random(50).astype(dtype) if weighted else None
    options = {
        "batch_size": 10, "shuffle": False, "seed": 0, "dropout": 0.2, "quantiles": QUANTILES
    }  # fmt: skip
    epochs = Trainer(network(dtype, output, norm=norm), AdamW(0.01), **options)
    steps = Trainer(network(dtype, output, norm=norm), AdamW(0.01), **options)
    for _ in range(3):
        expected = epochs.run_epoch(X, y, weight)
        losses = [
            steps.step(X[i : i + 10], y[i : i + 10], None if weight is None else weight[i : i + 10])
            for i in range(0, 50, 10)
        ]
        np.testing.assert_allclose(np.mean(losses), expected, rtol=1e-14)
    assert_equal_states(steps, epochs)


@pytest.mark.parametrize("output", OUTPUTS)
def test_every_layout_gives_the_same_bits(output):
    X, y = rows(12, np.float32, output)
    weight = np.linspace(0, 1, 12, dtype=np.float32)
    fast, slow = (
        Trainer(network(norm=True, output=output), seed=0, quantiles=QUANTILES) for _ in range(2)
    )
    for _ in range(3):
        assert fast.step(X, y, weight) == slow.step(np.asfortranarray(X), y.copy("F"), list(weight))
        assert fast.learn_one(X[0], y[0]) == slow.step(X[:1][:, ::1], y[:1])
    assert_equal_states(fast, slow)


def test_sparse_rows_and_missing_values():
    from scipy.sparse import csr_array

    X, y = rows(12)
    X[X < 0.5] = 0.0
    dense, sparse = Trainer(network()), Trainer(network())
    assert dense.step(X, y) == sparse.step(csr_array(X), y)
    assert_equal_states(dense, sparse)
    X[:, 2] = np.nan
    a, b = (Trainer(Network((9, 4, 3), seed=0, dtype="f4", missing=[2, 3]), batch_size=12,
                    shuffle=False) for _ in range(2))  # fmt: skip
    for trainer in (a, b):
        trainer.network.set_norm(np.ones(7), np.full(7, 2.0))
    assert a.step(X, y) == pytest.approx(b.run_epoch(X, y), rel=1e-15)
    assert_equal_states(a, b)


@pytest.mark.parametrize("target", [1, np.int64(1), np.intp(1), np.array(1)])
def test_learn_one_takes_a_class_index_of_any_kind(target):
    X, _y = rows(1)
    a, b = Trainer(network()), Trainer(network())
    for _ in range(2):
        assert a.learn_one(X[0], target) == b.step(X, np.array([1]))
    assert_equal_states(a, b)


@pytest.mark.parametrize("target", [0.25, np.float32(0.25), np.array([0.25], "f4"), [0.25], 0])
def test_learn_one_takes_a_number_of_any_kind(target):
    X, _ = rows(1)
    a, b = (Trainer(Network((7, 4, 1), seed=0, dtype="f4", output="identity")) for _ in range(2))
    for _ in range(2):
        assert a.learn_one(X[0], target) == b.step(X, np.array([[np.float32(np.ravel(target)[0])]]))
    assert_equal_states(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", OUTPUTS[:-1])
@pytest.mark.parametrize("n", [1, 5, 33])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_passes_with_the_gradient_of_the_loss_are_a_step(dtype, output, n, alpha):
    X, y = rows(n, dtype, output)
    rate = 1e-5 if output == "exp" else 0.01  # some means are large
    options = {"alpha": alpha, "dropout": 0.3, "seed": 0, "quantiles": QUANTILES}
    a = Trainer(network(dtype, output, norm=True, activation="silu"), SGD(rate), **options)
    b = Trainer(network(dtype, output, norm=True, activation="silu"), SGD(rate), **options)
    L = np.eye(3, dtype=dtype)[y] if output == "softmax" else y
    for _ in range(3):
        a.step(X, y)
        d = b.forward(X) - L  # the gradient with respect to the logits, for each of the losses
        b.backward(dz=d / dtype(n))
        np.testing.assert_allclose(
            b.network.parameters, a.network.parameters, rtol=0, atol=50 * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("output", OUTPUTS)
def test_the_gradient_of_the_outputs_goes_through_the_output_function(output):
    X, _ = rows(5, np.float64, output)
    d = np.random.default_rng(2).normal(size=(5, 3))
    a, b = (Trainer(network(np.float64, output), SGD(0.1), quantiles=QUANTILES) for _ in range(2))
    z = a.network.decision_function(X)
    outputs = a.forward(X)
    a.backward(d)
    dz = {
        "softmax": lambda: kernels.softmax_backward(d, outputs),
        "logistic": lambda: kernels.sigmoid_backward(d, outputs),
        "identity": lambda: d,
        "exp": lambda: d * outputs,
        "sorted": lambda: kernels.sort_rows_backward(d, z),
    }[output]()
    b.forward(X)
    b.backward(dz=dz)
    assert_equal_states(a, b)


def test_quantiles_share_the_target_of_a_row():
    X, y = rows(5, np.float64, "sorted")
    a, b = (Trainer(network(np.float64, "sorted"), quantiles=QUANTILES) for _ in range(2))
    for x, target in zip(X, y[:, 0], strict=True):
        assert a.learn_one(x, float(target)) == b.step(x[None], np.full((1, 3), target))
    assert a.step(X, y[:, 0]) == b.step(X, np.repeat(y[:, :1], 3, axis=1))
    assert_equal_states(a, b)


def test_forward_gives_the_outputs_of_the_network():
    X, _ = rows(9)
    trainer = Trainer(network(norm=True))
    expected = trainer.network.predict_proba(X)
    np.testing.assert_array_equal(trainer.forward(X), expected)
    np.testing.assert_array_equal(trainer.forward(X[2]), expected[2])
    np.testing.assert_array_equal(trainer.forward(np.asfortranarray(X)), expected)
    for out, x in ((np.empty((9, 3), "f4"), X), (np.empty(3, "f4"), X[4])):
        assert trainer.forward(x, out) is out
        np.testing.assert_array_equal(out, trainer.network.predict_proba(X)[4] if x.ndim == 1
                                      else expected)  # fmt: skip


def test_one_row_of_a_policy():
    X, _ = rows(1)
    a, b = Trainer(network(), SGD(0.1)), Trainer(network(), SGD(0.1))
    d = np.array([0.5, -0.25, -0.25], np.float32)
    a.forward(X[0])
    a.backward(dz=d)
    b.forward(X)
    b.backward(dz=d[None])
    assert_equal_states(a, b)


# ------------------------------------------------------------------ limit of the gradient's norm


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_norm", [1e-3, 0.3, 1e3])
def test_the_norm_of_the_gradient_is_limited(dtype, max_norm):
    X, y = rows(20, dtype)
    trainer = Trainer(network(dtype), SGD(1.0, momentum=0.0), alpha=0.5, max_grad_norm=max_norm)
    before = trainer.network.parameters.copy()
    g = trainer.network.gradients(X, y, alpha=0.5).flat
    trainer.step(X, y)
    norm = np.linalg.norm(g.astype(np.float64))
    expected = before - g * min(1.0, max_norm / norm)
    np.testing.assert_allclose(
        trainer.network.parameters, expected, rtol=0, atol=20 * np.finfo(dtype).eps
    )


def test_a_limit_that_is_not_reached_changes_no_bit():
    X, y = rows(40)
    options = {"batch_size": 8, "seed": 0, "alpha": 0.1}
    for solver in (SGD(0.1), Adam(0.01), AdamW(0.01, weight_decay=0.1)):
        a = Trainer(network(), solver, **options)
        b = Trainer(network(), solver, max_grad_norm=1e6, **options)
        for _ in range(2):
            assert a.run_epoch(X, y) == b.run_epoch(X, y)
        assert_equal_states(a, b)


def embedded(dtype):
    X, y = random_classes((7, 3), 40, dtype)
    embedding = PiecewiseLinear.from_rows(X, 5, 8, 2)
    return Network((embedding.n_outputs, 33, 3), dtype=dtype, seed=0, embedding=embedding), X, y


def test_the_limit_has_the_same_bits_everywhere(select_isa):
    found = {}
    for name, n_threads in itertools.product(csrc.available(), (1, 2, 3)):
        select_isa(name)
        network, X, y = embedded(np.float32)
        trainer = Trainer(
            network, AdamW(0.01, weight_decay=0.1), alpha=0.1, batch_size=16, seed=0,
            n_threads=n_threads, engine="builtin", max_grad_norm=0.05,
            layer_factors=[(6.0, 1.0, 0.0), (0.5, 0.1, 2.0), (1.0, 1.0, 1.0)],
        )  # fmt: skip
        for _ in range(3):
            trainer.run_epoch(X, y)
        trainer.step(X, y)
        trainer.forward(X)
        trainer.backward(np.ones((40, 3), np.float32))
        found[name, n_threads] = network.parameters.tobytes()
    assert len(set(found.values())) == 1


def test_the_limit_counts_the_embedding():
    network, X, y = embedded(np.float64)
    trainer = Trainer(network, SGD(1.0, momentum=0.0), alpha=0.5, max_grad_norm=1e-3)
    before = network.parameters.copy()
    g = network.gradients(X, y, alpha=0.5).flat
    trainer.step(X, y)
    expected = before - g * (1e-3 / np.linalg.norm(g))
    np.testing.assert_allclose(network.parameters, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, "1"])
def test_a_limit_must_be_positive(wrong):
    with pytest.raises((TypeError, ValueError), match="max_grad_norm must"):
        Trainer(network(), max_grad_norm=wrong)
    with pytest.raises(ValueError, match="max_grad_norm None with LBFGS"):
        Trainer(network(), LBFGS(), max_grad_norm=1.0)


# ------------------------------------------------------------------------------- settings


def test_settings_apply_from_the_next_step_on():
    X, y = rows(10)
    a, b = Trainer(network(), SGD(0.1)), Trainer(network(), SGD(0.2))
    for trainer in (a, b):
        trainer.step(X, y)
    a.network.parameters[...] = b.network.parameters
    for own, other in zip(a._state, b._state, strict=True):
        own[...] = other
    a.learning_rate = 0.2
    assert a.step(X, y) == b.step(X, y)
    assert_equal_states(a, b)
    for trainer in (a, b):
        trainer.network.set_norm(np.ones(7), np.full(7, 3.0))
    a.configure(SGD(0.2), alpha=0.5)
    b.configure(SGD(0.2), alpha=0.5)
    assert a.step(X, y) == b.step(np.asfortranarray(X), y)
    copy = pickle.loads(pickle.dumps(a))
    assert copy.step(X[:3], y[:3]) == b.step(X[:3], y[:3])
    assert_equal_states(copy, b)
    b.load_state_dict(a.state_dict())
    b.network.parameters[...] = a.network.parameters
    assert a.step(X, y) == b.step(X, y)
    assert_equal_states(a, b)


@pytest.mark.parametrize("rate", [np.nan, np.inf, -0.1, None, "0.1", 10**400])
def test_a_learning_rate_must_be_a_number(rate):
    trainer = Trainer(network(), SGD(0.1))
    with pytest.raises((TypeError, ValueError), match="learning_rate must"):
        trainer.learning_rate = rate
    assert trainer.learning_rate == 0.1


@pytest.mark.parametrize(
    "wrong",
    [{"max_grad_norm": -1.0}, {"dropout": 1.0}, {"n_threads": 0}, {"huber_delta": 0.0},
     {"solver": "sgd"}, {"solver": LBFGS(), "max_grad_norm": 1.0}],
)  # fmt: skip
def test_refused_settings_change_nothing(wrong):
    trainer = Trainer(network(), SGD(0.1))

    def settings():
        kept = {k: v for k, v in vars(trainer).items() if not isinstance(v, (np.ndarray, list))}
        return kept | {"rate": trainer.learning_rate}

    before = settings()
    with pytest.raises((TypeError, ValueError), match="must"):
        trainer.configure(**{"solver": SGD(0.2), "alpha": 0.5, "batch_size": 3} | wrong)
    assert settings() == before


def test_a_target_beyond_the_range_of_the_dtype():
    X, _ = rows(1)
    trainer = Trainer(network(output="identity"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="y must be finite"):
            trainer.learn_one(X[0], np.full(3, 1e300))


def test_steppers_share_the_state_of_their_trainer():
    X, y = rows(10)
    a, b = Trainer(network(), Adam(0.1)), Trainer(network(), Adam(0.1))
    stepper = a.stepper(max_rows=10)
    assert (stepper.n_features, stepper.n_outputs, stepper.max_rows) == (7, 3, 10)
    assert a.step(X, y) == b.step(X, y)
    a.learning_rate = b.learning_rate = 0.01
    assert stepper.try_step(X, y, None) == b.step(X, y)
    assert_equal_states(a, b)
    assert stepper.try_step(np.concatenate([X, X]), np.concatenate([y, y]), None) is None


# ---------------------------------------------------------------------------------- errors

BAD_STEPS = {
    "another dtype": lambda X, y, w: (X.astype("f8"), y, w),
    "columns": lambda X, y, w: (X[:, :5].copy(), y, w),
    "no rows": lambda X, y, w: (X[:0], y[:0], None),
    "one dimension": lambda X, y, w: (X[0], y[:1], None),
    "NaN": lambda X, y, w: (np.where(X[2, 2] == X, np.nan, X).astype("f4"), y, w),
    "infinity": lambda X, y, w: (np.where(X[2, 2] == X, np.inf, X).astype("f4"), y, w),
    "length of y": lambda X, y, w: (X, y[:-1], w),
    "class": lambda X, y, w: (X, y + 3, w),
    "negative class": lambda X, y, w: (X, y - 3, w),
    "real classes": lambda X, y, w: (X, y.astype("f4"), w),
    "length of weights": lambda X, y, w: (X, y, w[:-1]),
    "negative weight": lambda X, y, w: (X, y, -w),
    "NaN weight": lambda X, y, w: (X, y, w * np.nan),
    "no weight": lambda X, y, w: (X, y, w * 0),
    "soft labels": lambda X, y, w: (X, np.full((10, 3), np.nan, "f4"), w),
    "text": lambda X, y, w: ("text", y, w),
    "nothing": lambda X, y, w: (X, None, w),
}


@pytest.mark.parametrize("fault", BAD_STEPS)
def test_a_step_has_the_errors_of_an_epoch_and_changes_nothing(fault):
    X, y = rows(10)
    trainer = Trainer(network())
    trainer.step(X, y)
    before = [np.copy(x) for x in states(trainer)]
    arguments = BAD_STEPS[fault](X, y, np.ones(10, np.float32))
    with pytest.raises((TypeError, ValueError)) as expected:
        trainer.run_epoch(*arguments)
    with pytest.raises(expected.type) as found:
        trainer.step(*arguments)
    assert str(found.value) == str(expected.value)
    for a, b in zip(states(trainer), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("output", "wrong"), [("logistic", 1.5), ("logistic", np.nan), ("identity", np.inf)]
)
def test_targets_out_of_range(output, wrong):
    X, y = rows(10, np.float32, output)
    trainer = Trainer(network(output=output))
    trainer.step(X, y)
    y[3, 1] = wrong
    for step in (trainer.step, trainer.run_epoch):
        with pytest.raises(ValueError, match="y must"):
            step(X, y)
    with pytest.raises(ValueError, match="y must"):
        trainer.learn_one(X[3], y[3])


def test_passes_refuse_what_does_not_fit():
    X, _ = rows(4)
    d = np.ones((4, 3), np.float32)
    trainer = Trainer(network())
    with pytest.raises(ValueError, match="backward needs a forward pass"):
        trainer.backward(d)
    trainer.forward(X)
    before = trainer.network.parameters.copy()
    with pytest.raises(TypeError, match="one of d_outputs and dz"):
        trainer.backward()
    with pytest.raises(TypeError, match="one of d_outputs and dz"):
        trainer.backward(d, dz=d)
    with pytest.raises(ValueError, match=r"d_outputs must have shape \(4, 3\)"):
        trainer.backward(d[:3])
    with pytest.raises(TypeError, match="dz must have dtype float32"):
        trainer.backward(dz=d.astype("f8"))
    with pytest.raises(ValueError, match="d_outputs must be finite"):
        trainer.backward(d * np.nan)
    np.testing.assert_array_equal(trainer.network.parameters, before)
    trainer.backward(d)
    with pytest.raises(ValueError, match="backward needs a forward pass"):
        trainer.backward(d)
    with pytest.raises(ValueError, match="X must have"):
        trainer.forward(X[:, :3].copy())
    with pytest.raises(ValueError, match="out must have shape"):
        trainer.forward(X, d[:2].copy())
    with pytest.raises(ValueError, match="at least 1 row"):
        trainer.forward(X[:0])
    with pytest.raises(ValueError, match="X must"):
        trainer.forward(X * np.inf)
    trainer.forward(X)
    trainer.network.set_norm(np.ones(7), np.ones(7))
    with pytest.raises(ValueError, match="backward needs a forward pass"):
        trainer.backward(d)


@pytest.mark.parametrize(
    "change",
    [
        lambda trainer, X, y: trainer.run_epoch(X, y),
        lambda trainer, X, y: trainer.fit(X, y, max_iter=1),
        lambda trainer, X, y: trainer.fit_blocks([(X, y)], max_iter=1),
        lambda trainer, X, y: trainer.restore(trainer.snapshot()),
    ],
    ids=["run_epoch", "fit", "fit_blocks", "restore"],
)
def test_a_forward_pass_before_other_steps_is_outdated(change):
    X, y = rows(4)
    trainer = Trainer(network())
    trainer.forward(X)
    change(trainer, X, y)
    before = trainer.network.parameters.copy()
    with pytest.raises(ValueError, match="backward needs a forward pass"):
        trainer.backward(np.ones((4, 3), np.float32))
    np.testing.assert_array_equal(trainer.network.parameters, before)


def test_lbfgs_makes_no_steps():
    X, y = rows(4)
    trainer = Trainer(network(), LBFGS())
    for call in (lambda: trainer.step(X, y), lambda: trainer.forward(X), trainer.stepper):
        with pytest.raises(TypeError, match="LBFGS trains in fit"):
            call()


def test_a_gradient_whose_squares_are_too_large_for_floats_is_limited():
    found = []
    for n_threads in (1, 3):
        trainer = Trainer(
            Network((5, 7, 1), output="identity", dtype="f4", seed=0), SGD(1.0, momentum=0.0),
            alpha=0.0, max_grad_norm=0.01, n_threads=n_threads,
        )  # fmt: skip
        before = trainer.network.parameters.copy()
        trainer.step(np.ones((2, 5), "f4"), np.full((2, 1), 1e25, "f4"))
        step = trainer.network.parameters - before
        assert np.linalg.norm(step) == pytest.approx(0.01, rel=1e-4)
        found.append(step.tobytes())
    assert len(set(found)) == 1


@pytest.mark.parametrize("y", [np.ones((1, 4), "f4"), np.ones((2, 2), "f4"), np.ones(3, "f4")])
def test_targets_of_another_shape_are_refused_by_every_step(y):
    trainer = Trainer(Network((5, 7, 1), output="identity", dtype="f4", seed=0))
    X = np.ones((4, 5), "f4")
    for _ in range(2):  # before and after there is a stepper
        with pytest.raises(ValueError, match="y must have shape"):
            trainer.step(X, y)
        trainer.step(X, np.ones(4, "f4"))


def test_an_integer_beyond_all_classes():
    X, y = rows(3)
    trainer = Trainer(network())
    errors = []
    for _ in range(2):
        with pytest.raises((TypeError, ValueError)) as error:
            trainer.learn_one(X[0], 10**30)
        errors.append((error.type, str(error.value)))
        trainer.step(X, y)
    assert errors[0] == errors[1]
