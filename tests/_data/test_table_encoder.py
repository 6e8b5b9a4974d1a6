"""TableEncoder: messy tables give the right values, or one clear error."""

import datetime as dt
import decimal
import json
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from processes import run_python
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from dnncore._data.cells import array_cells
from dnncore.tabular import TableEncoder

NAN, INF = np.nan, np.inf


def clipped(z):
    return np.asarray(z) / np.sqrt(1.0 + (np.asarray(z) / 3.0) ** 2)


def encoded(X, **params):
    return TableEncoder(dtype=np.float64, **params).fit_transform(X)


def column(X, **params):
    """Encode a table of a single column."""
    return encoded(X, **params).T.tolist()


@parametrize_with_checks([TableEncoder(), TableEncoder(max_categories=3, dtype=np.float64)])
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# The same values in each container.

DAY = dt.datetime(2024, 2, 29, 12, 30, 15, 250_000)
VALUES = {
    "float": [1.5, None, -2.25, 1e300, 7.0, 0.1],
    "int": [2**40 + 1, 5, -7, 2**40 + 2, 0, 3],
    "holes": [1, None, 3, 4, None, 2**31],
    "huge": [2**63 + 2048, 2**63 + 4096, 1, 2, 3, 2**64 - 1],
    "bool": [True, False, None, True, True, False],
    "yes": [True, False, True, True, True, False],
    "text": ["b", "a", None, "c", "a", "10"],
    "two": ["no", "yes", "no", "no", "no", "yes"],
    "day": [dt.date(1969, 12, 31), dt.date(2024, 2, 29), None, *[dt.date(2000, 1, 1)] * 3],
    "time": [DAY, None, DAY + dt.timedelta(microseconds=1), *[dt.datetime(1960, 1, 1)] * 3],
    "span": [dt.timedelta(days=-1, microseconds=3), None, *[dt.timedelta(hours=5)] * 4],
    "money": [decimal.Decimal("0.1"), decimal.Decimal("12345678901234567.89"), None]
    + [decimal.Decimal("-2.5")] * 3,
    "none": [None] * 6,
    "one": ["same"] * 6,
}
ARROW = pa.table(
    {
        name: pa.array(values, pa.uint64() if name == "huge" else None)
        for name, values in VALUES.items()
    }
)
OBJECTS = np.array(list(VALUES.values()), dtype=object).T


def chunks(table):
    return pa.concat_tables([table.slice(i, 2) for i in range(0, len(table), 2)])


def categorical(name):
    frame = pd.DataFrame({name: pd.Series(x, dtype=object) for name, x in VALUES.items()})
    return frame.astype({name: "category" for name in ("text", "two", "one")})


CONTAINERS = {
    "arrow": ARROW,
    "chunks": chunks(ARROW),
    "batch": ARROW.combine_chunks().to_batches()[0],
    "dictionary": ARROW.set_column(6, "text", ARROW["text"].dictionary_encode()),
    "large text": ARROW.set_column(6, "text", ARROW["text"].cast(pa.large_string())),
    "pandas": ARROW.to_pandas(),
    "pandas, Arrow dtypes": ARROW.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas, nullable dtypes": ARROW.to_pandas().convert_dtypes(),
    "pandas, objects": pd.DataFrame(OBJECTS, columns=list(VALUES)),
    "pandas, categories": categorical("text"),
    "polars": pl.DataFrame(ARROW),
    "polars, categories": pl.DataFrame(ARROW).cast({"text": pl.Categorical}),
    "objects": OBJECTS,
    "rows": OBJECTS.tolist(),
    "zone": ARROW.set_column(9, "time", ARROW["time"].cast(pa.timestamp("us", "Asia/Tokyo"))),
    "nanoseconds": ARROW.set_column(9, "time", ARROW["time"].cast(pa.timestamp("ns"))),
}  # fmt: skip


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_bits_in_every_container(container, dtype):
    first = TableEncoder(dtype=dtype).fit(ARROW)
    expected = first.transform(ARROW)
    assert expected.dtype == dtype and expected.flags.c_contiguous
    X = CONTAINERS[container]
    encoder = TableEncoder(dtype=dtype)
    assert encoder.fit_transform(X).tobytes() == expected.tobytes()
    assert encoder.fit(X).transform(X).tobytes() == expected.tobytes()
    assert encoder.medians_.tobytes() == first.medians_.tobytes()
    if hasattr(encoder, "feature_names_in_"):
        assert encoder.get_feature_names_out().tolist() == first.get_feature_names_out().tolist()
        # whatever the table of fit was
        assert first.transform(X).tobytes() == expected.tobytes()


