"""Targets of a regression: their units, their number."""

import numpy as np
import pandas as pd
import pytest
from samples import learnable_numbers
from sklearn.metrics import r2_score

from dnncore import DNNRegressor
from dnncore.tabular import TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_predictions_are_in_the_units_of_the_targets(diabetes):
    X, y = diabetes
    options = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    model = DNNRegressor(**options).fit(X, y)
    assert model.target_mean_ == pytest.approx([y.mean()])
    assert model.target_scale_ == pytest.approx([y.std()])
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))
    moved = DNNRegressor(**options).fit(X, 1000 * y - 5e4)
    np.testing.assert_allclose(
        moved.predict(X), 1000 * model.predict(X) - 5e4, rtol=0, atol=1e-7 * 1000 * y.std()
    )
    np.testing.assert_allclose(moved.loss_curve_, model.loss_curve_, rtol=1e-7)
    assert model.loss_curve_[0] < 2.0  # in standard deviations
    plain = DNNRegressor(norm_target=False, **options).fit(X, y)
    assert plain.target_mean_.tolist() == [0.0]
    assert plain.target_scale_.tolist() == [1.0]
    assert plain.loss_curve_[0] > 1000.0


def test_a_constant_target():
    X = learnable_numbers()[0]
    y = np.c_[np.full(len(X), 0.1), X[:, 0]]
    model = DNNRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=500).fit(X, y)
    assert model.target_scale_[0] == 1.0
    np.testing.assert_allclose(model.predict(X)[:, 0], 0.1, atol=1e-2)


def test_each_output_has_units_of_its_own():
    X, y = learnable_numbers(n_outputs=2)
    options = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    scale, shift = np.array([1.0, 1e6]), np.array([3.0, -1e6])
    model = DNNRegressor(**options).fit(X, y)
    moved = DNNRegressor(**options).fit(X, y * scale + shift)
    np.testing.assert_allclose(
        (moved.predict(X) - shift) / scale, model.predict(X), rtol=0, atol=1e-8
    )
    assert model.n_outputs_ == 2
    assert model.out_activation_ == "identity"
    assert model.predict(X).shape == (103, 2)
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))


def test_a_column_is_one_output():
    X, y = learnable_numbers()
    column = DNNRegressor(max_iter=2, random_state=0).fit(X, y[:, None])
    assert column.predict(X).shape == (103,)
    assert np.array_equal(
        column.predict(X), DNNRegressor(max_iter=2, random_state=0).fit(X, y).predict(X)
    )


def test_partial_fit_keeps_the_units_of_the_first_call():
    X, y = learnable_numbers()
    model = DNNRegressor(random_state=0).partial_fit(X, y)
    units = model.target_mean_.copy(), model.target_scale_.copy()
    model.partial_fit(X, 10 * y + 3)
    assert np.array_equal(model.target_mean_, units[0])
    assert np.array_equal(model.target_scale_, units[1])


def test_other_targets_on_resume_are_refused():
    X, y = learnable_numbers()
    model = DNNRegressor(max_iter=2, random_state=0, warm_start=True).fit(X, y)
    before = model.predict(X)
    for resume in (model.partial_fit, model.fit):
        with pytest.raises(ValueError, match="y must have 1 outputs as before"):
            resume(X, np.c_[y, y])
    with pytest.raises(ValueError, match="y_val must have 1 outputs"):
        model.fit(X, y, X_val=X, y_val=np.c_[y, y])
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize("make", [DNNRegressor, TabularRegressor])
@pytest.mark.parametrize(
    "times",
    [
        np.arange(30).astype("datetime64[D]"),
        np.arange(30).astype("timedelta64[s]"),
        pd.Series(pd.date_range("2020-01-01", periods=30)),
        pd.Series(pd.date_range("2020-01-01", periods=30, tz="UTC")),
        pd.DataFrame({"a": pd.to_timedelta(np.arange(30), unit="h")}),
    ],
)
def test_times_are_no_numbers(make, times):
    X = np.arange(60.0).reshape(30, 2)
    with pytest.raises(TypeError, match="y must be numbers"):
        make().fit(X, times)


@pytest.mark.parametrize("make", [DNNRegressor, TabularRegressor])
@pytest.mark.parametrize("dtype", ["Int64", "Float32", "boolean", "int64[pyarrow]"])
def test_nullable_targets(make, dtype):
    X = np.arange(60.0).reshape(30, 2)
    y = pd.Series(np.arange(30) % 2, dtype=dtype)
    options = {"max_iter": 2, "random_state": 0}
    found, expected = (make(**options).fit(X, of) for of in (y, np.arange(30.0) % 2))
    assert np.array_equal(found.predict(X), expected.predict(X))
    two = make(**options).fit(X, pd.DataFrame({"a": y, "b": y}))
    assert two.predict(X).shape == (30, 2)
    y[7] = pd.NA
    for missing in (y, pd.DataFrame({"a": y})):
        with pytest.raises(ValueError, match="y must not have missing values, got <NA> in row 7"):
            make().fit(X, missing)


def test_targets_too_large_for_a_variance():
    X = learnable_numbers()[0]
    y = np.linspace(0.0, 1e300, len(X))
    with pytest.raises(ValueError, match="y must have a variance within the range of float64"):
        DNNRegressor(max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="y must have a variance within the range of float64"):
        DNNRegressor(max_iter=2).fit_blocks([(X, y)])
