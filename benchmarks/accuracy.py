"""Accuracy, and the time it takes to get there, against scikit-learn's MLPClassifier.

Digits: mean held-out accuracy, and the processor time of the fits, over stratified splits in
five, made four times; both classifiers as they are by default, but that MLPClassifier has the
logistic activation. Then, with the same settings, epochs and time until a held-out accuracy is
reached, on digits and on a larger generated set. MLPClassifier(activation='logistic') is given
standardised features by a StandardScaler; DNNClassifier standardises by itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from _harness import (
    Options,
    count,
    markdown_table,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from contenders import Unavailable

CONTENDERS = ("dnncore", "sklearn")
FOLDS, REPEATS = 5, 4
SPLITS = FOLDS * REPEATS
MAX_EPOCHS = 1000
TARGETS = {"digits": 0.97, "generated": 0.85}  # held-out accuracy


# ----------------------------------------------------------------------------- in the workers


def dataset(name: str) -> tuple[Any, Any]:
    from sklearn.datasets import load_digits, make_classification

    if name == "digits":
        return load_digits(return_X_y=True)
    X, y = make_classification(
        n_samples=50_000,
        n_features=54,
        n_informative=20,
        n_redundant=20,
        n_classes=7,
        n_clusters_per_class=3,
        class_sep=1.5,
        flip_y=0.02,
        random_state=0,
    )
    return X.astype("float32"), y


def classifier(contender: str, threads: int, **settings: object) -> Any:
    """The contender's classifier, with scikit-learn's names of the settings."""
    if contender == "dnncore":
        from dnncore import DNNClassifier

        return DNNClassifier(n_threads=threads, **settings)
    if contender == "sklearn":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(activation="logistic", **settings)
    raise Unavailable(f"there is no classifier {contender}")


def fit_task(contender: str, threads: int) -> Callable[[int], dict[str, Any]]:
    """Fits digits, less one of the splits, with the default settings."""
    from sklearn.model_selection import RepeatedStratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = dataset("digits")
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=REPEATS, random_state=0)
    splits = list(folds.split(X, y))
    # Once beforehand, so that the first split does not pay for what is loaded lazily.
    classifier(contender, threads, max_iter=2, random_state=0).fit(X[:200], y[:200])

    def task(split: int) -> dict[str, Any]:
        model = classifier(contender, threads, random_state=split)
        whole = model if contender == "dnncore" else make_pipeline(StandardScaler(), model)
        train, test = splits[split]
        cpu, start = time.process_time(), time.perf_counter()
        whole.fit(X[train], y[train])
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {
            "accuracy": float(whole.score(X[test], y[test])),
            "epochs": int(model.n_iter_),
            "seconds": seconds,
            "cpu": cpu,
        }

    return task


def race_task(contender: str, threads: int, name: str) -> Callable[[int], dict[str, Any]]:
    """Trains epoch by epoch until the target is reached; scoring takes no time."""
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = dataset(name)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    classes = np.unique(y)
    classifier(contender, threads, random_state=0).partial_fit(X[:200], y[:200], classes=classes)

    def task(seed: int) -> dict[str, Any]:
        # scikit-learn would take the rows in the same order every epoch if it got the number.
        model = classifier(contender, threads, random_state=np.random.RandomState(seed))
        accuracy, epochs, seconds, cpu = 0.0, 0, 0.0, 0.0
        rows, test_rows = X, X_test
        while accuracy < TARGETS[name] and epochs < MAX_EPOCHS:
            cpu_start, start = time.process_time(), time.perf_counter()
            if contender == "sklearn" and epochs == 0:
                scaler = StandardScaler()
                rows = scaler.fit_transform(X)
                test_rows = scaler.transform(X_test)
            model.partial_fit(rows, y, classes=classes)
            seconds += time.perf_counter() - start
            cpu += time.process_time() - cpu_start
            epochs += 1
            accuracy = float(model.score(test_rows, y_test))
        return {"accuracy": accuracy, "epochs": epochs, "seconds": seconds, "cpu": cpu}

    return task


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Results of both questions, for every thread count."""
    chosen = options.choose(CONTENDERS)
    results: dict[str, Any] = {"splits": [], "races": []}
    for threads in options.threads:
        print(f"\ndigits, {SPLITS} splits, {count(threads, 'thread')}")
        outcome = take_turns(
            {name: ("accuracy:fit_task", (name, threads)) for name in chosen},
            [(split,) for split in range(SPLITS)],
            threads=threads,
        )
        row = {"threads": threads, "contenders": outcome.results, "absent": outcome.absent}
        results["splits"].append(row)
        print_row(row)
        for name, target in TARGETS.items():
            print(f"\n{name}, until accuracy {target}, {count(threads, 'thread')}")
            outcome = take_turns(
                {c: ("accuracy:race_task", (c, threads, name)) for c in chosen},
                [(seed,) for seed in range(options.rounds)],
                threads=threads,
            )
            row = {
                "dataset": name,
                "target": target,
                "threads": threads,
                "contenders": outcome.results,
                "absent": outcome.absent,
            }
            results["races"].append(row)
            print_row(row)
    return results


# ------------------------------------------------------------------------------------- output


def print_row(row: dict[str, Any]) -> None:
    for name, runs in row["contenders"].items():
        mean = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
        print(
            f"  {name:10}accuracy {mean['accuracy']:.4f}, {mean['epochs']:.0f} epochs, "
            f"{mean['cpu']:.3f} s CPU, {mean['seconds']:.3f} s (means of {len(runs)})"
        )
    for name, reason in row["absent"].items():
        print(f"  {name:10}{reason}")


def markdown(results: dict[str, Any]) -> str:
    """A table for each question."""
    return "\n\n".join(
        [
            f"### Digits, {SPLITS} stratified splits",
            markdown_table(
                ["classifier", "threads", "mean accuracy", "epochs", "CPU s", "times dnncore's"],
                [
                    [name, row["threads"], f"{_mean(runs, 'accuracy'):.4f}", *_costs(row, name)]
                    for row in results["splits"]
                    for name, runs in row["contenders"].items()
                ],
            ),
            "### Until a held-out accuracy is reached",
            markdown_table(
                ["classifier", "data, accuracy", "threads", "epochs", "CPU s", "times dnncore's",
                 "median s", "low", "high"],
                [
                    [
                        name,
                        f"{row['dataset']}, {row['target']}",
                        row["threads"],
                        *_costs(row, name),
                        *(f"{s:.3f}" for s in summary(run["seconds"] for run in runs).values()),
                    ]
                    for row in results["races"]
                    for name, runs in row["contenders"].items()
                ],
            ),
        ]
    )  # fmt: skip


def _mean(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.mean(run[key] for run in runs)


def _costs(row: dict[str, Any], name: str) -> list[str]:
    """Epochs, processor time, and its ratio to dnncore's."""
    runs, own = row["contenders"][name], row["contenders"].get("dnncore")
    missed = sum(run["epochs"] == MAX_EPOCHS for run in runs)
    return [
        f"{_mean(runs, 'epochs'):.0f}" + (f" ({missed} ended by the limit)" if missed else ""),
        f"{_mean(runs, 'cpu'):.3f}",
        f"{_mean(runs, 'cpu') / _mean(own, 'cpu'):.2f}" if own else "",
    ]


if __name__ == "__main__":
    options, output = parse(__doc__, CONTENDERS)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
