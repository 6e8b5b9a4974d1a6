"""The frozen model of tables: the estimator's bits, from any table, many threads."""

import json
import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tablemodels import NAN, awkward_rows, fitted, table

from dnncore import Network
from dnncore._core import csrc
from dnncore.ensemble import Ensemble
from dnncore.tabular import TableEncoder, TablePredictor, TabularClassifier

pytestmark = pytest.mark.usefixtures("builtin_engine")
X = table()
KINDS = ["classes", "number", "numbers"]


@pytest.fixture(scope="module")
def models():
    return {kind: fitted(kind, X) for kind in KINDS}


def outputs(model, X):
    return model.predict_proba(X) if isinstance(model, TabularClassifier) else model.predict(X)


def same_as_model(found, expected):
    assert found.dtype == np.float64
    assert np.array_equal(found, np.reshape(expected, found.shape))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 191, 192, 193, 500])
def test_bits_of_the_estimator(models, kind, n):
    model, rows = models[kind], table(n, seed=5) if n else X[:0]
    predictor = model.freeze()
    encoded = predictor.encode(rows)
    assert encoded.shape == (n, X.shape[1])
    if n:
        same_as_model(predictor(encoded), outputs(model, rows))
        same_as_model(predictor.predict_proba(rows), outputs(model, rows))
        assert np.array_equal(predictor.predict(rows), model.predict(rows))
        assert predictor.predict(rows).shape == model.predict(rows).shape
    found = predictor(encoded)
    assert found.shape == (n, predictor.n_outputs)
    for x, row in zip(encoded, found, strict=True):
        assert np.array_equal(predictor(x), row)


def test_encoding_of_awkward_values():
    """The inputs of the networks, seen through networks that return them."""
    for dtype in (np.float32, np.float64):
        encoder = TableEncoder(max_categories=12, dtype=dtype).fit(X)
        n = encoder.n_features_out_
        network = Network((n, n), dtype=dtype, output="identity")
        network.coefs_[0][...], network.intercepts_[0][...] = np.eye(n), 0
        predictor = TablePredictor(encoder.encoding_, [network.freeze()])
        rows = awkward_rows(predictor)
        frame = X.iloc[np.zeros(len(rows), int)].reset_index(drop=True).astype(object)
        for index, (name, values) in enumerate(
            zip(predictor.feature_names, predictor.categories, strict=True)
        ):
            numbers = rows[:, index]
            if values is None:
                cells = numbers
                if name == "sold":  # those that are dates
                    fits = np.abs(numbers) < 1e5
                    rows[~fits & ~np.isnan(numbers), index] = 0.0
                    numbers = rows[:, index] = np.round(rows[:, index])
                    days = np.where(np.isnan(numbers), 0, numbers).astype("datetime64[D]")
                    cells = days.astype("datetime64[us]")
                    cells[np.isnan(numbers)] = np.datetime64("NaT")
                frame[name] = cells
            else:
                known = dict(enumerate(values))
                cells = [
                    None if np.isnan(x) or x == -1 else known.get(x, "unknown") for x in numbers
                ]
                frame[name] = cells
        expected = encoder.transform(frame)
        assert np.array_equal(predictor(rows), expected)
        assert np.array_equal(predictor(frame), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_instruction_sets_give_the_same_bits(models, kind, select_isa):
    rows = awkward_rows(models[kind].freeze())
    results = set()
    for name in csrc.available():
        select_isa(name)
        predictor = models[kind].freeze()
        results.add(predictor(rows).tobytes() + predictor(rows[0]).tobytes())
    assert len(results) == 1


def test_any_table(models):
    predictor = models["classes"].freeze()
    small = X[:40]
    rows = predictor.encode(small)
    expected = predictor(rows)
    records = small.to_dict("records")
    tables = [
        small,
        small[small.columns[::-1]].assign(more=1),
        pl.from_pandas(small),
        pa.Table.from_pandas(small),
        records,
        tuple(records),
        small.astype(object).to_numpy(),
        small.astype(object).to_numpy().tolist(),
        rows,
        np.asfortranarray(rows),
    ]
    for same in tables:
        assert np.array_equal(predictor(same), expected)
    assert np.array_equal(predictor(records[3]), expected[3])
    assert predictor.predict(records[3]) == predictor.predict(small)[3]
    assert predictor.encode(records[3]).shape == (X.shape[1],)
    del records[3]["weight"]
    assert np.isnan(predictor.encode(records)[3, 4])


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_in_any_form(models, kind):
    predictor = models[kind].freeze()
    expected, label = predictor(X)[3], predictor.predict(X)[3]
    row = X.iloc[3]
    cells = row.tolist()
    forms = [row, row[::-1], row.reset_index(drop=True), cells, tuple(cells), row.to_numpy()]
    for same in forms:
        assert np.array_equal(predictor(same), expected)
        assert np.array_equal(predictor.predict(same), label)
        assert predictor.encode(same).shape == (X.shape[1],)
        out = np.empty(predictor.n_outputs)
        assert predictor(same, out) is out and np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (X.iloc[3][:-1], "X lacks the column"),
        (X.iloc[3].tolist()[:-1], "but TableEncoder is expecting"),
        (pd.concat([X.iloc[3], X.iloc[3][:1]]), "must have different names"),
        ([], "Expected 2D array"),
    ],
)
def test_one_row_that_does_not_fit(models, row, message):
    with pytest.raises(ValueError, match=message):
        models["classes"].freeze()(row)