def test_layout():
    encoder = TableEncoder().fit(ARROW)
    names = encoder.get_feature_names_out().tolist()
    numeric = ["float", "int", "holes", "huge", "day", "time", "span", "money", "none"]
    assert names == [
        *numeric,
        *[f"{name}=<missing>" for name in ("float", "holes", "day", "time", "span", "money")],
        *["bool=false", "bool=true", "bool=<missing>", "yes=true"],
        *["text=10", "text=a", "text=b", "text=c", "text=<missing>", "two=yes", "one=same"],
    ]
    assert encoder.n_numeric_ == len(numeric) == len(encoder.medians_) == len(encoder.scales_)
    assert encoder.n_features_out_ == len(names) == encoder.transform(ARROW).shape[1]
    assert encoder.n_features_in_ == len(VALUES)
    assert encoder.feature_names_in_.tolist() == list(VALUES)
    assert dict(zip(numeric, encoder.medians_, strict=True))["holes"] == 3.5


# Numbers


@pytest.mark.parametrize(
    ("values", "median", "scale"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.0),
        ([0.0] * 9 + [4.0], 0.0, 2.0),  # an interquartile range of 0
        ([7.0] * 4, 7.0, 0.0),
        ([1.0, NAN, 3.0, NAN], 2.0, 1.0),
        ([1.0, INF, 3.0, -INF], 2.0, 1.0),
        ([1.7e9 + i for i in range(5)], 1.7e9 + 2, 2.0),
        ([*np.ldexp(range(5), -600), 1e300], np.ldexp(2.5, -600), np.ldexp(2.5, -600)),
        ([-1.7e308, 1.7e308], 0.0, 1.7e308),
        ([-1.7e308] * 3 + [1.7e308] * 3, 0.0, np.finfo(float).max),
        ([5e-324, 0.0], 0.0, 0.0),
    ],
)
def test_numbers(values, median, scale):
    encoder = TableEncoder(dtype=np.float64).fit(np.array(values)[:, np.newaxis])
    np.testing.assert_array_equal([encoder.medians_, encoder.scales_], [[median], [scale]])
    X = encoder.transform(np.array(values)[:, np.newaxis])
    assert np.isfinite(X).all() and np.abs(X).max() <= 3.0
    x = np.array(values)
    with np.errstate(all="ignore"):
        z = np.where(np.isnan(x), 0.0, (x / 2 - median / 2) / (scale / 2) if scale else 0.0)
        expected = np.where(np.isinf(z), np.sign(z) * 3.0, clipped(z))
    np.testing.assert_array_equal(X[:, 0], expected)
    if np.isnan(x).any():
        np.testing.assert_array_equal(X[:, 1], np.isnan(x))


def test_numbers_beyond_float32_keep_their_digits():
    x = 1.7e9 + np.arange(1001.0)
    X = TableEncoder().fit_transform(x[:, np.newaxis])
    np.testing.assert_allclose(X[:, 0], clipped((x - x[500]) / 500), atol=1e-7)
    assert np.unique(X).size == 1001


@pytest.mark.parametrize("value", [1e300, -1e300, INF, -INF, 1e9, 10**400])
def test_values_far_from_those_of_fit(value):
    encoder = TableEncoder(dtype=np.float64).fit([[1.0], [2.0], [3.0]])
    expected = 3.0 if value > 0 else -3.0
    assert encoder.transform(np.array([[value]], dtype=object)).tolist() == [[expected]]


