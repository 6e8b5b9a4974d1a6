"""Extreme but finite numbers: either an error, or a model that predicts, saves and loads."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from dnncore import DNNClassifier, DNNRegressor, Network, load
from dnncore.training import SGD, Adam, DivergenceWarning, Trainer

pytestmark = pytest.mark.filterwarnings(
    "ignore:max_iter", "ignore::dnncore.training.DivergenceWarning"
)

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(80, 3)), np.arange(80) % 3
NUMBERS = X @ [1.0, 2.0, -1.0]
OPTIONS = {"max_iter": 6, "random_state": 0}
HUGE = np.finfo(np.float64).max
OFFSET = np.array([0.0, HUGE / 2, 0.0])


def check(model, X, tmp_path):
    """The model is finite, and so are its predictions."""
    assert np.isfinite(getattr(model, "predict_proba", model.predict)(X)).all()
    assert isinstance(model.loss_, float)
    model.freeze()
    path = tmp_path / "model.safetensors"
    model.save(path, solver_state=True)
    np.testing.assert_array_equal(load(path).predict(X), model.predict(X))


# ----------------------------------------------------------------------------- features


def with_two_cells(value):
    rows = X.copy()
    rows[:2, 1] = value, -value
    return rows


@pytest.mark.parametrize("rows", [with_two_cells(HUGE), X * 1e155, X + OFFSET])
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_features_that_are_too_large_are_named(rows, make):
    y = LABELS if make is DNNClassifier else NUMBERS
    model = make(**OPTIONS)
    for method in (model.fit, lambda X, y: model.fit_blocks([(X, y)])):
        with pytest.raises(ValueError, match=r"X must have a variance .* got feature [01] "):
            method(rows, y)
    assert not hasattr(model, "network_")
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match=r"got feature [01] \('[ab]'\) with values from "):
        model.fit(pandas.DataFrame(rows, columns=["a", "b", "c"]), y)


@pytest.mark.parametrize("again", [1, 2])
def test_partial_fit_refuses_them_and_is_as_before(again):
    model = DNNClassifier(**OPTIONS)
    for _ in range(again):
        model.partial_fit(X, LABELS, classes=[0, 1, 2])
    before = model.network_.moments_.copy(), model.network_.parameters.copy()
    with pytest.raises(ValueError, match="X must have a variance"):
        model.partial_fit(with_two_cells(HUGE), LABELS)
    np.testing.assert_array_equal(model.network_.moments_.variance, before[0].variance)
    np.testing.assert_array_equal(model.network_.parameters, before[1])


def test_update_norm_refuses_them_and_is_as_before():
    network = Network((3, 2), seed=0)
    network.update_norm(X)
    scale = network.scale_.copy()
    with pytest.raises(ValueError, match="feature 1 with values"):
        network.update_norm(with_two_cells(HUGE))
    network.update_norm(X)
    np.testing.assert_allclose(network.scale_, scale, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e15, 1e25, 1e37, 1e150])
def test_sizes_of_features(size, norm, solver, dtype, tmp_path):
    if dtype == np.float32 and not 1e-38 < size < 1e38:
        pytest.skip("beyond float32")
    rows = (X * size).astype(dtype)
    for make, y in ((DNNClassifier, LABELS), (DNNRegressor, NUMBERS)):
        model = make(norm=norm, solver=solver, **OPTIONS)
        try:
            model.fit(rows, y)
        except ValueError as error:
            assert not norm and "feature" in str(error)
            continue
        check(model, rows, tmp_path)
        if norm:  # of each feature, however small
            assert (model.network_.scale_ != 1.0).all()


def test_large_values_without_norm_are_named():
    model = DNNRegressor(norm=False, activation="identity", hidden_layer_sizes=(3, 3), **OPTIONS)
    rows = (np.sign(X) * [2e38, 2e38, 3e38]).astype(np.float32)
    with pytest.raises(
        ValueError, match=r"smaller with norm=False, got numbers up to .* feature 2"
    ):
        model.fit(rows, NUMBERS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sparse", [False, True])
def test_large_values_in_blocks_without_norm_are_named(dtype, sparse):
    rows = (np.sign(X) * [0.6, 0.6, 0.9]).astype(dtype) * np.finfo(dtype).max
    ordinary = X.astype(dtype)
    if sparse:  # of one sign, as scikit-learn warns where the sum is NaN
        rows, ordinary = csr_array(np.abs(rows)), csr_array(ordinary)
    blocks = [(ordinary, NUMBERS), (rows, NUMBERS)]
    model = DNNRegressor(norm=False, activation="identity", hidden_layer_sizes=(3, 3), **OPTIONS)
    message = r"in the block at row 80 \(block 1\): X must be smaller with norm=False.* feature 2:"
    with pytest.raises(ValueError, match=message):
        model.fit_blocks(blocks)
    assert not hasattr(model, "network_")
    with pytest.raises(ValueError, match=r"smaller with norm=False.* feature 2:"):
        model.partial_fit(rows, NUMBERS)
    assert not hasattr(model, "network_")


def test_blocks_without_norm_are_read_once_more_only_if_they_are_large():
    class Counted:
        def __init__(self, size):
            self.n_read, self._rows = 0, X * size

        def __iter__(self):
            self.n_read += 1
            yield self._rows, NUMBERS

    options = OPTIONS | {"max_iter": 2}
    reads = {}
    for size in (1.0, 1e10):
        blocks = Counted(size)
        DNNRegressor(norm=False, learning_rate_init=1e-9, **options).fit_blocks(blocks)
        reads[size] = blocks.n_read
    assert reads == {1.0: 3, 1e10: 4}


def test_rows_that_a_model_cannot_predict():
    model = DNNRegressor(activation="identity", **OPTIONS).fit(X.astype(np.float32), NUMBERS)
    rows = X.astype(np.float32)
    rows[5] = 3e38
    model.network_.parameters[...] *= 100.0
    with pytest.raises(ValueError, match="X must give finite outputs, but row 5"):
        model.predict(rows)


# ------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("size", [1e-300, 1e-45, 5e15, 1e300, 1e308])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_sizes_of_weights(size, solver):
    expected = DNNClassifier(solver=solver, **OPTIONS).fit(X, LABELS, np.ones(80))
    model = DNNClassifier(solver=solver, alpha=1e-4 if size < 1 or size > 1e30 else 1e-4 * size)
    model.set_params(**OPTIONS).fit(X, LABELS, np.full(80, size))
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(model.network_.scale_, expected.network_.scale_, rtol=1e-9)
    np.testing.assert_allclose(model.class_prior_, expected.class_prior_)
    assert np.isfinite(model.validation_scores_ or [0.0]).all()


def test_weights_that_cannot_be_added():
    model = DNNClassifier(**OPTIONS)
    with pytest.raises(ValueError, match="must have a sum between 1e-300 and 1e"):
        model.partial_fit(X, LABELS, np.full(80, 1e308), classes=[0, 1, 2])
    model.partial_fit(X, LABELS, classes=[0, 1, 2])  # those that follow are checked less
    with pytest.raises(ValueError, match="must have a sum between 1e-300 and 1e"):
        model.partial_fit(X, LABELS, np.full(80, 1e308))


# ---------------------------------------------------------------------------- divergence


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("early_stopping", [True, False, "auto"])
@pytest.mark.parametrize("schedule", ["constant", "newbob"])
@pytest.mark.parametrize("rate", [1.0, 1e5, 1e30])
def test_a_regressor_that_diverges(rate, schedule, early_stopping, validated, tmp_path):
    model = DNNRegressor(
        activation="identity", solver="sgd", learning_rate_init=rate, learning_rate=schedule,
        early_stopping=early_stopping, random_state=0, max_iter=30,
    )  # fmt: skip
    options = {"X_val": X[:20], "y_val": NUMBERS[:20]} if validated else {}
    if validated or early_stopping is True:
        model.set_params(scoring=["r2", "neg_mean_squared_error"])
    if schedule == "constant":
        with pytest.warns(DivergenceWarning):
            model.fit(X, NUMBERS, **options)
    else:
        model.fit(X, NUMBERS, **options)
        assert rate > 1.0 or model.loss_ < 1e3
    model.set_params(scoring=None)
    check(model, X, tmp_path)
    assert np.isfinite(model.predict(X)).all()


def test_scorers_do_not_see_outputs_that_are_not_finite():
    rows = X.astype(np.float32)
    beyond = np.full((5, 3), 3e38, np.float32)
    model = DNNRegressor(
        activation="identity", hidden_layer_sizes=(200, 200), **OPTIONS,
        scoring=["r2", "neg_mean_absolute_error"],
    )  # fmt: skip
    rows = (rows * 1e-3).astype(np.float32)
    model.fit(rows, NUMBERS, X_val=beyond, y_val=NUMBERS[:5])
    assert set(model.validation_scores_) == {-np.inf}
    assert set(model.validation_losses_) == {np.inf}
    assert np.isnan(model.history_.metrics["r2"]).all()


def test_a_fit_that_diverges_at_once_has_no_loss():
    model = DNNRegressor(solver="sgd", learning_rate_init=1e300, activation="identity", **OPTIONS)
    with pytest.warns(DivergenceWarning, match="in epoch 1"):
        model.set_params(early_stopping=False).fit(X, NUMBERS)
    assert model.loss_curve_ == [] and np.isnan(model.loss_)


def test_the_state_of_adam_must_be_finite():
    network = Network((3, 1), seed=0, dtype=np.float32, output="identity")
    trainer = Trainer(network, Adam(), seed=0)
    y = (1e21 * NUMBERS).astype(np.float32)
    with pytest.warns(DivergenceWarning, match="in epoch 1"):
        assert trainer.fit(X.astype(np.float32), y) == "diverged"
    assert all(np.isfinite(x).all() for x in trainer.state_dict()["vectors"])


def test_large_parameters_that_are_good_are_no_divergence():
    network = Network((3, 1), seed=0, output="identity")
    network.parameters[...] = 0.0
    rows = X * 1e-9
    trainer = Trainer(
        network, SGD(5e17, momentum=0.0), alpha=0.0, seed=0, layer_factors=[(1.0, 0.0, 1.0)]
    )
    trainer.fit(rows, NUMBERS, max_iter=50)
    assert network.loss(rows, NUMBERS) < 1e-3
    assert np.abs(network.parameters).max() > 1e8


# --------------------------------------------------------------------------- other rows


class Rows:
    """Numbers that only have an ``__array__``."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self._array, dtype)