def test_rows_are_described(models):
    predictor = models["classes"].freeze()
    assert predictor.feature_names == tuple(X.columns)
    assert predictor.n_features == X.shape[1]
    assert predictor.categories[1] == ("blue", "green", "red")
    assert predictor.categories[2] == ("false", "true")
    assert predictor.categories[0] is predictor.categories[3] is None
    sold = np.datetime64("1970-01-02T12:00", "us")
    (row,) = predictor.encode(X[:1].assign(colour="violet", new=None, sold=sold))
    assert row[1] == 3  # unknown
    assert np.isnan(row[2])
    assert row[3] == 1.5  # days
    assert models["number"].freeze().classes_.shape == (1,)
    unnamed = TabularClassifier(n_members=1, max_iter=1).fit(
        [[1.0], [2.0], [3.0], [4.0]], [0, 1] * 2
    )
    assert unnamed.freeze().feature_names is None


def test_integers_and_single_floats_are_rows():
    model = TabularClassifier(n_members=1, max_iter=1, random_state=0)
    rows = np.arange(24).reshape(8, 3)
    predictor = model.fit(rows, [0, 1] * 4).freeze()
    expected = model.predict_proba(rows)
    for same in (rows, rows.astype("f"), rows.astype("u1"), rows.astype(float)):
        same_as_model(predictor(same), expected)
    assert np.array_equal(predictor(rows[2]), predictor(rows)[2])
    masked = np.ma.MaskedArray(rows, rows == 4)
    same_as_model(predictor(masked), model.predict_proba(masked))


def test_out(models):
    predictor = models["classes"].freeze()
    rows = predictor.encode(X)
    for x, shape in ((rows, (200, 3)), (rows[0], (3,))):
        out = np.empty(shape)
        assert predictor(x, out) is out
        assert np.array_equal(out, predictor(x))
        assert predictor(x, out=out) is out
    assert predictor(X, out=np.empty((200, 3))).shape == (200, 3)


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (np.empty((5, 3), np.float32), TypeError, "out must have dtype float64"),
        ([[0.0] * 3] * 5, TypeError, "out must be a NumPy array"),
        (np.empty((4, 3)), ValueError, r"out must have shape \(5, 3\)"),
        (np.empty(3), ValueError, r"out must have shape \(5, 3\)"),
        (np.empty((5, 6))[:, ::2], ValueError, "out must be C-contiguous"),
    ],
)
def test_bad_out(models, out, error, words):
    predictor = models["classes"].freeze()
    with pytest.raises(error, match=words):
        predictor(predictor.encode(X[:5]), out)


def test_bad_rows(models):
    predictor = models["classes"].freeze()
    for x in (np.zeros(3), np.zeros((2, 3)), np.zeros((1, 1, 10)), np.array(1.0)):
        with pytest.raises(ValueError, match=r"x must have shape \(10,\) or \(n, 10\), got"):
            predictor(x)
    with pytest.raises(ValueError, match="X lacks the column 'size'"):
        predictor(X.drop(columns="size"))
    with pytest.raises(ValueError, match=r"'size'.*must be numeric, got 'large'"):
        predictor(X[:1].assign(size="large"))
    with pytest.raises(TypeError, match="the rows of X must be dicts, like the first, got list"):
        predictor([X[:1].to_dict("records")[0], [1.0]])
    buffer = np.zeros(100)
    with pytest.raises(ValueError, match="out must not overlap"):
        predictor(buffer[:10], buffer[5:8])


def test_a_copy_that_can_be_pickled(models):
    model = fitted("numbers", X)
    predictor = model.freeze()
    rows = predictor.encode(X)
    before = predictor(rows)
    for network in model.ensemble_.networks:
        network.parameters[...] = 0
    assert np.array_equal(predictor(rows), before)
    copy = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(copy(rows), before)
    assert repr(copy) == repr(predictor)
    assert repr(predictor).startswith("TablePredictor(10 columns, 3 networks (")
    labels = pickle.loads(pickle.dumps(models["classes"].freeze())).classes_
    assert labels.tolist() == ["a", "b", "c"]