def test_features_of_columns():
    encoding = TableEncoder().fit(ARROW.select(["text", "float", "yes", "int"])).encoding_
    assert [list(features) for features in encoding.features] == [
        [3, 4, 5, 6, 7], [0, 2], [8], [1]
    ]  # fmt: skip
    text = encoding.columns[0]
    assert text.feature_of_code.tolist() == [0, 1, 2, 3, -1, 4]  # unknown, missing
    cells = array_cells(np.array(["10.0", "c", "unknown", None], object))
    assert text.codes(cells).tolist() == [0, 3, 4, -1]


def test_missing_only_later():
    encoder = TableEncoder(dtype=np.float64).fit([[1.0], [2.0], [3.0]])
    assert encoder.transform([[None], [NAN], [2.0]]).tolist() == [[0], [0], [0]]


@pytest.mark.parametrize(
    "masked",
    [
        np.ma.MaskedArray([[1.0], [5.0], [3.0]], [[False], [True], [False]]),
        np.ma.MaskedArray([[1], [5], [3]], [[False], [True], [False]]),
    ],
)
def test_masked_arrays(masked):
    assert column(masked) == column([[1.0], [NAN], [3.0]])


def test_without_any_value():
    X = pd.DataFrame({"a": [None, None], "b": [NAN, NAN], "c": pd.Series([None, None], dtype="str"),
                      "d": pd.Series([pd.NaT] * 2), "e": pd.Series([pd.NA] * 2, dtype="boolean"),
                      "f": pd.Series([None] * 2, dtype="category")})  # fmt: skip
    encoder = TableEncoder().fit(X)
    assert encoder.transform(X).tolist() == [[0] * 6] * 2
    later = X.assign(a=["x", "y"], b=[1.0, 2.0], c=["u", "v"])
    assert encoder.transform(later).tolist() == [[0] * 6] * 2


def test_one_row():
    X = pd.DataFrame({"a": [3], "b": ["x"], "c": [None]})
    assert encoded(X).tolist() == [[0, 0, 0]]


# Dates and durations


@pytest.mark.parametrize(
    "values",
    [
        [dt.date(1970, 1, 3)],
        [dt.datetime(1970, 1, 3)],
        [dt.datetime(1970, 1, 3, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))],
        [pd.Timestamp("1970-01-03")],
        pd.Series([pd.Timestamp("1970-01-03 09:00", tz="Asia/Tokyo")]),
        np.array(["1970-01-03"], "datetime64[D]"),
        np.array(["1970-01-03"], "datetime64[ns]"),
        np.array(["1970-01-03"], "datetime64[10s]"),
        np.array(["1970-01-03"], ">M8[s]"),
        np.array([np.datetime64("1970-01-03", "h")], dtype=object),
        pd.Series(["1970-01-03"], dtype="timestamp[s][pyarrow]"),
    ],
)
def test_dates_are_days_since_1970(values):
    X = values[:, np.newaxis] if isinstance(values, np.ndarray) else pd.DataFrame({"when": values})
    encoder = TableEncoder().fit(X)
    assert encoder.medians_.tolist() == [2.0]
    assert encoder.encoding_.columns[0].kind == "date"


def test_coarse_and_missing_dates():
    for unit, days in (("Y", 365), ("M", 31), ("W", 7)):
        array = np.array([[1], ["NaT"]], f"datetime64[{unit}]")
        encoder = TableEncoder().fit(array)
        assert encoder.medians_.tolist() == [days]
        assert encoder.transform(array).tolist() == [[0, 0], [0, 1]]


def test_durations_are_days():
    X = pd.DataFrame({"a": pd.to_timedelta([12, 36, None], unit="h")})
    encoder = TableEncoder().fit(X)
    assert (encoder.medians_.tolist(), encoder.scales_.tolist()) == ([1.0], [0.5])


# Categories


