"""Accuracy on real tables, at the defaults: networks and gradient-boosted trees.

Every model is fitted in a process of its own, on one thread, to three quarters of the rows of each
table. What is held out gives log-loss, error, AUC and calibration error, or 1 - R2; CPU time is
that of the fit and of the prediction. Results are appended to a JSON-lines file as they come, and a
run continues where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _tables
from _harness import HERE, available_cpus, environment, markdown_table
from contenders.tabular import MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit_once(model: str, table: str, number: int) -> dict[str, Any]:
    """Return the metrics and CPU times of one fit."""
    import warnings

    warnings.simplefilter("ignore")
    frame, y = _tables.load(table)
    train, test = _tables.split(table, y, number)
    classify = _tables.TABLES[table].kind == "classification"
    # A first fit of few rows, so that lazy loading is not counted.
    head = train[:300]
    MODELS[model](frame, classify, 0).fit(frame.iloc[head], y[head])
    estimator = MODELS[model](frame, classify, number)
    start = time.process_time()
    estimator.fit(frame.iloc[train], y[train])
    fitted = time.process_time()
    predict = estimator.predict_proba if classify else estimator.predict
    prediction = predict(frame.iloc[test])
    scored = time.process_time()
    metrics = (class_metrics if classify else number_metrics)(y[test], prediction)
    return {"fit_cpu": fitted - start, "score_cpu": scored - fitted, **metrics}


def class_metrics(y: NDArray[Any], p: NDArray[Any]) -> dict[str, float]:
    """Return the metrics of class probabilities `p` (n_rows, n_classes)."""
    import numpy as np
    from sklearn.metrics import log_loss, roc_auc_score

    p = np.asarray(p, dtype=np.float64)
    p = p / p.sum(axis=1, keepdims=True)
    classes = np.arange(p.shape[1])
    scores = p[:, 1] if p.shape[1] == 2 else p
    return {
        "log_loss": float(log_loss(y, p, labels=classes)),
        "error": float(np.mean(p.argmax(axis=1) != y)),
        "auc": float(roc_auc_score(y, scores, multi_class="ovr", labels=classes)),
        "calibration": calibration_error(y, p),
    }


def calibration_error(y: NDArray[Any], p: NDArray[Any], n_bins: int = 15) -> float:
    """Return the expected calibration error of the predicted class, with bins of equal count."""
    import numpy as np

    confidence, correct = p.max(axis=1), p.argmax(axis=1) == y
    bins = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
    gaps = [len(b) * abs(confidence[b].mean() - correct[b].mean()) for b in bins if len(b)]
    return float(sum(gaps) / len(y))


def number_metrics(y: NDArray[Any], prediction: NDArray[Any]) -> dict[str, float]:
    """Return 1 - R2: the mean squared error over the variance."""
    import numpy as np

    error = np.mean((y - np.asarray(prediction, dtype=np.float64)) ** 2)
    return {"1-r2": float(error / np.var(y))}


def measure(
    script: str,
    models: list[str],
    tables: list[str],
    splits: list[int],
    store: Path,
    cpu: int | None,
) -> None:
    """Run ``script --fit MODEL TABLE SPLIT`` for every fit that is not stored, and store it."""
    done = {(r["model"], r["table"], r["split"]) for r in read(store)}
    env = os.environ | environment(1)
    for number, table, model in product(splits, tables, models):
        if (model, table, number) in done:
            continue
        command = [sys.executable, script, "--fit", model, table, str(number)]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        run = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        lines = run.stdout.strip().splitlines()
        if run.returncode or not lines:
            print(f"{model} {table} {number}: failed\n{run.stderr[-2000:]}")
            continue
        record = {"model": model, "table": table, "split": number} | json.loads(lines[-1])
        with store.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(json.dumps(record), flush=True)


# Ratios of smaller values say more of rounding and chance than of the models.
FLOORS = {"log_loss": 1e-3, "error": 1e-3, "1-r2": 1e-4, "fit_cpu": 1e-3}
Key = tuple[str, int]  # table and split


def by_model(records: list[dict[str, Any]]) -> dict[str, dict[Key, dict[str, Any]]]:
    """Return the records of each model."""
    models: dict[str, dict[Key, dict[str, Any]]] = {}
    for record in records:
        models.setdefault(record["model"], {})[record["table"], record["split"]] = record
    return models


def geometric_mean(
    records: list[dict[str, Any]], model: str, reference: str, key: str
) -> float | None:
    """Return the geometric mean of the ratios of a metric of two models, or None without any.

    The mean is over splits, then over tables.
    """
    models, floor = by_model(records), FLOORS[key]
    ours, others = models.get(model, {}), models.get(reference, {})
    logs: dict[str, list[float]] = {}
    for at in ours.keys() & others.keys():
        if key in ours[at] and key in others[at]:
            ratio = max(ours[at][key], floor) / max(others[at][key], floor)
            logs.setdefault(at[0], []).append(math.log(ratio))
    if not logs:
        return None
    return math.exp(statistics.mean(statistics.mean(values) for values in logs.values()))


def mean_rank(records: list[dict[str, Any]], model: str, names: list[str], key: str) -> float:
    """Return the mean rank of a model among others, over the fits that all of them have."""
    models = by_model(records)
    common = set.intersection(*(set(models[name]) for name in names))
    ranks = []
    for at in common:
        if key in models[model][at]:
            own = max(models[model][at][key], FLOORS[key])
            values = [max(models[name][at][key], FLOORS[key]) for name in names]
            below, equal = (sum(v < own for v in values), sum(v == own for v in values))
            ranks.append(below + (equal + 1) / 2)
    return statistics.mean(ranks) if ranks else math.nan


def markdown(records: list[dict[str, Any]], reference: str = "CatBoost") -> str:
    """Return a table of mean ranks, and of geometric means of the ratios to `reference`."""
    names = [name for name in MODELS if name in by_model(records)]
    lines = []
    for name in names:
        ratios = [geometric_mean(records, name, reference, key) for key in FLOORS]
        ranks = [mean_rank(records, name, names, key) for key in ("log_loss", "error", "1-r2")]
        fits = len(by_model(records)[name])
        lines.append(
            [
                name,
                *(f"{rank:.2f}" for rank in ranks),
                *("" if ratio is None else f"{ratio:.3f}" for ratio in ratios),
                fits,
            ]
        )
    header = ["model", "rank in log-loss", "in error", "in 1 - R2"]
    header += [f"log-loss / {reference}'s", "error", "1 - R2", "CPU time of fit", "fits"]
    return markdown_table(header, lines)


def read(store: Path) -> list[dict[str, Any]]:
    if not store.exists():
        return []
    return [json.loads(line) for line in store.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=HERE / "results" / "tables.jsonl")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--tables", nargs="+", choices=_tables.TABLES, default=list(_tables.TABLES))
    parser.add_argument(
        "--splits", nargs="+", type=int, choices=range(10), default=list(range(_tables.N_SPLITS))
    )
    parser.add_argument("--cpu", type=int, choices=available_cpus(), help="run on this processor")
    parser.add_argument("--summary", action="store_true", help="only summarise the stored results")
    parser.add_argument("--fit", nargs=3, metavar=("MODEL", "TABLE", "SPLIT"), help="one fit only")
    arguments = parser.parse_args()
    if arguments.fit:
        model, table, number = arguments.fit
        print(json.dumps(fit_once(model, table, int(number))))
        return
    if not arguments.summary:
        measure(
            __file__, arguments.models, arguments.tables, arguments.splits, arguments.store,
            arguments.cpu,
        )  # fmt: skip
    print(markdown(read(arguments.store)))


if __name__ == "__main__":
    main()