@pytest.mark.parametrize("early_stopping", [True, "auto", False])
def test_rows_that_only_become_an_array(early_stopping):
    options = {"early_stopping": early_stopping, "validation_fraction": 0.3} | OPTIONS
    for make, y in ((DNNClassifier, LABELS), (DNNRegressor, NUMBERS)):
        expected = make(**options).fit(X, y).predict(X)
        np.testing.assert_array_equal(make(**options).fit(Rows(X), Rows(y)).predict(X), expected)


def test_integers_that_are_no_floats():
    rows = X.astype(object)
    rows[3, 1] = 10**400
    for make in (DNNClassifier, DNNRegressor):
        with pytest.raises(ValueError, match="X must be numbers in the range of a float"):
            make(**OPTIONS).fit(rows.tolist(), LABELS)
        with pytest.raises(ValueError, match="X must be numbers in the range of a float"):
            make(**OPTIONS).fit(X, LABELS).predict(rows)
    with pytest.raises(ValueError, match="y must be numbers in the range of a float"):
        DNNRegressor(**OPTIONS).fit(X, [10**400, *NUMBERS[1:]])
    with pytest.raises(ValueError, match="priors must be numbers in the range of a float"):
        DNNClassifier(**OPTIONS).fit(X, LABELS).set_priors([10**400, 1, 1])


@pytest.mark.parametrize("offset", [0.0, 1e7, 1e9])
def test_large_targets_in_float32(offset):
    rows = X.astype(np.float32)
    options = {"max_iter": 100, "learning_rate_init": 0.01, "random_state": 0}
    model = DNNRegressor(**options).fit(rows, NUMBERS + offset)
    assert model.score(rows, NUMBERS + offset) > 0.95
    assert model.predict(rows).dtype == (np.float64 if offset else np.float32)


def test_targets_beyond_float32():
    rows = X.astype(np.float32)
    model = DNNRegressor(max_iter=100, learning_rate_init=0.01).fit(rows, NUMBERS * 1e60)
    assert model.score(rows, NUMBERS * 1e60) > 0.95