def test_two_categories_are_one_feature():
    assert column([["a"], ["b"], ["a"]]) == [[0, 1, 0]]
    assert column([[True], [False]]) == [[1, 0]]
    assert column([["a"], [None], ["a"]]) == [[0, 1, 0]]  # missing, the second
    assert column([[True], [True]]) == [[1, 1]]


def test_unknown_and_missing_categories():
    encoder = TableEncoder().fit([["a"], ["b"], ["c"]])
    X = encoder.transform([["b"], ["d"], [None], [NAN]])
    assert X.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_most_frequent_categories():
    cells = ["d"] * 3 + ["10"] * 2 + ["9"] * 2 + ["a"] * 2 + ["b", None]
    encoder = TableEncoder(max_categories=3).fit(np.array(cells, dtype=object)[:, np.newaxis])
    assert encoder.get_feature_names_out().tolist() == [
        "x0=9", "x0=10", "x0=d", "x0=<other>", "x0=<missing>"
    ]  # fmt: skip
    X = encoder.transform([["10"], ["a"], ["unknown"], [None], ["9.0"]])
    assert X.argmax(1).tolist() == [1, 3, 3, 4, 0]
    assert X.sum(1).tolist() == [1] * 5
    one = TableEncoder(max_categories=1).fit([["a"], ["b"], ["c"], ["a"]])
    assert one.transform([["a"], ["b"], ["z"]]).tolist() == [[0], [1], [1]]


def test_ten_thousand_categories():
    cells = np.array([f"name {i}" for i in range(10_000)], dtype=object)[:, np.newaxis]
    X = TableEncoder().fit_transform(cells)
    assert X.shape == (10_000, 65)
    assert X.sum() == 10_000 and X[:, 64].sum() == 10_000 - 64


def test_numbers_and_text_in_one_column():
    cells = [[1], ["1"], [1.0], ["red"], [2.5], [None], [decimal.Decimal("2.5")], [True]]
    encoder = TableEncoder().fit(cells)
    assert encoder.get_feature_names_out().tolist() == [
        "x0=1", "x0=2.5", "x0=red", "x0=true", "x0=<missing>"
    ]  # fmt: skip
    assert encoder.transform(cells).argmax(1).tolist() == [0, 0, 0, 2, 1, 4, 1, 3]


def test_numbers_and_booleans_in_one_column():
    encoder = TableEncoder().fit([[2], [True], [0.0]])
    assert encoder.medians_.tolist() == [1.0]


@pytest.mark.parametrize(
    "codes",
    [
        np.array([3, 1, 2, 3]),
        np.array([3, 1, 2, 3], np.float32),
        np.array([3, 1, 2, 3], np.uint8),
        pd.Series([3, 1, 2, 3], dtype="category"),
        pd.Series([3.0, 1.0, 2.0, 3.0], dtype="category"),
        pd.Series([3, 1, 2, 3], dtype="Int64"),
        ["3", "1", "2", "3"],
    ],
)
def test_numbers_as_categories(codes):
    X = pd.DataFrame({"code": codes})
    expected = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    encoder = TableEncoder(["code"]).fit(X)
    assert encoder.transform(X).tolist() == expected
    assert encoder.get_feature_names_out().tolist() == ["code=1", "code=2", "code=3"]
    other = pd.DataFrame({"code": [1.0, 2.0, 9.0]})
    assert encoder.transform(other).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    if isinstance(X["code"].dtype, pd.CategoricalDtype):
        assert TableEncoder().fit_transform(X).tolist() == expected


def test_integers_beyond_float64_as_categories():
    X = np.array([[2**60], [2**60 + 1], [2**60 + 2]])
    assert encoded(X, categorical_features=[0]).tolist() == np.eye(3).tolist()


def test_booleans_as_text():
    encoder = TableEncoder().fit(pd.DataFrame({"a": ["True", "False", "True"]}))
    for values in ([True, False], ["TRUE", "false"], [1, 0], ["1", "0"]):
        assert encoder.transform(pd.DataFrame({"a": values})).tolist() == [[1], [0]]