def test_from_plain_values(models):
    for kind in KINDS:
        frozen = models[kind].freeze()
        description = json.loads(json.dumps(models[kind].encoder_.to_json()))
        units = {
            name: getattr(frozen, name) for name in ("target_mean", "target_scale", "target_range")
        }
        copy = TablePredictor(description, frozen.predictors, frozen.classes_, **units)
        assert np.array_equal(copy(X), frozen(X))


def test_numbers_are_clipped_to_the_range(models):
    frozen = models["numbers"].freeze()
    low, high = frozen.target_range
    numbers = frozen(awkward_rows(frozen))
    assert (numbers >= low).all()
    assert (numbers <= high).all()
    mean = frozen(X).mean(axis=0)
    narrow = TablePredictor(
        frozen.encoding, frozen.predictors, target_mean=frozen.target_mean,
        target_scale=frozen.target_scale, target_range=(mean - 1, mean),
    )  # fmt: skip
    assert np.array_equal(narrow(X), np.clip(frozen(X), mean - 1, mean))


def test_outputs_of_other_functions():
    encoding = TableEncoder().fit(X[["size", "weight"]]).encoding_
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 2)) * 1000
    rows[3, 1] = NAN
    encoded = TableEncoder.from_json({**encoding.to_json(), "dtype": "float64"}).transform(
        X[["size", "weight"]][:0].reindex(range(30)).assign(size=rows[:, 0], weight=rows[:, 1])
    )
    for output in ("softmax", "logistic", "identity"):
        networks = [
            Network((3, 5, 2), seed=seed, output=output, activation="tanh") for seed in range(2)
        ]
        predictor = TablePredictor(encoding, [network.freeze() for network in networks])
        expected = Ensemble(networks).predict_proba(encoded)
        assert np.array_equal(predictor(rows), expected)
        if output == "logistic":
            assert np.array_equal(predictor.predict(rows), expected > 0.5)


def test_bad_construction(models):
    frozen = models["classes"].freeze()
    first = frozen.predictors[0]
    other = Network((3, 2)).freeze()
    cases = [
        (([], frozen.predictors), {}, TypeError, "encoding must be a TableEncoding or a dict"),
        (({"a": 1}, frozen.predictors), {}, ValueError, "an encoding must have the keys"),
        ((frozen.encoding, []), {}, ValueError, "predictors must not be empty"),
        (
            (frozen.encoding, [1]),
            {},
            TypeError,
            "predictors must be of the type Predictor, got int",
        ),
        ((frozen.encoding, [other]), {}, ValueError, r"predictors must have \d+ features"),
        ((frozen.encoding, [first, other]), {}, ValueError, "same number of outputs"),
        ((frozen.encoding, [first], [1, 2]), {}, ValueError, r"classes must have shape \(3,\)"),
        (
            (frozen.encoding, [first]),
            {"target_mean": np.zeros(3)},
            ValueError,
            "target_mean, target_scale and target_range require output='identity'",
        ),
    ]
    for arguments, options, error, words in cases:
        with pytest.raises(error, match=words):
            TablePredictor(*arguments, **options)
    number = models["number"].freeze()
    with pytest.raises(ValueError, match="target_range in ascending order"):
        TablePredictor(number.encoding, number.predictors, target_range=([2.0], [1.0]))
    with pytest.raises(ValueError, match="target_mean and target_scale must be finite"):
        TablePredictor(number.encoding, number.predictors, target_mean=[NAN])


def test_many_threads_at_once(models):
    predictor = models["classes"].freeze()
    rows = predictor.encode(X)
    expected = predictor(rows)
    wrong = []

    def work(seed):
        order = np.random.default_rng(seed).integers(0, len(rows), 1000)
        wrong.extend(i for i in order if not np.array_equal(predictor(rows[i]), expected[i]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_wide_tables():
    """Rows whose inputs do not fit on the stack."""
    encoding = TableEncoder(dtype=np.float64).fit(np.random.default_rng(0).normal(size=(9, 3000)))
    network = Network((3000, 4, 2), seed=0)
    predictor = TablePredictor(encoding.encoding_, [network.freeze()] * 2)
    rows = np.random.default_rng(1).normal(size=(5, 3000))
    assert np.array_equal(predictor(rows), network.predict_proba(encoding.transform(rows)))
    assert np.array_equal(predictor(rows[1]), predictor(rows)[1])
