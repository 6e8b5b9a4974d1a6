"""Latency of one row of a table from Python, on one thread: 20 numeric columns to probabilities.

All models are fitted at their defaults to the same 4000 rows. They take turns, and the smallest of
many times counts: the others tell more of the machine than of the model.

    python benchmarks/score_tables.py [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _harness import markdown_table, microseconds, warn_if_busy

N_COLUMNS, N_ROWS, N_CALLS = 20, 4000, 100


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_COLUMNS))
    noise = rng.logistic(size=N_ROWS)
    return X, (2 * X[:, 0] + 2 * X[:, 1] * X[:, 2] + X[:, 3] ** 2 + noise > 1).astype(int)


def dnncore(quick: bool) -> Iterator[tuple[str, Callable[[np.ndarray], Any]]]:
    from dnncore.tabular import TabularClassifier

    model = TabularClassifier(max_iter=4 if quick else 64, random_state=0).fit(*rows())
    predictor, out = model.freeze(), np.empty(2)
    yield "dnncore, freeze()", predictor
    yield "dnncore, freeze(), with out", lambda x: predictor(x, out)
    yield "dnncore, predict_proba", lambda x: model.predict_proba(x[np.newaxis])


def lightgbm(quick: bool) -> Iterator[tuple[str, Callable[[np.ndarray], Any]]]:
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(n_jobs=1, verbose=-1).fit(*rows())
    yield (
        "LightGBM, Booster.predict",
        lambda x: model.booster_.predict(x[np.newaxis], num_threads=1),
    )
    yield "LightGBM, predict_proba", lambda x: model.predict_proba(x[np.newaxis])


def catboost(quick: bool) -> Iterator[tuple[str, Callable[[np.ndarray], Any]]]:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(verbose=0, thread_count=1, allow_writing_files=False).fit(*rows())
    yield "CatBoost, predict_proba", lambda x: model.predict_proba(x, thread_count=1)


def xgboost(quick: bool) -> Iterator[tuple[str, Callable[[np.ndarray], Any]]]:
    from xgboost import XGBClassifier

    model = XGBClassifier(n_jobs=1).fit(*rows())
    booster = model.get_booster()
    yield "XGBoost, inplace_predict", lambda x: booster.inplace_predict(x[np.newaxis])


def seconds(call: Callable[[np.ndarray], Any], X: list[np.ndarray]) -> float:
    """Return the time of one call, on average over different rows."""
    start = time.perf_counter()
    for x in X:
        call(x)
    return (time.perf_counter() - start) / len(X)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    quick = parser.parse_args().quick
    warn_if_busy()
    calls: dict[str, Callable[[np.ndarray], Any]] = {}
    for library in (dnncore, lightgbm, catboost, xgboost):
        try:
            calls.update(library(quick))
        except ImportError as error:
            print(f"{library.__name__}: {error}")
    X = [x.copy() for x in rows()[0][:N_CALLS]]
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(3 if quick else 200):
        for name, call in calls.items():
            times[name].append(seconds(call, X))
    cells = (
        (name, *(microseconds(1e6 * t) for t in (min(found), float(np.median(found)))))
        for name, found in times.items()
    )
    print(markdown_table(["one row, 20 columns", "smallest, us", "median, us"], cells))


if __name__ == "__main__":
    main()
