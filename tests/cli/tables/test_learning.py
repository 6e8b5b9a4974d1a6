"""How columns become features: learnt, remembered and found again."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from commands import QUICK, read_csv, write_csv
from pyarrow import parquet

import dnncore
from dnncore._data.columns import Column
from dnncore.cli.tables import TableError, scoring_data, training_data
from dnncore.modelfile import read_table

SIZES = [1.0, 2.5, 4.0, 0.5]
COLOURS = ["red", "blue", "red", "green"]
GOOD = [True, False, True, False]
CODES = [10, 9, 10, 200]
LABELS = ["u", "v", "u", "v"]
HEADER = ["size", "colour", "good", "code", "y"]
TABLE = (
    Column("size"),
    Column("colour", ("blue", "green", "red")),
    Column("good", ("false", "true")),
    Column("code", ("9", "10", "200")),
    Column("y", is_target=True),
)
X = np.array(
    [
        [1.0, 0, 0, 1, 0, 1, 0, 1, 0],
        [2.5, 1, 0, 0, 1, 0, 1, 0, 0],
        [4.0, 0, 0, 1, 0, 1, 0, 1, 0],
        [0.5, 0, 1, 0, 1, 0, 0, 0, 1],
    ]
)


def as_csv(path, good=("True", "false", "TRUE", "False")):
    write_csv(path, HEADER, zip(SIZES, COLOURS, good, CODES, LABELS, strict=True))
    return path


def as_parquet(path, **types):
    columns = dict(zip(HEADER, (SIZES, COLOURS, GOOD, CODES, LABELS), strict=True))
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    parquet.write_table(pa.table(arrays), path)
    return path


def features(dataset):
    return np.concatenate([block.X for block in dataset])


def learn(path, **options):
    options = {"dtype": np.dtype(np.float64), "categorical": ["code"]} | options
    return training_data(path, "y", **options)


FILES = {
    "csv": lambda: as_csv("data.csv"),
    "parquet": lambda: as_parquet("data.parquet"),
    "dictionaries": lambda: as_parquet(
        "data.parquet",
        colour=pa.dictionary(pa.int8(), pa.string()),
        code=pa.dictionary(pa.int8(), pa.int64()),
        y=pa.dictionary(pa.int32(), pa.string()),
    ),
    "other types": lambda: as_parquet(
        "data.pq", size=pa.float32(), colour=pa.large_string(), code=pa.float64(), y=pa.string()
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_columns_become_features(kind):
    data = learn(FILES[kind]())
    assert data.table == TABLE
    np.testing.assert_array_equal(features(data), X)
    assert [label for block in data for label in block.y] == LABELS
    # The same from a file of any other kind.
    for other in FILES.values():
        again = scoring_data(
            other(), table=TABLE, n_features=9, dtype=np.dtype(np.float64),
            with_target=True, classes=np.array(["u", "v"]),
        )  # fmt: skip
        np.testing.assert_array_equal(features(again), X)
        assert [label for block in again for label in block.y] == LABELS
        assert again.unknown == {}


def test_numbers_are_numbers_unless_they_are_called_categories():
    for path in (as_csv("data.csv"), as_parquet("data.parquet")):
        data = learn(path, categorical=[])
        assert data.table[3] == Column("code")
        assert data.n_features == 7
        assert learn(path, categorical=[], ignore=["colour", "good"]).n_features == 2


def test_the_model_file_remembers(dnncore_command):
    as_csv("data.csv")
    status, _, err = dnncore_command(
        "train", "data.csv", "--target", "y", "--categorical", "code", *QUICK,
        "--test-size", 0, "--validation-fraction", 0, "--dtype", "float64",
    )  # fmt: skip
    assert status == 0
    assert "data.csv: 4 rows, 9 features, 2 classes\n" in err
    assert read_table("model.safetensors") == TABLE
    model = dnncore.load("model.safetensors")
    assert model.feature_names_in_[[0, 1, 5, 8]].tolist() == [
        "size", "colour=blue", "good=true", "code=200"
    ]  # fmt: skip
    expected = model.network_.predict_proba(X)
    as_parquet("data.parquet")
    for path in ("data.csv", "data.parquet"):
        status, out, err = dnncore_command("predict", "model.safetensors", path, "--proba")
        assert (status, err) == (0, "")
        rows = read_csv(out)[1]
        np.testing.assert_array_equal(np.array([row[1:] for row in rows], float), expected)
    _, out, _ = dnncore_command("info", "model.safetensors")
    assert "target       y\n" in out


def test_unknown_values_count_as_none_and_are_told(dnncore_command):
    as_csv("data.csv")
    dnncore_command("train", "data.csv", "--target", "y", *QUICK, "--test-size", 0,
                    "--validation-fraction", 0)  # fmt: skip
    new = [[1, "mauve", "true", 10], [1, "red", "maybe", 10], [1, "\x1b", "no", 10],
           [1, "mauve", "no", 10]]  # fmt: skip
    write_csv("new.csv", HEADER[:4], new)
    status, out, err = dnncore_command("predict", "model.safetensors", "new.csv", "--proba")
    assert status == 0
    assert err.splitlines() == [
        "dnncore: warning: new.csv: column 'colour' has 'mauve' (2 rows) and 1 more value, not "
        "among the categories of the model: encoded as zeros",
        "dnncore: warning: new.csv: column 'good' has 'maybe' (1 row) and 1 more value, not "
        "among the categories of the model: encoded as zeros",
    ]
    rows = np.array([[1, 0, 0, 0, 0, 1, 10], [1, 0, 0, 1, 0, 0, 10], [1, 0, 0, 0, 0, 0, 10],
                     [1, 0, 0, 0, 0, 0, 10]], np.float32)  # fmt: skip
    expected = dnncore.load("model.safetensors").network_.predict_proba(rows)
    np.testing.assert_array_equal(
        np.array([row[1:] for row in read_csv(out)[1]], np.float32), expected
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            pa.array([datetime.date(2024, 1, 1)] * 2),
            "got the type date32[day]; --ignore 'a' ",
        ),
        (pa.array([[1], [2]]), "must be numeric or text, got the type list<"),
        (pa.array([1.0, None]), "column 'a' has missing values, the first in row 2"),
        (pa.array(["x", None]), "column 'a' has missing values, the first in row 2"),
        (pa.array([1.0, float("nan")]), "column 'a' has missing values, the first in row 2"),
        (pa.array([1.0, float("inf")]), "must contain finite float64 numbers, got inf in row 2"),
        (pa.array([str(i) for i in range(300)]), "has 300 different values, such as"),
    ],
)
def test_parquet_columns_that_do_not_do(column, message):
    table = pa.table({"a": column, "code": [1] * len(column), "y": [0] * len(column)})
    parquet.write_table(table, "data.parquet")
    with pytest.raises(TableError) as caught:
        features(learn("data.parquet"))
    assert message in str(caught.value)


def test_dates_and_many_values_are_categories_if_they_are_called_so():
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(300)]
    parquet.write_table(pa.table({"code": days, "y": [0] * 300}), "data.parquet")
    write_csv("data.csv", ["code", "y"], [[day, 0] for day in days])
    for path in ("data.parquet", "data.csv"):
        values = learn(path).table[0].values
        assert values == tuple(map(str, days))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([datetime.date(2024, 1, 1)] * 2), "must be integers or text to be the target"),
        (
            pa.array([1.0, 0.5]),
            "must contain classes (integers or strings), got the number 0.5; use",
        ),
        (pa.array(["x", None]), "column 'y' has missing values, the first in row 2"),
    ],
)
def test_parquet_targets_that_do_not_do(column, message):
    parquet.write_table(pa.table({"a": [1, 2], "code": [1, 1], "y": column}), "data.parquet")
    with pytest.raises(TableError) as caught:
        learn("data.parquet", may_miss=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([2**60 + 1, 3]), [2**60 + 1, 3]),
        (pa.array([1.0, 2.0]), [1, 2]),
        (pa.array([True, False]), [True, False]),
        (pa.array(["1", "2"]), ["1", "2"]),
    ],
)
def test_parquet_labels(labels, expected):
    parquet.write_table(pa.table({"a": [1, 2], "code": [1, 1], "y": labels}), "data.parquet")
    (block,) = learn("data.parquet")
    assert block.y.tolist() == expected


def test_a_damaged_parquet_file(tmp_path, fails):
    (tmp_path / "data.parquet").write_bytes(b"PAR1 this is none")
    assert "data.parquet: not a usable Parquet file: " in fails(
        "train", "data.parquet", "--target", "y"
    )
    parquet.write_table(pa.table({"a": pa.array([], pa.int8()), "y": []}), "data.parquet")
    assert fails("train", "data.parquet", "--target", "y") == "data.parquet: no rows"