def test_categories_that_no_row_has():
    X = pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], ["w", "x", "y", "z"])})
    assert TableEncoder().fit(X).get_feature_names_out().tolist() == ["a=y"]
    bins = pd.DataFrame({"a": pd.cut([1, 2, 3], [0, 1, 2, 3])})
    names = TableEncoder().fit(bins).get_feature_names_out().tolist()
    assert names == ["a=(0, 1]", "a=(1, 2]", "a=(2, 3]"]


@pytest.mark.parametrize(
    ("features", "names"),
    [
        ("from_dtype", ["n", "t=2"]),
        (None, ["n", "t"]),
        (["n"], ["t", "n=6"]),
        ([0], ["t", "n=6"]),
        ([True, False], ["t", "n=6"]),
        (np.array([False, True]), ["n", "t=2"]),
        ([], ["n", "t"]),
    ],
)
def test_categorical_features(features, names):
    encoder = TableEncoder(features).fit(pd.DataFrame({"n": [5, 6], "t": ["1", "2"]}))
    assert encoder.get_feature_names_out().tolist() == names
    if "t" in names:
        assert encoder.medians_[-1] == 1.5


def test_text_for_numbers():
    encoder = TableEncoder(dtype=np.float64).fit(pd.DataFrame({"a": [1.0, 2.0, 3.0]}))
    X = encoder.transform(pd.DataFrame({"a": ["1.0", None, "3e0"]}))
    assert X.tolist() == [[clipped(-1.0)], [0], [clipped(1.0)]]
    assert encoder.transform(pd.DataFrame({"a": [True, False]})).shape == (2, 1)


def test_enumerations():
    X = pl.DataFrame({"a": pl.Series(["u", "w", None], dtype=pl.Enum(["w", "v", "u"]))})
    assert TableEncoder().fit_transform(X).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_without_optional_packages():
    out, _ = run_python(
        """
        import sys
        sys.modules["pyarrow"] = sys.modules["pandas"] = None
        import numpy as np, polars
        from dnncore.tabular import TableEncoder
        rows = [[1.5, "a", True], [None, "b", False]]
        X = TableEncoder().fit_transform(rows)
        frame = polars.DataFrame(rows, orient="row")
        print((TableEncoder().fit_transform(frame) == X).all(), X.tolist())
        """
    )
    assert out.strip() == "True [[0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]]"


# Names of columns


def test_columns_are_found_by_name():
    encoder = TableEncoder().fit(ARROW)
    expected = encoder.transform(ARROW).tobytes()
    reordered = ARROW.select(list(reversed(VALUES)))
    assert encoder.transform(reordered).tobytes() == expected
    # also columns that could not be encoded
    extra = reordered.append_column("lists", pa.array([[1]] * 6))
    assert encoder.transform(extra).tobytes() == expected
    twice = extra.append_column("lists", pa.array([[1]] * 6))
    assert encoder.transform(twice).tobytes() == expected
    message = "X lacks the columns 'int', 'text', which it had in fit; it has 'float', 'holes'"
    with pytest.raises(ValueError, match=message):
        encoder.transform(ARROW.drop_columns(["int", "text"]))
    with pytest.raises(ValueError, match="must have different names, got twice 'int'"):
        encoder.transform(ARROW.append_column("int", ARROW["int"]))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        assert encoder.transform(OBJECTS).tobytes() == expected
    with pytest.raises(ValueError, match="X has 3 features, but TableEncoder is expecting 14"):
        encoder.transform(OBJECTS[:, :3])
    with pytest.warns(UserWarning, match="X has feature names, but"):
        TableEncoder().fit(OBJECTS).transform(ARROW)


