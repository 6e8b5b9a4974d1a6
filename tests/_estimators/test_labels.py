"""Labels: of any type, soft, several in a row; class weights and smoothing."""

import numpy as np
import pandas as pd
import pytest
from samples import learnable_classes, probabilities
from scipy.sparse import csr_matrix
from scipy.special import log_softmax
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.utils.class_weight import compute_sample_weight

from dnncore import DNNClassifier, Network
from dnncore._estimators.label_learning import _classes_and_counts
from dnncore.tabular import TabularClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("weights", [{0: 1.0, 1: 2.0, 2: 5.0}, "balanced"])
@pytest.mark.parametrize("sample_weight", [None, np.random.default_rng(0).random(103)])
def test_class_weights_are_sample_weights(weights, sample_weight):
    X, y = learnable_classes()
    of_class = compute_sample_weight(weights, y)
    product = of_class if sample_weight is None else of_class * sample_weight
    options = {"max_iter": 3, "random_state": 0}
    model = DNNClassifier(class_weight=weights, **options).fit(X, y, sample_weight)
    plain = DNNClassifier(**options).fit(X, y, product)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.class_prior_, plain.class_prior_)


def test_class_weights_go_by_label():
    X, y = learnable_classes()
    names = np.array(["a", "b", "c"])
    options = {"max_iter": 3, "random_state": 0}
    model = DNNClassifier(class_weight={"a": 1, "b": 2, "c": 5}, **options).fit(X, names[y])
    plain = DNNClassifier(class_weight={0: 1, 1: 2, 2: 5}, **options).fit(X, y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_class_weights_in_partial_fit():
    X, y = learnable_classes()
    options = {"norm": False, "random_state": 0}
    model = DNNClassifier(class_weight={0: 1, 1: 2, 2: 5}, **options)
    plain = DNNClassifier(**options)
    for _ in range(2):
        model.partial_fit(X, y, classes=[0, 1, 2])
        plain.partial_fit(X, y, compute_sample_weight({0: 1, 1: 2, 2: 5}, y), [0, 1, 2])
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_label_smoothing_is_training_on_smoothed_rows():
    X, y = learnable_classes()
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "batch_size": 32, "random_state": 0}
    model = DNNClassifier(label_smoothing=0.3, **options).fit(X, y, X_val=X, y_val=y)
    rows = 0.7 * np.eye(3)[y] + 0.3 / 3
    smoothed = DNNClassifier(**options).fit(X, rows)
    np.testing.assert_allclose(
        model.network_.parameters, smoothed.network_.parameters, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(model.loss_curve_, smoothed.loss_curve_, rtol=1e-12)
    # Validation is on the labels as they are.
    assert model.validation_losses_[-1] == pytest.approx(log_loss(y, model.predict_proba(X)))
    assert model.score(X, y) == model.validation_scores_[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_labels(dtype):
    X, _ = learnable_classes(dtype=dtype)
    rows = probabilities()
    start = Network((7, 5, 3), dtype=dtype, seed=0)
    model = DNNClassifier((5,), "logistic", norm=False, alpha=0.0, max_iter=3, random_state=0).fit(
        X, rows
    )
    cross_entropy = -(rows * log_softmax(start.decision_function(X), axis=1)).sum(axis=1).mean()
    assert model.loss_curve_[0] == pytest.approx(cross_entropy, rel=1e-5)
    assert model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_allclose(model.class_prior_, rows.mean(axis=0), rtol=1e-6)
    assert model.predict_proba(X).dtype == dtype
    assert np.array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    watched = DNNClassifier(
        (5,), early_stopping=True, scoring=None, max_iter=5, random_state=0
    ).fit(X, rows)
    assert watched.best_validation_score_ == max(watched.validation_scores_)
    parts = DNNClassifier((5,), "logistic", norm=False, alpha=0.0, random_state=0)
    for _ in range(3):
        parts.partial_fit(X, rows)
    assert np.array_equal(parts.network_.parameters, model.network_.parameters)


def test_soft_labels_may_be_certain():
    X, y = learnable_classes()
    certain = np.eye(3)[y]
    model = DNNClassifier((5,), max_iter=3, random_state=0)
    model.fit(X, probabilities(), X_val=X, y_val=certain)
    assert model.validation_scores_[-1] == accuracy_score(y, model.predict(X))
    model.partial_fit(X, certain)
    assert model.out_activation_ == "softmax"


def test_several_labels_of_a_row(several):
    X, Y = several
    model = DNNClassifier((16,), learning_rate_init=0.05, random_state=0).fit(X, Y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.out_activation_ == "logistic"
    predicted, p = model.predict(X), model.predict_proba(X)
    assert predicted.shape == p.shape == model.decision_function(X).shape == (120, 3)
    assert predicted.dtype.kind == "i"
    assert p.min() >= 0
    assert p.max() <= 1
    assert np.array_equal(predicted, p > 0.5)
    assert not np.allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)
    assert model.score(X, Y) == (predicted == Y).all(axis=1).mean() > 0.9
    np.testing.assert_allclose(model.freeze()(X), p, rtol=0, atol=1e-12)
    assert np.array_equal(model.freeze().predict(X), predicted)
    for method in (model.predict_scaled_log_likelihood, model.set_priors):
        with pytest.raises(ValueError, match="no class priors"):
            method(X if method == model.predict_scaled_log_likelihood else np.ones(3))


def test_two_labels_of_a_row_are_two_columns(several):
    X, Y = several
    model = DNNClassifier(max_iter=2).fit(X, Y[:, :2])
    assert model.decision_function(X).shape == (120, 2)


def test_several_labels_in_every_form(several):
    X, Y = several
    options = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "norm": False}
    model = DNNClassifier(**options).fit(X, Y)
    for form in (Y.astype(float), Y.astype(bool), Y.tolist(), csr_matrix(Y)):
        other = DNNClassifier(**options).fit(X, form)
        assert np.array_equal(other.network_.parameters, model.network_.parameters)
        watched = DNNClassifier(**options).fit(X, Y, X_val=X, y_val=form)
        assert watched.validation_scores_[-1] == model.score(X, Y)
        parts = DNNClassifier(**options)
        for _ in range(3):
            parts.partial_fit(X, form)
        assert np.array_equal(parts.network_.parameters, model.network_.parameters)


def test_several_labels_with_early_stopping(several):
    X, Y = several
    model = DNNClassifier(early_stopping=True, max_iter=5, random_state=0).fit(X, Y)
    assert model.t_ == 5 * 108
    model.fit(X, Y, X_val=X, y_val=Y)
    assert model.best_validation_score_ == model.score(X, Y)


def test_several_labels_smoothed(several):
    X, Y = several
    options = {"hidden_layer_sizes": (5,), "alpha": 0.0, "max_iter": 1, "random_state": 0}
    model = DNNClassifier(label_smoothing=0.2, norm=False, **options).fit(X, Y)
    start = Network((20, 5, 3), seed=0, activation="relu", output="logistic")
    assert model.loss_ == pytest.approx(start.loss(X, 0.8 * Y + 0.1), rel=1e-12)


def test_class_weight_needs_labels():
    X, _ = learnable_classes()
    with pytest.raises(ValueError, match="class_weight needs class labels, got soft labels"):
        DNNClassifier(class_weight={0: 1, 1: 1, 2: 2}).fit(X, probabilities())


# ------------------------------------------------------------------------------ types of labels

SPECIES = np.array(["setosa", "versicolor", "virginica"])


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: SPECIES[y],
        lambda y: SPECIES[y].tolist(),
        lambda y: SPECIES.astype(object)[y],
        lambda y: np.array([-5, 0, 7])[y],
        lambda y: np.array([10, 20, 30], np.uint8)[y],
        lambda y: np.array([1.0, 2.0, 3.0])[y],
        lambda y: y == 1,
        lambda y: pd.Series(SPECIES[y]),
        lambda y: pd.Series(SPECIES[y], dtype="category"),
        lambda y: pd.Series(y == 1),
    ],
    ids=[
        "strings",
        "list",
        "objects",
        "integers",
        "uint8",
        "floats",
        "bools",
        "series",
        "categories",
        "series of bools",
    ],
)
def test_labels_of_any_type(iris, convert):
    X, y = iris[0], convert(iris[1])
    options = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "random_state": 0}
    model = DNNClassifier(max_iter=40, **options).fit(X, y)
    classes, codes = np.unique(np.asarray(y), return_inverse=True)
    assert model.classes_.tolist() == classes.tolist()
    assert model.classes_.dtype == classes.dtype
    predicted = model.predict(X)
    assert predicted.dtype == classes.dtype
    assert model.score(X, y) == np.mean(predicted == np.asarray(y)) > 0.9
    plain = DNNClassifier(max_iter=40, **options).fit(X, codes)
    assert np.array_equal(plain.predict_proba(X), model.predict_proba(X))
    parts = DNNClassifier(norm=False, **options).partial_fit(X, y, classes=np.unique(y))
    once = DNNClassifier(norm=False, max_iter=1, **options).fit(X, y)
    assert np.array_equal(parts.network_.parameters, once.network_.parameters)


