"""The fitted attributes that tell how training ended."""

import pickle
import warnings

import numpy as np
import pytest
from perceptrons import each_estimator

from dnncore import load
from dnncore.tabular import TabularClassifier, TabularRegressor

X = np.random.default_rng(0).normal(size=(60, 4))
y = (X[:, 0] > 0).astype(int)


def interrupt(*_):
    raise KeyboardInterrupt


ENDS = {
    "converged": {"tol": np.inf, "n_iter_no_change": 1},
    "max_iter": {"max_iter": 2},
    "max_fun": {"solver": "lbfgs", "max_fun": 1},
    "max_time": {"max_time": 1e-9},
    "stopped": {"callback": lambda info: True},
    "diverged": {"solver": "sgd", "learning_rate_init": 1e300},
    "interrupted": {"callback": interrupt},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("end", ENDS)
@each_estimator
def test_how_fit_ended(make, end):
    model = make(random_state=0, **ENDS[end]).fit(X, y)
    assert model.stop_reason_ == end
    if end == "max_fun":
        return
    del model.stop_reason_
    model.set_params(early_stopping=False).fit_blocks([(X[:40], y[:40]), (X[40:], y[40:])])
    assert model.stop_reason_ == end


@pytest.mark.filterwarnings("ignore:max_iter")
@each_estimator
def test_where_the_end_is_kept(make, tmp_path):
    model = make(max_iter=2, random_state=0).fit(X, y)
    assert pickle.loads(pickle.dumps(model)).stop_reason_ == "max_iter"
    model.save(tmp_path / "model.safetensors", solver_state=True)
    loaded = load(tmp_path / "model.safetensors")
    assert not hasattr(loaded, "stop_reason_")
    assert loaded.set_params(warm_start=True).fit(X, y).stop_reason_ == "max_iter"
    model.partial_fit(X, y)
    assert not hasattr(model, "stop_reason_")


@each_estimator
def test_there_is_none_while_training_goes_on(make):
    told = []
    model = make(max_iter=2, random_state=0)
    model.set_params(callback=lambda info: told.append(hasattr(model, "stop_reason_")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y).fit(X, y)
    assert told == [False] * 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [TabularClassifier, TabularRegressor])
@pytest.mark.parametrize(
    ("end", "options"),
    [
        ("converged", {}),
        ("max_time", {"max_iter": 10**5, "max_time": 0.05}),
        ("stopped", {"callback": lambda member, info: True}),
    ],
)
def test_how_an_ensemble_ended(make, end, options):
    model = make(**{"n_members": 2, "max_iter": 1, "random_state": 0} | options).fit(X, y)
    assert model.stop_reason_ == end