@pytest.mark.parametrize(
    "labels", [[3, 1], [("a", 1), ("a", 2)], [2.5, "x"], [dt.date(2020, 1, 1), None]]
)
def test_labels_that_are_not_strings(labels):
    X = pd.DataFrame([[1.0, "u"], [2.0, "v"], [4.0, "w"]], columns=pd.Index(labels, dtype=object))
    encoder = TableEncoder().fit(X)
    assert not hasattr(encoder, "feature_names_in_")
    assert encoder.get_feature_names_out()[0] == str(labels[0])
    expected = encoder.transform(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(encoder.transform(X[labels[::-1]]), expected)
        np.testing.assert_array_equal(encoder.transform(X.to_numpy()), expected)
    with pytest.raises(ValueError, match="X lacks the column"):
        encoder.transform(X[labels[:1]])


def test_multi_index():
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    X = pd.DataFrame([[1.0, 5.0], [2.0, 7.0]], columns=columns)
    encoder = TableEncoder().fit(X)
    assert encoder.get_feature_names_out().tolist() == ["('a', 'x')", "('a', 'y')"]
    assert encoder.transform(X[columns[::-1]]).tolist() == encoder.transform(X).tolist()


def test_names_of_features():
    encoder = TableEncoder().fit([[1.0, "a"], [2.0, "b"]])
    assert encoder.get_feature_names_out(["u", "v"]).tolist() == ["u", "v=b"]
    with pytest.raises(ValueError, match="input_features should have length"):
        encoder.get_feature_names_out(["u"])
    frame = (
        TableEncoder()
        .set_output(transform="pandas")
        .fit_transform(pd.DataFrame({"n": [1, 2], "t": ["a", "b"]}, index=[7, 8]))
    )
    assert (frame.columns.tolist(), frame.index.tolist()) == (["n", "t=b"], [7, 8])


# Errors


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError, "got twice 'a'"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), ValueError, "got twice '1'"),
        (pd.DataFrame({"p": pd.period_range("2020", periods=2, freq="M")}), ValueError,
         r"column 'p' has the type period\[M\]; expected numbers, booleans, text"),
        (pd.DataFrame({"c": [1j, 2]}), ValueError, "column 'c' has the type complex128"),
        (pd.DataFrame({"l": [[1], [2]]}), ValueError, "column 'l' has cells of the type list"),
        (pd.DataFrame({"d": [dt.date(2020, 1, 1), "x"]}), ValueError,
         "column 'd' has cells of different kinds: category, date"),
        (pd.DataFrame({"t": [dt.time(1), dt.time(2)]}), ValueError, "cells of the type time"),
        (pd.DataFrame({"b": [b"x", b"y"]}), ValueError, "column 'b' has cells of the type bytes"),
        (np.array([[b"x"]]), ValueError, r"column 0 has (the type|cells of the type)"),
        (pd.DataFrame({"i": pd.interval_range(0, 2)}), ValueError, "column 'i' has the type inter"),
        (np.zeros((2, 1), "timedelta64[M]"), ValueError, "which is no number of days"),
        (pl.DataFrame({"l": [[1], [2]]}), ValueError, r"column 'l' has the type List\(Int64\)"),
        (pl.DataFrame({"t": [dt.time(1)]}), ValueError, "column 't' has cells of the type time"),
        (pl.LazyFrame({"a": [1]}), TypeError, r"X.collect\(\)"),
        (pa.table({"l": [[1], [2]]}), ValueError, "column 'l' has the type list<"),
        (pa.table({"t": pa.array([1], pa.time32("s"))}), ValueError, "the type time32"),
        (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pd.DataFrame(index=range(3)), ValueError, r"0 feature\(s\) \(shape=\(3, 0\)\)"),
        (pd.Series([1, 2]), ValueError, "Expected 2D array, got 1D array instead"),
        (pl.Series([1, 2]), ValueError, "Expected 2D array, got 1D array instead"),
        ([[1, 2], [3]], ValueError, "the rows of X must have the same length"),
        (3, ValueError, "Expected 2D array, got 0D array"),
    ],
)  # fmt: skip
def test_tables_that_do_not_do(X, error, message):
    with pytest.raises(error, match=message):
        TableEncoder().fit(X)


