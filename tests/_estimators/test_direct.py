"""Plain arrays take the direct way; they give the same bits, and the same errors, as any others."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from dnncore import DNNClassifier, DNNRegressor, load
from dnncore._estimators.direct import DirectTraining
from dnncore._estimators.rows import RowChecker
from dnncore.training import DivergenceWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype(np.float32)
X[:, 3] = RNG.random(300) < 0.1
NUMBERS = X[:, 0] + 10.0
LABELS = {
    "integers": np.arange(300) % 3,
    "gaps": np.arange(300, dtype=np.int16) % 3 * 5 - 7,
    "unsigned": (np.arange(300) % 3).astype(np.uint8),
    "words": np.array(["no", "perhaps", "yes"])[np.arange(300) % 3],
    "Booleans": np.arange(300) % 2 == 0,
}
WEIGHT = RNG.random(300)
SIZES = (1, 2, 17, 120, 160)


@pytest.fixture
def direct_calls(monkeypatch):
    """Whether each call of partial_fit took the direct way."""
    taken = []
    learn = DirectTraining.learn

    def spy(*arguments):
        taken.append(learn(*arguments))
        return taken[-1]

    monkeypatch.setattr(DirectTraining, "learn", spy)
    return taken


def parts(*arrays):
    ends = np.cumsum(SIZES)
    for size, end in zip(SIZES, ends, strict=True):
        yield tuple(None if x is None else x[end - size : end].copy() for x in arrays)


def state(model):
    """Return everything that training has changed."""
    network, history = model.network_, model.history_
    moments = network.moments_
    trainer = model._trainer.state_dict()
    learnt = [getattr(model, name, None) for name in ("class_prior_", "_class_totals")]
    norm = (network.mean_, network.scale_)
    if moments is not None:
        norm += (moments.count, moments.mean, moments.variance, moments.low, moments.high)
    arrays = (network.parameters, *norm, *trainer["vectors"], *learnt)
    numbers = (vars(history), trainer["steps"], trainer["learning_rate"], trainer["random"])
    return [None if a is None else np.asarray(a).tobytes() for a in arrays], repr(numbers)


def train(model, y, weight, convert=lambda x: x):
    classes = {} if isinstance(model, DNNRegressor) else {"classes": np.unique(y)}
    for rows, targets, weights in parts(X, y, weight):
        given = None if weights is None else convert(weights)
        model.partial_fit(convert(rows), convert(targets), given, **classes)
        classes = {}
    return model


def as_other(x):
    """Return an array with the same values that is not plain."""
    if x.ndim == 1:
        return pd.Series(x)
    return np.asfortranarray(x) if len(x) > 1 else x


CLASSIFIERS = [
    {},
    {"solver": "sgd", "learning_rate": "invscaling", "batch_size": 16},
    {"norm": False, "shuffle": False, "label_smoothing": 0.1},
    {"learning_rate": "newbob", "dropout": 0.3, "max_grad_norm": 0.5},
    {"missing_values": "mean", "max_time": 1000.0, "callback": bool},
]


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weights"])
@pytest.mark.parametrize("parameters", CLASSIFIERS, ids=str)
def test_the_same_bits_of_a_classifier(direct_calls, parameters, weight):
    models = [DNNClassifier((5,), random_state=0, **parameters) for _ in range(2)]
    train(models[0], LABELS["integers"], weight)
    assert direct_calls == [True] * (len(SIZES) - 1)
    train(models[1], LABELS["integers"], weight, as_other)
    assert not any(direct_calls[len(SIZES) - 1 :])
    assert state(models[0]) == state(models[1])


@pytest.mark.parametrize("kind", LABELS)
def test_the_same_bits_of_labels(direct_calls, kind):
    models = [DNNClassifier((5,), random_state=0) for _ in range(2)]
    train(models[0], LABELS[kind], None)
    assert direct_calls == [True] * (len(SIZES) - 1)
    train(models[1], LABELS[kind], None, as_other)
    assert state(models[0]) == state(models[1])
    np.testing.assert_array_equal(models[0].classes_, np.unique(LABELS[kind]))


@pytest.mark.parametrize("y", [NUMBERS, NUMBERS.astype(np.float64), X[:, :2].copy()])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weights"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson", "quantile"])
def test_the_same_bits_of_a_regressor(direct_calls, y, weight, loss):
    if y.ndim == 2 and loss in ("poisson", "quantile"):
        y = NUMBERS  # which are positive, and a single target
    models = [DNNRegressor(loss, (5,), random_state=0) for _ in range(2)]
    train(models[0], y, weight)
    assert direct_calls == [True] * (len(SIZES) - 1)
    train(models[1], y, weight, as_other)
    assert state(models[0]) == state(models[1])


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("early_stopping", [False, "auto", True])
def test_fit_gives_the_same_bits(kind, early_stopping):
    options = {"max_iter": 2, "random_state": 0, "early_stopping": early_stopping}
    one = DNNClassifier((5,), **options).fit(X, LABELS[kind])
    other = DNNClassifier((5,), **options).fit(as_other(X), LABELS[kind].tolist())
    np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)
    np.testing.assert_array_equal(one.class_prior_, other.class_prior_)
    assert vars(one.history_) == vars(other.history_)


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_scores_of_plain_rows_are_those_of_others(make):
    y = LABELS["words"] if make is DNNClassifier else NUMBERS
    model = make(hidden_layer_sizes=(5,), max_iter=2, random_state=0).fit(X, y)
    methods = ("predict", "predict_proba") if make is DNNClassifier else ("predict",)
    for method in (getattr(model, name) for name in methods):
        expected = method(X.astype(np.float64))
        for n in (300, 1, 2, 31, 260, 300, 7):
            np.testing.assert_array_equal(method(X[:n].copy()), method(as_other(X[:n])))
            np.testing.assert_array_equal(method(X[:n].copy()), expected[:n])


# ------------------------------------------------------------------------------------- errors


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


LABEL = LABELS["integers"]
BAD_ROWS = {
    "columns": X[:, :3].copy(),
    "NaN": changed(X, (3, 1), np.nan),
    "infinite": changed(X, (3, 1), -np.inf),
    "one row": X[0].copy(),
    "three dimensions": X[:, :, None].copy(),
    "no rows": X[:0].copy(),
    "fewer rows": X[:299].copy(),
    "complex": X.astype(complex),
    "words": np.full(X.shape, "no"),
    "number": np.float32(1.0),
}
BAD_LABELS = {
    "unknown": changed(LABEL, 5, 3),
    "below": changed(LABEL, 5, -1),
    "very low": changed(LABEL, 5, np.iinfo(np.int64).min),
    "fewer": LABEL[:299].copy(),
    "none": LABEL[:0].copy(),
    "words": LABELS["words"],
    "numbers": NUMBERS,
    "NaN": changed(LABEL.astype(float), 5, np.nan),
    "several": np.eye(3, dtype=int)[LABEL],
    "soft": np.eye(3)[LABEL] / 2 + 1 / 6,
    "three dimensions": LABEL[:, None, None].copy(),
    "complex": LABEL.astype(complex),
    "bytes": LABELS["words"].astype("S"),
}
BAD_NUMBERS = {
    "NaN": changed(NUMBERS, 5, np.nan),
    "infinite": changed(NUMBERS, 5, np.inf),
    "fewer": NUMBERS[:299].copy(),
    "none": NUMBERS[:0].copy(),
    "two outputs": X[:, :2].copy(),
    "three dimensions": NUMBERS[:, None, None].copy(),
    "words": LABELS["words"],
    "times": LABEL.astype("M8[s]"),
    "beyond float32": changed(NUMBERS.astype(np.float64), 5, 1e300),
}
BAD_WEIGHTS = {
    "negative": changed(WEIGHT, 5, -1.0),
    "NaN": changed(WEIGHT, 5, np.nan),
    "zero": np.zeros(300),
    "fewer": WEIGHT[:299].copy(),
    "two dimensions": WEIGHT[:, None].copy(),
    "words": LABELS["words"],
}


def error_of(call, *arguments):
    """Return type and text of the error of a call, or None."""
    try:
        with np.errstate(over="ignore"):
            call(*arguments)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    return None


def fitted(make):
    y = LABEL if make is DNNClassifier else NUMBERS
    model = make(hidden_layer_sizes=(3,), random_state=0)
    for _ in range(2):  # from the second call on, there is a direct way
        model.partial_fit(X, y, **({"classes": [0, 1, 2]} if make is DNNClassifier else {}))
    assert model._direct is not None
    return model


def without_direct_way(call, monkeypatch, *arguments):
    """Call with the checks of scikit-learn alone."""
    with monkeypatch.context() as patch:
        patch.setattr(DirectTraining, "learn", lambda *_: False)
        patch.setattr(RowChecker, "_are_plain", lambda *_: False)
        for module in ("rows", "labels", "label_learning", "numeric"):
            for name in ("is_taken_as_it_is", "are_plain_labels", "are_plain_numbers"):
                patch.setattr(
                    f"dnncore._estimators.{module}.{name}", lambda *_: False, raising=False
                )
        return error_of(call, *arguments)


CASES = [
    *((DNNClassifier, (rows, LABEL, None), name) for name, rows in BAD_ROWS.items()),
    *((DNNClassifier, (X, y, None), name) for name, y in BAD_LABELS.items()),
    *((DNNClassifier, (X, LABEL, w), name) for name, w in BAD_WEIGHTS.items()),
    *((DNNRegressor, (rows, NUMBERS, None), name) for name, rows in BAD_ROWS.items()),
    *((DNNRegressor, (X, y, None), name) for name, y in BAD_NUMBERS.items()),
    *((DNNRegressor, (X, NUMBERS, w), name) for name, w in BAD_WEIGHTS.items()),
    # Of several faults, the same one is named.
    (DNNClassifier, (X, BAD_LABELS["unknown"], BAD_WEIGHTS["negative"]), "label and weight"),
    (DNNClassifier, (BAD_ROWS["NaN"], BAD_LABELS["unknown"], None), "row and label"),
]


NAMES = [f"{make.__name__}-{name}" for make, _, name in CASES]


@pytest.mark.parametrize(("make", "arguments"), [case[:2] for case in CASES], ids=NAMES)
@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_the_same_errors(monkeypatch, make, arguments):
    model = fitted(make)
    before = state(model)
    found = error_of(model.partial_fit, *arguments)
    assert found is not None
    assert state(model) == before
    assert found == without_direct_way(model.partial_fit, monkeypatch, *arguments)


@pytest.mark.parametrize(("make", "arguments"), [case[:2] for case in CASES], ids=NAMES)
@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_the_same_errors_of_fit(monkeypatch, make, arguments):
    models = [make(hidden_layer_sizes=(3,), max_iter=1) for _ in range(2)]
    found = error_of(models[0].fit, *arguments)
    assert found == without_direct_way(models[1].fit, monkeypatch, *arguments)


def test_negative_counts_are_refused():
    model = DNNRegressor("poisson", (3,), random_state=0)
    for _ in range(2):
        model.partial_fit(X, NUMBERS)
    with pytest.raises(ValueError, match="y must not be negative with loss='poisson', got -1"):
        model.partial_fit(X, changed(NUMBERS, 5, -1.0))


@pytest.mark.parametrize("name", sorted(BAD_ROWS.keys() - {"fewer rows"}))
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_the_same_errors_of_predict(monkeypatch, make, name):
    model = fitted(make)
    found = error_of(model.predict, BAD_ROWS[name])
    assert found == without_direct_way(model.predict, monkeypatch, BAD_ROWS[name])


@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.view(type("Subclass", (np.ndarray,), {})),
        lambda x: x.tolist(),
        pd.DataFrame,
    ],
    ids=["Fortran", "float64", "swapped", "strided", "subclass", "lists", "frame"],
)
def test_other_forms_are_converted(direct_calls, form):
    models = [fitted(DNNClassifier) for _ in range(2)]
    direct_calls.clear()
    models[0].partial_fit(form(X), LABEL)
    models[1].partial_fit(X, LABEL)
    assert direct_calls == [False, True]
    assert state(models[0]) == state(models[1])


def test_rows_that_cannot_be_written_to(direct_calls):
    rows, labels = X.copy(), LABEL.copy()
    rows.flags.writeable = labels.flags.writeable = False
    models = [fitted(DNNClassifier) for _ in range(2)]
    direct_calls.clear()
    models[0].partial_fit(rows, labels)
    assert direct_calls == [True]
    models[1].partial_fit(X, LABEL)
    assert state(models[0]) == state(models[1])
    np.testing.assert_array_equal(models[0].predict(rows), models[1].predict(X))


# ------------------------------------------------------------------------------------ changes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": -1.0}, "alpha must lie in"),
        ({"max_iter": True}, "max_iter must be an integer"),
        ({"solver": "no"}, "solver must be one of"),
        ({"hidden_layer_sizes": (4,)}, "cannot resume training with"),
        ({"early_stopping": True}, "does not support early_stopping"),
        ({"missing_values": "mean"}, "missing_values must be the same"),
        ({"random_state": "no"}, "cannot be used to seed"),
        ({"callback": 3}, "callback must be callable"),
    ],
    ids=str,
)
def test_a_changed_parameter_is_checked(change, message):
    model = fitted(DNNClassifier)
    model.set_params(**change)
    with pytest.raises((TypeError, ValueError), match=message):
        model.partial_fit(X, LABEL)


def test_a_changed_parameter_has_an_effect(direct_calls):
    model = fitted(DNNClassifier).set_params(learning_rate_init=0.5)
    direct_calls.clear()
    model.partial_fit(X, LABEL)
    assert direct_calls == [False]
    assert model._trainer.learning_rate == 0.5
    model.partial_fit(X, LABEL)
    assert direct_calls == [False, True]


def test_parameters_of_a_fit_between():
    models = [fitted(DNNClassifier) for _ in range(2)]
    for model, convert in zip(models, (np.asarray, as_other), strict=True):
        alpha = model.alpha
        model.set_params(warm_start=True, alpha=50.0, max_iter=2).fit(X, LABEL)
        with pytest.raises(ValueError, match="scoring needs a validation set"):
            model.set_params(scoring="accuracy", alpha=90.0).fit(X, LABEL)
        model.set_params(warm_start=False, alpha=alpha, max_iter=200, scoring=None)
        model.partial_fit(convert(X), convert(LABEL))
    assert state(models[0]) == state(models[1])


def test_a_parameter_that_can_change_in_place_is_checked_in_each_call():
    sizes = [3]
    model = DNNClassifier(sizes, random_state=0).partial_fit(X, LABEL, classes=[0, 1, 2])
    model.partial_fit(X, LABEL)
    sizes[0] = 4
    with pytest.raises(ValueError, match="cannot resume training with"):
        model.partial_fit(X, LABEL)


def test_class_weights_of_each_call(direct_calls):
    model = DNNClassifier((3,), class_weight="balanced", random_state=0)
    for rows, labels in parts(X, LABEL):
        model.partial_fit(rows, labels, classes=[0, 1, 2])
    assert direct_calls == []


def test_names_of_features_are_wanted(direct_calls):
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = DNNClassifier((3,), random_state=0)
    for _ in range(2):
        model.partial_fit(frame, LABEL, classes=[0, 1, 2])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.partial_fit(X, LABEL)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    assert not any(direct_calls)
    model.fit(X, LABEL)
    assert not hasattr(model, "feature_names_in_")


def test_classes_may_be_passed_again(direct_calls):
    model = fitted(DNNClassifier)
    direct_calls.clear()
    model.partial_fit(X, LABEL, classes=model.classes_.copy())
    assert direct_calls == [True]
    with pytest.raises(ValueError, match="classes must be"):
        model.partial_fit(X, LABEL, classes=np.arange(4))


@pytest.mark.parametrize("pack", [pickle.dumps, None], ids=["pickle", "file"])
def test_a_loaded_model_goes_on(tmp_path, pack):
    model = fitted(DNNClassifier)
    if pack is None:
        model.save(tmp_path / "model.safetensors", solver_state=True)
        other = load(tmp_path / "model.safetensors")
    else:
        other = pickle.loads(pack(model))
    for _ in range(3):
        for each in (model, other):
            each.partial_fit(X, LABEL)
    np.testing.assert_array_equal(model.network_.parameters, other.network_.parameters)
    np.testing.assert_array_equal(model.network_.scale_, other.network_.scale_)


def test_fit_begins_anew_after_partial_fit(direct_calls):
    model = fitted(DNNClassifier)
    model.fit(X.astype(np.float64), LABELS["words"])
    direct_calls.clear()
    model.partial_fit(X.astype(np.float64), LABELS["words"])
    assert direct_calls == []


@pytest.mark.parametrize("as_given", [lambda x: x, as_other], ids=["direct", "other"])
def test_a_diverged_epoch_is_undone(as_given):
    model = DNNClassifier((3,), solver="sgd", norm=False, random_state=0)
    model.partial_fit(X[:1], LABEL[:1], classes=[0, 1, 2])
    model.set_params(learning_rate_init=1e30, alpha=1e30)
    with pytest.warns(DivergenceWarning):
        model.partial_fit(X, LABEL)
    before = model.network_.parameters.copy()
    with pytest.warns(DivergenceWarning) as caught:
        model.partial_fit(as_given(X), as_given(LABEL))
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(model.network_.parameters, before)


def test_a_callback_sees_each_epoch(direct_calls):
    seen = []
    model = DNNClassifier((3,), callback=seen.append, random_state=0)
    train(model, LABEL, None)
    assert any(direct_calls)
    assert [info.loss for info in seen] == model.loss_curve_


def test_copies_have_a_norm_of_their_own():
    model = fitted(DNNClassifier)
    frozen = model.freeze()
    copy = pickle.loads(pickle.dumps(model))
    p, mean = frozen.predict_proba(X), copy.network_.mean_.copy()
    mine = model.network_.mean_
    model.partial_fit(X + 5, LABEL)
    assert model.network_.mean_ is mine
    assert (mine > mean).all()
    np.testing.assert_array_equal(copy.network_.mean_, mean)
    np.testing.assert_array_equal(frozen.predict_proba(X), p)


def test_threads_share_an_estimator():
    model = fitted(DNNClassifier)
    expected = model.predict_proba(X)
    wrong = []

    def score(n):
        for _ in range(200):
            if not np.array_equal(model.predict_proba(X[:n].copy()), expected[:n]):
                wrong.append(n)

    threads = [threading.Thread(target=score, args=(n,)) for n in (1, 2, 50, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_scoring_while_another_thread_fits():
    """Rows fit the old or the new network, or there is an error; nothing else is read."""
    rows = {n: RNG.normal(size=(200, n)).astype(np.float32) for n in (2, 60)}
    model = DNNClassifier((3,), max_iter=1, early_stopping=False).fit(rows[60], LABEL[:200])
    done = threading.Event()
    errors = []

    def score():
        while not done.is_set():
            for n, X in rows.items():
                try:
                    assert len(model.predict_proba(X)) == 200
                except ValueError as error:
                    if "features" not in str(error):
                        errors.append((n, error))

    thread = threading.Thread(target=score)
    thread.start()
    for _ in range(30):
        for n in rows:
            model.fit(rows[n], LABEL[:200])
    done.set()
    thread.join()
    assert errors == []


# -------------------------------------------------------------------------------- max_grad_norm


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_max_grad_norm_limits_a_step(make):
    y = LABEL if make is DNNClassifier else NUMBERS
    options = {
        "hidden_layer_sizes": (3,), "solver": "sgd", "momentum": 0.0, "learning_rate_init": 1.0,
        "batch_size": 300, "max_iter": 1, "random_state": 0, "early_stopping": False,
    }  # fmt: skip
    start = make(**options | {"learning_rate_init": 1e-30}).fit(X, y).network_.parameters
    end = make(**options, max_grad_norm=1e-2).fit(X, y).network_.parameters
    assert np.linalg.norm(end - start) == pytest.approx(1e-2, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, "1", True])
def test_max_grad_norm_is_checked(value):
    with pytest.raises((TypeError, ValueError), match="max_grad_norm must"):
        DNNClassifier(max_grad_norm=value).fit(X, LABEL)


def test_lbfgs_has_no_max_grad_norm():
    with pytest.raises(ValueError, match="max_grad_norm None with LBFGS"):
        DNNRegressor(solver="lbfgs", max_grad_norm=1.0).fit(X, NUMBERS)


def test_max_grad_norm_is_in_the_file(tmp_path):
    model = DNNClassifier((3,), max_iter=1, max_grad_norm=0.5).fit(X, LABEL)
    model.save(tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").max_grad_norm == 0.5


def test_another_network_is_trained():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20.0)
    model = DNNRegressor(random_state=0)
    for _ in range(2):
        model.partial_fit(X, y)
    model.network_ = model.network_.copy()
    before = model.network_.parameters.copy()
    model.partial_fit(X, y)
    assert not np.array_equal(model.network_.parameters, before)
