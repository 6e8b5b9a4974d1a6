"""What a model remembers of the table that it was trained on."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnncore import Network
from dnncore._data import columns
from dnncore._data.columns import Column
from dnncore.modelfile import ModelFileError, load, read_table, save

COLUMNS = (Column("length"), Column("colour", ("red", "", "grün=1")), Column("", ("x",)))
TARGET = Column("species", is_target=True)


def test_features():
    assert columns.n_features(COLUMNS) == 5
    names = ["length", "colour=red", "colour=", "colour=grün=1", "=x"]
    assert columns.feature_names(COLUMNS) == names
    assert columns.n_features(()) == 0
    assert columns.n_features([TARGET, *COLUMNS]) == 5
    assert columns.feature_names([TARGET, *COLUMNS]) == names


def test_json():
    assert columns.to_json([*COLUMNS[:2], TARGET]) == [
        {"name": "length", "kind": "number"},
        {"name": "colour", "kind": "category", "values": ["red", "", "grün=1"]},
        {"name": "species", "kind": "target"},
    ]


any_column = st.builds(
    Column, st.text(), st.none() | st.lists(st.text(), min_size=1, unique=True).map(tuple)
) | st.builds(Column, st.just("target"), is_target=st.just(True))


@given(st.lists(any_column, unique_by=lambda column: column.name))
def test_any_columns_come_back(table):
    text = json.dumps(columns.to_json(table))
    assert columns.from_json(json.loads(text)) == tuple(table)
    columns.check_columns(table, len(columns.feature_names(table)))


def test_table_of_a_model(tmp_path):
    path = tmp_path / "model.safetensors"
    network = Network((5, 2), seed=0)
    save(network, path)
    assert read_table(path) is None
    save(network, path, table=[*COLUMNS, TARGET])
    assert read_table(path) == (*COLUMNS, TARGET)
    np.testing.assert_array_equal(load(path).parameters, network.parameters)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ((), "must give 5 features, like the model, got 0"),
        (COLUMNS[:2], "must give 5 features, like the model, got 4"),
        ((*COLUMNS[:2], Column("length")), "different names, got ['length', 'colour', 'length']"),
        ((*COLUMNS, TARGET, Column("b", is_target=True)), "at most one column that is the target"),
        ((*COLUMNS, Column("empty", ())), "column 'empty' must have one or more values"),
        (
            (Column("a", ("b", "c", "b")), *COLUMNS[:2]),
            "values, all different, got ('b', 'c', 'b')",
        ),
    ],
)
def test_table_that_does_not_fit(tmp_path, table, message):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError) as caught:
        save(Network((5, 2)), path, table=table)
    assert message in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "table must be a list of columns"),
        ({}, "table must be a list of columns"),
        ([1], "got 1"),
        ([["name", "kind"]], "got ['name', 'kind']"),
        ([{"name": "a"}], "must have a name and the kind 'number' or 'target', or"),
        ([{"kind": "number"}], "must have a name"),
        ([{"name": 1, "kind": "number"}], "must have a name"),
        ([{"name": "a", "kind": "date"}], "must have a name"),
        ([{"name": "a", "kind": ["number"]}], "must have a name"),
        ([{"name": "a", "kind": "number", "values": ["x"]}], "must have a name"),
        ([{"name": "a", "kind": "target", "values": []}], "must have a name"),
        ([{"name": "a", "kind": "category"}], "must have a name"),
        ([{"name": "a", "kind": "category", "values": "x"}], "column 'a' must be strings, got 'x'"),
        ([{"name": "a", "kind": "category", "values": [1]}], "column 'a' must be strings, got [1]"),
    ],
)
def test_json_of_another_form(description, message):
    with pytest.raises(ValueError) as caught:
        columns.from_json(description)
    assert message in str(caught.value)


def test_file_with_a_wrong_table(tmp_path):
    from safetensors.numpy import load_file, save_file

    path = tmp_path / "model.safetensors"
    save(Network((5, 2)), path, table=COLUMNS)
    for table in ("[1]", "[", '[{"name": "a", "kind": "number"}]'):
        metadata = metadata_of(path) | {"table": table}
        save_file(load_file(path), path, metadata=metadata)
        for read in (load, read_table):
            with pytest.raises(ModelFileError, match=f"^{path}: "):
                read(path)


def metadata_of(path):
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        return dict(file.metadata())
