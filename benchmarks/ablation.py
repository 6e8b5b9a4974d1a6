"""What each ingredient of the estimators of tables is worth: it is removed or replaced.

Each variant is fitted to the tables of `tables.py`, on one thread. Results are appended to a
JSON-lines file as they come, and a run continues where the last one stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _tables
from _harness import HERE, available_cpus, markdown_table
from tables import class_metrics, geometric_mean, measure, number_metrics, read


def no_scale() -> None:
    import dnncore._training.recipe as recipe

    recipe.SCALE_RATE = 0.0


def usual_beta() -> None:
    import dnncore._training.recipe as recipe

    recipe.BETA_2 = 0.999


def cosine() -> None:
    import dnncore._training.recipe as recipe

    recipe.SCHEDULE = "cosine"


def all_cycles() -> None:
    import dnncore._training.members as members

    members.CYCLE_ENDS = ()


def no_temperature() -> None:
    import dnncore.tabular as tabular

    tabular.temperature = lambda logits, label, weight: 1.0


# What a variant changes: parameters of the estimators, or the modules of the package.
VARIANTS: dict[str, dict[str, Any] | Callable[[], None]] = {
    "the recipe": {},
    "numbers not embedded": {"n_bins": 0},
    "no learnt scale of the inputs": no_scale,
    "relu instead of silu": {"activation": "relu"},
    "no dropout": {"dropout": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "beta_2 0.999 instead of 0.95": usual_beta,
    "cosine instead of coslog4": cosine,
    "no early end after a cycle": all_cycles,
    "no temperature": no_temperature,
    "5 members": {"n_members": 5},
    "1 member": {"n_members": 1},
    "64 units instead of 128": {"hidden_layer_sizes": (64, 64, 64)},
}


def fit_once(variant: str, table: str, number: int) -> dict[str, Any]:
    """Return the metrics and the CPU time of one fit."""
    import warnings

    from dnncore.tabular import TabularClassifier, TabularRegressor

    warnings.simplefilter("ignore")
    change = VARIANTS[variant]
    settings: dict[str, Any] = change if isinstance(change, dict) else {}
    if not isinstance(change, dict):
        change()
    frame, y = _tables.load(table)
    train, test = _tables.split(table, y, number)
    classify = _tables.TABLES[table].kind == "classification"
    model = (TabularClassifier if classify else TabularRegressor)(
        n_threads=1, random_state=number, **settings
    )
    start = time.process_time()
    model.fit(frame.iloc[train], y[train])
    seconds = time.process_time() - start
    predict = model.predict_proba if classify else model.predict
    metrics = (class_metrics if classify else number_metrics)(y[test], predict(frame.iloc[test]))
    return {"fit_cpu": seconds, "epochs": float(model.n_iter_.mean()), **metrics}


def markdown(records: list[dict[str, Any]]) -> str:
    """Return a table of the geometric means of the ratios to the recipe."""
    lines = []
    for variant in VARIANTS:
        ratios = [
            geometric_mean(records, variant, "the recipe", key)
            for key in ("log_loss", "error", "1-r2", "fit_cpu")
        ]
        if all(ratio is not None for ratio in ratios):
            lines.append([variant, *(f"{ratio:.3f}" for ratio in ratios)])
    return markdown_table(["variant", "log-loss", "error", "1 - R2", "CPU time of fit"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, default=HERE / "results" / "ablation.jsonl")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--tables", nargs="+", choices=_tables.TABLES, default=list(_tables.TABLES))
    parser.add_argument("--splits", nargs="+", type=int, choices=range(10), default=[0])
    parser.add_argument("--cpu", type=int, choices=available_cpus(), help="run on this processor")
    parser.add_argument("--summary", action="store_true", help="only summarise the stored results")
    parser.add_argument("--fit", nargs=3, metavar=("VARIANT", "TABLE", "SPLIT"))
    arguments = parser.parse_args()
    if arguments.fit:
        variant, table, number = arguments.fit
        print(json.dumps(fit_once(variant, table, int(number))))
        return
    if not arguments.summary:
        measure(
            __file__, arguments.variants, arguments.tables, arguments.splits, arguments.store,
            arguments.cpu,
        )  # fmt: skip
    print(markdown(read(arguments.store)))


if __name__ == "__main__":
    main()