def test_a_column_of_labels():
    X, y = learnable_classes()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = DNNClassifier(max_iter=1).fit(X, y[:, None])
    assert model.predict(X).shape == (103,)


NULLABLE = {
    "Int64": "int64",
    "UInt8": "uint8",
    "boolean": "bool",
    "Float32": "float32",
    "int64[pyarrow]": "int64",
    "bool[pyarrow]": "bool",
}


@pytest.mark.parametrize("make", [DNNClassifier, TabularClassifier])
@pytest.mark.parametrize("dtype", NULLABLE)
def test_nullable_labels(make, dtype):
    X, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 2
    labels = pd.Series(y, dtype=dtype)
    for same in (labels, labels.array):
        model = make(max_iter=1).fit(X, same)
        assert model.classes_.dtype == NULLABLE[dtype]
        assert model.predict(X).dtype == NULLABLE[dtype]
    labels[4] = pd.NA
    with pytest.raises(ValueError, match="y must not have missing values, got <NA> in row 4"):
        make().fit(X, labels)


@pytest.mark.parametrize("dtype", NULLABLE)
def test_nullable_labels_in_every_call(dtype):
    X, y = np.arange(60.0).reshape(30, 2), pd.Series(np.arange(30) % 2, dtype=dtype)
    model = DNNClassifier(max_iter=1)
    assert model.fit(X, y, X_val=X, y_val=y).classes_.dtype == NULLABLE[dtype]
    assert model.fit_blocks([(X, y)], classes=y).classes_.dtype == NULLABLE[dtype]
    assert DNNClassifier().partial_fit(X, y, classes=y).classes_.dtype == NULLABLE[dtype]
    missing = y.copy()
    missing[4] = pd.NA
    with pytest.raises(ValueError, match="y_val must not have missing values, got <NA> in row 4"):
        model.fit(X, y, X_val=X, y_val=missing)


