"""Networks that grow with a stream."""

import numpy as np
import pytest

from dnncore._river.growing import GrowingNetwork
from dnncore.training import SGD, Adam, AdamW

SOLVERS = [SGD(0.01), SGD(0.01, momentum=0.0), Adam(0.01), AdamW(0.01)]


def growing(solver=None, **options):
    settings = dict(
        activation="tanh", output="softmax", solver=solver or Adam(0.01), norm=True,
        max_grad_norm=None, seed=0,
    )  # fmt: skip
    return GrowingNetwork((6,), **(settings | options))


def learnt(model, n=20, features="abc", n_outputs=2):
    rng = np.random.default_rng(1)
    for i in range(n):
        x = {name: rng.normal() for name in features}
        model.step(model.learn_row(x, n_outputs), i % n_outputs)
    return model


def test_room_for_features_doubles():
    model = growing()
    sizes = []
    for i in range(9):
        model.learn_row({j: 1.0 for j in range(i + 1)}, 2)
        sizes.append(model.trainer.network.layer_sizes[0])
    assert sizes == [1, 2, 4, 4, 8, 8, 8, 8, 16]


def test_a_row_without_features_can_be_learnt():
    model = growing()
    model.step(model.learn_row({}, 1), 0)
    assert model.outputs({}) == 1.0


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_weights_and_the_state_of_the_solver_are_kept(solver):
    model = learnt(growing(solver))
    old, trainer = model.trainer.network, model.trainer
    trainer.learning_rate = 0.005
    before = trainer.state_dict()
    model.learn_row({"a": 0.0, "d": 1.0}, 3)
    new, after = model.trainer.network, model.trainer.state_dict()
    assert new.layer_sizes == (6, 6, 3)
    assert (after["steps"], after["learning_rate"]) == (20, 0.005)
    states = zip(before["vectors"], after["vectors"], strict=True)
    vectors = [(old.parameters, new.parameters), *states]
    for i, (small, large) in enumerate(vectors):
        for W, larger in zip(old.views(small)[0], new.views(large)[0], strict=True):
            np.testing.assert_array_equal(larger[: W.shape[0], : W.shape[1]], W)
            new_weights = np.r_[larger[W.shape[0] :].ravel(), larger[:, W.shape[1] :].ravel()]
            assert (new_weights == 0.0).all() == (i > 0 or new_weights.size == 0)
        for b, larger in zip(old.views(small)[1], new.views(large)[1], strict=True):
            np.testing.assert_array_equal(larger[: b.size], b)


def test_outputs_do_not_change_when_features_appear():
    model = learnt(growing(norm=False))
    x = {"a": 0.3, "b": -1.0, "c": 2.0}
    before = model.outputs(x)
    model.learn_row(dict.fromkeys("defghij", 1.0), 2)
    assert model.trainer.network.layer_sizes[0] == 10
    np.testing.assert_allclose(model.outputs(x), before, rtol=1e-6)


def test_free_columns_learn_nothing():
    model = learnt(growing(SGD(0.1, momentum=0.0)), features="abcde")
    learnt(model, 1, "abcdef")
    free = model.trainer.network.coefs_[0][len(model.columns) :].copy()
    assert len(free) == 4 and free.any()
    learnt(model, 30, "abcdef")
    np.testing.assert_array_equal(model.trainer.network.coefs_[0][len(model.columns) :], free)


@pytest.mark.parametrize("norm", [True, False])
def test_the_order_of_features_does_not_matter(norm):
    one = learnt(growing(norm=norm), features="abc")
    other, rng = growing(norm=norm), np.random.default_rng(1)
    for i in range(20):
        x = {name: rng.normal() for name in "abc"}
        other.step(other.learn_row(dict(reversed(x.items())), 2), i % 2)
    np.testing.assert_array_equal(one.trainer.network.parameters, other.trainer.network.parameters)


def test_an_error_changes_nothing():
    model = learnt(growing())
    moments, parameters = model.moments.copy(), model.trainer.network.parameters.copy()
    for x in ({"a": 1.0, "new": "red"}, {"new": 1.0, "a": np.inf}):
        with pytest.raises((TypeError, ValueError)):
            model.learn_row(x, 3)
    with pytest.raises(ValueError, match="X must be finite in float32"):
        model.learn_rows(["a", "new"], np.array([[1.0, 1e39]]), 3)
    assert list(model.columns) == ["a", "b", "c"] and model.n_outputs == 2
    np.testing.assert_array_equal(model.moments, moments)
    np.testing.assert_array_equal(model.trainer.network.parameters, parameters)


def test_a_mini_batch_of_one_row_is_a_row():
    one, many = growing(), growing()
    rng = np.random.default_rng(0)
    for i in range(10):
        x = {name: rng.normal() for name in "abc"[: 1 + i % 3]}
        one.step(one.learn_row(x, 2), i % 2)
        X = np.array([list(x.values())])
        many.step(many.learn_rows(list(x), X, 2), np.array([i % 2]))
    np.testing.assert_array_equal(one.trainer.network.parameters, many.trainer.network.parameters)
    np.testing.assert_array_equal(one.moments, many.moments)
