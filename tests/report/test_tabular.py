"""Reports on ensembles."""

import numpy as np
import pandas as pd
import pytest

from dnncore.report import write_report
from dnncore.report._rows import Rows
from dnncore.tabular import TabularClassifier, TabularRegressor

SMALL = {"n_members": 2, "hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
RANDOM = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {"colour": RANDOM.choice(["red", "blue", "green"], 60), "size": RANDOM.normal(size=60)}
)
TABLE.loc[3, "size"] = np.nan


def test_rows_are_features_in_their_own_units():
    model = TabularClassifier(**SMALL).fit(TABLE, TABLE["colour"])
    rows = Rows.of(model, TABLE, None, None, None)
    assert rows.names == ["colour=blue", "colour=green", "colour=red", "size"]
    np.testing.assert_array_equal(rows.X[:, 3], TABLE["size"])
    np.testing.assert_array_equal(rows.X[:, 2], TABLE["colour"] == "red")
    assert rows.given is TABLE


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_a_report(kind, tmp_path):
    y = TABLE["colour"] if kind is TabularClassifier else np.arange(60.0)
    model = kind(**SMALL).fit(TABLE, y)
    write_report(model, TABLE, y, tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert f"{kind.__name__} 2 × " in page
    assert "2, one of them drawn" in page
    assert "colour=green" in page


def test_infinite_numbers(tmp_path):
    table = TABLE.assign(size=np.where(np.arange(60) == 5, np.inf, np.arange(60.0)))
    model = TabularClassifier(**SMALL).fit(table, table["colour"])
    write_report(model, table, table["colour"], tmp_path / "a.html")
    rows = Rows.of(model, table, None, None, None)
    assert np.flatnonzero(np.isnan(rows.X[:, 3])).tolist() == [5]
