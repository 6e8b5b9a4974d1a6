"""A model whose file has the columns of a table takes tables by the names of their columns."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from modelfiles import fit

from dnncore import DNNClassifier, DNNRegressor
from dnncore._data.columns import Column
from dnncore.modelfile import load, read_table, save
from dnncore.predictor import Predictor

TABLE = (Column("size"), Column("colour", ("blue", "red")), Column("y", is_target=True))
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({"colour": RANDOM.choice(["red", "blue"], 60), "size": RANDOM.normal(size=60)})
FRAME["y"] = (FRAME["colour"] == "red") & (FRAME["size"] > 0)
ROWS = np.column_stack([FRAME["size"], FRAME["colour"] == "blue", FRAME["colour"] == "red"])
NAMES = np.array(["size", "colour=blue", "colour=red"], dtype=object)


@pytest.fixture
def path(tmp_path):
    model = fit(DNNClassifier((5,), random_state=0), ROWS, FRAME["y"].to_numpy())
    model.feature_names_in_ = NAMES
    save(model, tmp_path / "model", table=TABLE, solver_state=True)
    return tmp_path / "model"


def test_tables_by_name(path):
    model, predictor = load(path), Predictor.load(path)
    expected = model.network_.predict_proba(ROWS)
    tables = [
        FRAME, FRAME[["size", "colour"]], pl.DataFrame(FRAME.to_dict("list")), pa.table(FRAME),
        FRAME.to_dict("records"), pd.DataFrame(ROWS, columns=NAMES),
    ]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for table in tables:
            np.testing.assert_array_equal(model.predict_proba(table), expected)
    for table in tables[:-1]:
        np.testing.assert_array_equal(predictor(table), predictor(ROWS))
        np.testing.assert_array_equal(predictor.predict_proba(table), predictor(ROWS))
        assert predictor.predict(table).tolist() == model.predict(table).tolist()
    for row in (FRAME.iloc[7].to_dict(), FRAME.iloc[7], ROWS[7]):
        np.testing.assert_array_equal(predictor(row), predictor(ROWS)[7])
    assert model.score(FRAME, FRAME["y"]) > 0.8


def test_copies_take_tables(path, tmp_path):
    model, predictor = load(path), Predictor.load(path)
    expected = model.predict(FRAME).tolist()
    model.save(tmp_path / "model2")
    predictor.save(tmp_path / "predictor")
    assert read_table(tmp_path / "model2") == read_table(tmp_path / "predictor") == TABLE
    for copy in (
        load(tmp_path / "model2"), load(tmp_path / "predictor"), model.freeze(),
        pickle.loads(pickle.dumps(model)), pickle.loads(pickle.dumps(predictor)),
    ):  # fmt: skip
        assert copy.predict(FRAME).tolist() == expected


def test_what_is_no_such_table(path):
    model, predictor = load(path), Predictor.load(path)
    for scorer in (model, predictor):
        with pytest.raises(ValueError, match="X lacks the column 'colour', which it had in fit"):
            scorer.predict(FRAME[["size"]])
        with pytest.raises(ValueError, match="column 'size' has missing values, the first in row"):
            scorer.predict(FRAME.assign(size=np.nan))
    for row in (FRAME.iloc[7].to_dict(), FRAME.iloc[7]):
        with pytest.raises(ValueError, match="must be a table: Expected 2D array"):
            model.predict(row)
        with pytest.raises(ValueError, match="Expected 2D array"):
            model.partial_fit(row, [0])


def test_training_goes_on_with_tables(path):
    a, b = load(path), load(path)
    a.set_params(early_stopping=False).partial_fit(FRAME, FRAME["y"])
    del b.feature_names_in_
    b.set_params(early_stopping=False).partial_fit(ROWS, FRAME["y"])
    np.testing.assert_array_equal(a.network_.parameters, b.network_.parameters)
    assert a.feature_names_in_.tolist() == NAMES.tolist()


def test_a_new_fit_forgets_the_table(path):
    model = load(path)
    fit(model, ROWS[:, :2], FRAME["y"].to_numpy())
    assert not hasattr(model, "table_")
    assert model.predict(ROWS[:, :2]).shape == (60,)


def test_numbers_with_missing_values(tmp_path):
    X = ROWS.astype(np.float32)
    X[::7, 0] = np.nan
    model = fit(
        DNNRegressor(hidden_layer_sizes=(5,), random_state=0, missing_values="indicator"),
        X,
        ROWS[:, 0],
    )
    save(model, tmp_path / "model", table=TABLE)
    table = FRAME.assign(size=X[:, 0])
    np.testing.assert_array_equal(load(tmp_path / "model").predict(table), model.predict(X))
    np.testing.assert_array_equal(Predictor.load(tmp_path / "model")(table), model.freeze()(X))