@pytest.mark.parametrize("make", [DNNClassifier, TabularClassifier])
@pytest.mark.parametrize("of", ["string", "category", object])
def test_missing_labels_of_other_types(make, of):
    labels = pd.Series(["a", "b", None] * 10, dtype=of)
    with pytest.raises(ValueError, match=r"y must not have missing values, got .* in row 2"):
        make().fit(np.arange(60.0).reshape(30, 2), labels)


@pytest.mark.parametrize("make", [DNNClassifier, TabularClassifier])
def test_dates_as_labels_are_not_saved(make, tmp_path):
    X, dates = np.arange(60.0).reshape(30, 2), (np.arange(30) % 2).astype("datetime64[D]")
    model = make(max_iter=1).fit(X, dates)
    assert set(model.predict(X)) <= set(dates)
    with pytest.raises(TypeError, match=r"classes must be .* to be saved, got datetime64\[D\]"):
        model.save(tmp_path / "dates.safetensors")


BYTE, LONG = np.iinfo(np.int8), np.iinfo(np.int64)


@pytest.mark.parametrize(
    "y",
    [
        np.array([-3, 4, 4, -3, 0, 4, -3, -3], np.int32),  # with gaps
        np.array([BYTE.min, BYTE.max] * 200, np.int8),  # further apart than int8 can say
        np.array([BYTE.max, BYTE.max - 2, BYTE.max], np.int8),
        np.array([LONG.min, LONG.min + 1, LONG.min], np.int64),
        np.array([LONG.max, LONG.max - 1, LONG.max], np.int64),
        np.array([LONG.min, LONG.max, LONG.max], np.int64),
        np.array([2, 1, 2, 2], ">i2"),
        np.array([5, 5], np.int64),
        np.array([0, 9, 9], np.int64),  # too few rows for their range
        np.array([3, 1, 3], np.uint8),
        np.array([True, False, True]),
        np.array(["b", "a", "b"]),
    ],
    ids=str,
)
def test_classes_are_found_and_counted_as_numpy_does(y):
    classes, counts = np.unique(y, return_counts=True)
    found = _classes_and_counts(y)
    np.testing.assert_array_equal(found[0], classes)
    np.testing.assert_array_equal(found[1], counts)
    assert found[0].dtype == classes.dtype
