"""Tables by the names of their columns, for a model that the command line has trained."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dnncore._data.columns import Column
from dnncore._data.table_rows import TableRows

TABLE = (
    Column("age"),
    Column("plan", ("basic", "pro")),
    Column("left", is_target=True),
    Column("ok", ("false", "true")),
)
ROWS = TableRows(TABLE, np.dtype(np.float32), may_miss=False)
FRAME = pd.DataFrame({"ok": [True, False], "other": "x", "plan": ["pro", "new"], "age": [30, 40.5]})
EXPECTED = [[30, 0, 1, 0, 1], [40.5, 0, 0, 1, 0]]


@pytest.mark.parametrize(
    "table",
    [
        FRAME,
        FRAME[["plan", "age", "ok"]],
        FRAME.astype(str),
        pl.DataFrame(FRAME.to_dict("list")),
        pa.table(FRAME),
        FRAME.to_dict("records"),
    ],
)
def test_the_same_rows_from_every_table(table):
    X = ROWS(table)
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X, EXPECTED)


def test_a_dict_is_a_row():
    np.testing.assert_array_equal(ROWS({"age": 30, "plan": "pro", "ok": True}), EXPECTED[0])


def test_a_series_with_the_names_as_its_index_is_a_row():
    np.testing.assert_array_equal(ROWS(FRAME.iloc[0]), EXPECTED[0])
    features = ["age", "plan=basic", "plan=pro", "ok=false", "ok=true"]
    encoded = pd.Series(EXPECTED[0], index=features)
    assert ROWS(encoded) is encoded


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 5)),
        [[1.0, 2.0]],
        [],
        pd.Series([1.0]),
        pd.DataFrame(
            np.zeros((1, 5)), columns=["age", "plan=basic", "plan=pro", "ok=false", "ok=true"]
        ),
    ],
)
def test_what_is_no_table_of_these_columns_is_left_as_it_is(X):
    assert ROWS(X) is X


def test_missing_values():
    table = FRAME.assign(age=[np.nan, 1.0], plan=["pro", None])
    rows = TableRows(TABLE, np.dtype(np.float64), may_miss=True)
    np.testing.assert_array_equal(rows(table), [[np.nan, 0, 1, 0, 1], [1, 0, 0, 1, 0]])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (FRAME.drop(columns=["age", "ok"]), "X lacks the columns 'age', 'ok', which it had in fit"),
        (FRAME.assign(age=[1.0, None]), "column 'age' has missing values, the first in row 1"),
        (FRAME.assign(plan=[None, "pro"]), "column 'plan' has missing values, the first in row 0"),
        (FRAME.assign(age=["1", "x"]), "column 'age' must be numeric, got 'x' in row 1"),
        (FRAME.assign(age=[1.0, 1e99]), "'age' must contain finite float32 numbers, got 1e[+]99"),
        (FRAME.assign(age=dt.datetime(2024, 5, 1)), "'age' must contain numbers or categories"),
    ],
)
def test_tables_that_do_not_do(table, message):
    with pytest.raises(ValueError, match=message):
        ROWS(table)


def test_pickle():
    assert pickle.loads(pickle.dumps(ROWS)) == ROWS