@pytest.mark.parametrize(
    ("fitted", "given", "error", "message"),
    [
        ([1.0, 2.0], ["1", "x"], ValueError, "column 'a' must be numeric, got 'x' in row 1"),
        ([1.0, 2.0], [DAY, DAY], ValueError, "must be of the kind number, got the kind date"),
        ([DAY, DAY], [1.0, 2.0], ValueError, "must be of the kind date, got the kind number"),
        ([DAY, DAY], ["2020-01-01", "x"], ValueError, r"must contain dates \(ISO 8601\), got 'x'"),
        (["x", "y"], [DAY, DAY], ValueError, "must contain categories, got the kind date"),
    ],
)
def test_columns_of_another_kind_than_in_fit(fitted, given, error, message):
    encoder = TableEncoder().fit(pd.DataFrame({"a": fitted}))
    with pytest.raises(error, match=message):
        encoder.transform(pd.DataFrame({"a": given}))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"categorical_features": "all"}, "must be 'from_dtype', None, or a sequence"),
        ({"categorical_features": ["c"]}, "must name columns of X, got 'c'; the columns are a, b"),
        ({"categorical_features": [2]}, "must name columns of X, got 2"),
        ({"categorical_features": [-1]}, "must name columns of X, got -1"),
        ({"categorical_features": [True]}, "must have 2 booleans"),
        ({"categorical_features": None}, "'b' must be numeric, got 'x' in row 0; categorical_fea"),
        ({"max_categories": 0}, "max_categories"),
        ({"dtype": np.int32}, "dtype must be float32 or float64"),
        ({"dtype": "text"}, "dtype must be float32 or float64"),
    ],
)
def test_parameters_that_do_not_do(params, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(**params).fit(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


def test_dates_are_not_categories():
    with pytest.raises(ValueError, match="column 'a' cannot be categorical, got the kind date"):
        TableEncoder(["a"]).fit(pd.DataFrame({"a": [DAY, DAY]}))


def test_sparse():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="X must be dense"):
        TableEncoder().fit(csr_array(np.eye(3)))
    X = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 1.0, 0.0, 5.0])})
    assert encoded(X).tolist() == encoded(pd.DataFrame({"a": [0.0, 1.0, 0.0, 5.0]})).tolist()


# Storage


def test_pickle_and_clone():
    encoder = TableEncoder(max_categories=2, dtype=np.float64).fit(ARROW)
    again = pickle.loads(pickle.dumps(encoder))
    assert again.transform(ARROW).tobytes() == encoder.transform(ARROW).tobytes()
    fresh = clone(encoder).fit(ARROW)
    assert fresh.to_json() == encoder.to_json()


@pytest.mark.parametrize("X", [ARROW, OBJECTS, pd.DataFrame(OBJECTS)])
def test_json(X):
    encoder = TableEncoder(max_categories=2, dtype=np.float64).fit(X)
    text = json.dumps(encoder.to_json(), allow_nan=False)
    again = TableEncoder.from_json(json.loads(text))
    assert again.to_json() == encoder.to_json()
    assert again.transform(X).tobytes() == encoder.transform(X).tobytes()
    assert again.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert again.encoding_ == encoder.encoding_


def _changed(**changes):
    description = TableEncoder().fit([[1.0, "a"]]).to_json()
    number, category = description["columns"]
    for key, value in changes.items():
        if key in description:
            description[key] = value
        elif key in number:
            number[key] = value
        else:
            category[key] = value
    return description


@pytest.mark.parametrize(
    "description",
    [
        None,
        [],
        {},
        _changed(dtype="int8"),
        _changed(named=1),
        _changed(columns=[]),
        _changed(columns=[{}]),
        _changed(columns=[3]),
        _changed(median="1"),
        _changed(scale=-1.0),
        _changed(median=float("nan")),
        _changed(kind="time"),
        _changed(name="x1"),
        _changed(values=[]),
        _changed(values=["a", "a"]),
        _changed(values=[1]),
        _changed(other=None),
        _changed(further=1),
    ],
)
def test_descriptions_that_do_not_do(description):
    with pytest.raises(ValueError, match="must"):
        TableEncoder.from_json(description)
