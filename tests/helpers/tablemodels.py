"""Models of tables that are fitted quickly, and the tables."""

import numpy as np
import pandas as pd

from dnncore.tabular import TabularClassifier, TabularRegressor

NAN = np.nan


def table(n=200, seed=0):
    """A table with a column of each kind: also constant, empty, with missing values, with few
    and with many categories."""
    rng = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(30)]
    return pd.DataFrame(
        {
            "size": rng.normal(size=n) * 1e3,
            "colour": rng.choice(np.array(["red", "green", "blue", None], object), n),
            "new": rng.integers(0, 2, n).astype(bool),
            "sold": pd.date_range("2020-01-01", periods=n, freq="7h"),
            "weight": np.where(rng.random(n) < 0.2, NAN, rng.normal(size=n)),
            "word": rng.choice(words, n),
            "flag": rng.choice(np.array(["yes", "no", None], object), n),
            "constant": 1.0,
            "nothing": np.full(n, NAN),
            "same": "one",
        }
    )


def awkward_rows(predictor, seed=1):
    """Rows for a predictor with every special value in each column."""
    special = [NAN, -1.0, 0.0, -0.0, 1.0, 0.5, 7.0, 1e6, np.inf, -np.inf, 1e308, -1e308, 5e-324]
    rng = np.random.default_rng(seed)
    rows = predictor.encode(table(100, seed))
    for value in special:
        block = rows[:40].copy()
        block[rng.random(block.shape) < 0.3] = value
        rows = np.vstack([rows, block])
    return rows


def fitted(kind, X, **options):
    """A fitted model: 'classes', 'number' or 'numbers'."""
    options = {"n_members": 3, "max_iter": 2, "max_categories": 12, "random_state": 0} | options
    rng = np.random.default_rng(3)
    if kind == "classes":
        return TabularClassifier(**options).fit(X, rng.choice(["a", "b", "c"], len(X)))
    y = 3e6 + 1000 * rng.normal(size=(len(X), 2)) + X["size"].to_numpy()[:, None]
    return TabularRegressor(**options).fit(X, y if kind == "numbers" else y[:, 0])
