"""Accuracy and training time, compared with scikit-learn's networks.

The first part compares DNNClassifier and DNNRegressor with MLPClassifier and MLPRegressor, all with
default settings and the smallest selected number of threads, on data sets that scikit-learn ships
or generates: log-loss and accuracy, or R2, on held-out rows, and CPU time of the fit, over seeded
splits with a quarter of the rows held out. The scikit-learn networks are also run with features
standardised by a StandardScaler.

The second part compares the number of epochs and the time until a held-out accuracy is reached, on
digits and on a larger generated data set, for MLPClassifier(activation='logistic') with a
StandardScaler and DNNClassifier, which standardises its input, with otherwise equal settings.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from _harness import (
    Options,
    absences,
    count,
    markdown_table,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from contenders import Unavailable

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONTENDERS = ("dnncore", "sklearn")
# Rows of the tables, and their contenders.
MODELS = {"dnncore": "dnncore", "sklearn": "sklearn", "sklearn, standardised": "sklearn"}
SPLITS, QUICK_SPLITS = 10, 2
QUICK_STRIDE = 4  # a quick run uses every fourth data set

# Data sets: a function of sklearn.datasets or of this file, and its arguments.
SHIPPED = {"return_X_y": True}
CLASSIFICATION: dict[str, tuple[str, dict[str, Any]]] = {
    "iris": ("load_iris", SHIPPED),
    "wine": ("load_wine", SHIPPED),
    "breast cancer": ("load_breast_cancer", SHIPPED),
    "digits": ("load_digits", SHIPPED),
    "informative": (
        "make_classification",
        {
            "n_samples": 2000,
            "n_features": 20,
            "n_informative": 12,
            "n_classes": 5,
            "n_clusters_per_class": 2,
            "random_state": 0,
        },
    ),
    "noisy": (
        "make_classification",
        {
            "n_samples": 2000,
            "n_features": 50,
            "n_informative": 5,
            "n_redundant": 5,
            "flip_y": 0.1,
            "random_state": 0,
        },
    ),
    "moons": ("make_moons", {"n_samples": 1000, "noise": 0.25, "random_state": 0}),
    "circles": (
        "make_circles",
        {"n_samples": 1000, "noise": 0.15, "factor": 0.5, "random_state": 0},
    ),
    "blobs": (
        "make_blobs",
        {
            "n_samples": 1000,
            "n_features": 4,
            "centers": 6,
            "cluster_std": 4.0,
            "random_state": 0,
        },
    ),
    "quantiles": (
        "make_gaussian_quantiles",
        {"n_samples": 2000, "n_features": 6, "n_classes": 3, "random_state": 0},
    ),
    "hastie": ("make_hastie_10_2", {"n_samples": 4000, "random_state": 0}),
}
REGRESSION: dict[str, tuple[str, dict[str, Any]]] = {
    "diabetes": ("load_diabetes", SHIPPED),
    "linear": (
        "make_regression",
        {"n_samples": 1000, "n_features": 20, "noise": 20.0, "random_state": 0},
    ),
    "low rank": (
        "make_regression",
        {
            "n_samples": 1000,
            "n_features": 50,
            "effective_rank": 5,
            "noise": 1.0,
            "random_state": 0,
        },
    ),
    "three targets": (
        "make_regression",
        {
            "n_samples": 1000,
            "n_features": 20,
            "n_targets": 3,
            "noise": 20.0,
            "random_state": 0,
        },
    ),
    "friedman1": ("make_friedman1", {"n_samples": 1000, "noise": 1.0, "random_state": 0}),
    "friedman2": ("make_friedman2", {"n_samples": 1000, "noise": 125.0, "random_state": 0}),
    "friedman3": ("make_friedman3", {"n_samples": 1000, "noise": 0.1, "random_state": 0}),
    "sparse": ("make_sparse_uncorrelated", {"n_samples": 1000, "random_state": 0}),
    "swiss roll": ("make_swiss_roll", {"n_samples": 1000, "noise": 0.5, "random_state": 0}),
    "sines": ("make_sines", {"n_samples": 2000, "random_state": 0}),
}

MAX_EPOCHS = 1000
TARGETS = {"digits": 0.97, "generated": 0.85}  # held-out accuracy


# ----------------------------------------------------------------------------- in the workers


def dataset(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    import sklearn.datasets

    function, arguments = (CLASSIFICATION | REGRESSION)[name]
    make = globals().get(function) or getattr(sklearn.datasets, function)
    return make(**arguments)


def make_sines(n_samples: int, random_state: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows of five features, and targets: a sum of three sines, a product of two, noise."""
    import numpy as np

    random = np.random.default_rng(random_state)
    X = random.uniform(-1, 1, (n_samples, 5))
    waves = np.sin(np.pi * X * [1, 2, 3, 1, 2])
    y = waves[:, :3].sum(axis=1) + waves[:, 3] * waves[:, 4]
    return X, y + random.normal(0, 0.1, n_samples)


def large_dataset() -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import make_classification

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


def default_model(model: str, threads: int, classify: bool, **settings: object) -> Any:
    """Return an estimator with default settings, except for `settings` and the threads."""
    if model == "dnncore":
        from dnncore import DNNClassifier, DNNRegressor

        return (DNNClassifier if classify else DNNRegressor)(n_threads=threads, **settings)
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = (MLPClassifier if classify else MLPRegressor)(**settings)
    return network if model == "sklearn" else make_pipeline(StandardScaler(), network)


def processor_time() -> float:
    """Return the CPU time in seconds of this process, with all its threads, and its children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def fit_task(model: str, threads: int, name: str, splits: int) -> Callable[[int], dict[str, Any]]:
    """Return a task that fits the data set, except for the held-out rows of a split."""
    from sklearn.metrics import log_loss
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    X, y = dataset(name)
    classify = name in CLASSIFICATION
    splitter = (StratifiedShuffleSplit if classify else ShuffleSplit)(
        splits, test_size=0.25, random_state=0
    )
    parts = list(splitter.split(X, y))
    # A first fit, so that lazy loading is not included in the time of the first split.
    default_model(model, threads, classify, max_iter=2, random_state=0).fit(X, y)

    def task(split: int) -> dict[str, Any]:
        estimator = default_model(model, threads, classify, random_state=split)
        train, test = parts[split]
        cpu, start = processor_time(), time.perf_counter()
        estimator.fit(X[train], y[train])
        seconds, cpu = time.perf_counter() - start, processor_time() - cpu
        network = estimator if hasattr(estimator, "n_iter_") else estimator[-1]
        costs = {"epochs": int(network.n_iter_), "seconds": seconds, "cpu": cpu}
        score = float(estimator.score(X[test], y[test]))
        if not classify:
            return {"r2": score, **costs}
        p = estimator.predict_proba(X[test])
        loss = float(log_loss(y[test], p, labels=estimator.classes_))
        return {"log_loss": loss, "accuracy": score, **costs}

    return task


def classifier(contender: str, threads: int, **settings: object) -> Any:
    """Return the contender's classifier; `settings` have scikit-learn's names."""
    if contender == "dnncore":
        from dnncore import DNNClassifier

        return DNNClassifier(n_threads=threads, **settings)
    if contender == "sklearn":
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(activation="logistic", **settings)
    raise Unavailable(f"there is no classifier {contender}")


def race_task(contender: str, threads: int, name: str) -> Callable[[int], dict[str, Any]]:
    """Return a task that trains until the target accuracy is reached; scoring is not timed."""
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = dataset(name) if name in CLASSIFICATION else large_dataset()
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
    classes = np.unique(y)
    classifier(contender, threads, random_state=0).partial_fit(X[:200], y[:200], classes=classes)

    def task(seed: int) -> dict[str, Any]:
        # With an integer, scikit-learn would use the same order of rows in every epoch.
        model = classifier(contender, threads, random_state=np.random.RandomState(seed))
        accuracy, epochs, seconds, cpu = 0.0, 0, 0.0, 0.0
        rows, test_rows = X, X_test
        while accuracy < TARGETS[name] and epochs < MAX_EPOCHS:
            cpu_start, start = processor_time(), time.perf_counter()
            if contender == "sklearn" and epochs == 0:
                scaler = StandardScaler()
                rows = scaler.fit_transform(X)
                test_rows = scaler.transform(X_test)
            model.partial_fit(rows, y, classes=classes)
            seconds += time.perf_counter() - start
            cpu += processor_time() - cpu_start
            epochs += 1
            accuracy = float(model.score(test_rows, y_test))
        return {"accuracy": accuracy, "epochs": epochs, "seconds": seconds, "cpu": cpu}

    return task


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Return the results of both parts; of the second part for each number of threads."""
    results: dict[str, Any] = {"datasets": [], "races": []}
    chosen = options.choose(CONTENDERS)
    models = [model for model, library in MODELS.items() if library in chosen]
    threads, splits = min(options.threads), QUICK_SPLITS if options.quick else SPLITS
    for name in list(CLASSIFICATION | REGRESSION)[:: QUICK_STRIDE if options.quick else 1]:
        print(f"\n{name}, {splits} splits, {count(threads, 'thread')}")
        outcome = take_turns(
            {model: ("accuracy:fit_task", (model, threads, name, splits)) for model in models},
            [(split,) for split in range(splits)],
            threads=threads,
        )
        row = {
            "dataset": name,
            "kind": "classification" if name in CLASSIFICATION else "regression",
            "threads": threads,
            "contenders": outcome.results,
            "absent": outcome.absent,
        }
        results["datasets"].append(row)
        print_row(row)
    for threads in options.threads:
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
        means = ", ".join(f"{key} {_mean(runs, key):.4g}" for key in runs[0])
        print(f"  {name:22}{means} (means of {len(runs)})")
    for name, reason in row["absent"].items():
        print(f"  {name:22}{reason}")


def markdown(results: dict[str, Any]) -> str:
    """Return tables for the classifiers, the regressors, and the second part."""
    parts = []
    for kind, scores in (("classification", ["log_loss", "accuracy"]), ("regression", ["r2"])):
        rows = [row for row in results["datasets"] if row["kind"] == kind]
        parts += [f"### Default settings, {kind}, {count(rows[0]['threads'], 'thread')}"]
        parts += [_datasets_table(rows, scores)]
        missing = absences((row["dataset"], row["absent"]) for row in rows)
        parts += [missing] if missing else []
    parts += ["### Time to reach a held-out accuracy", _races_table(results["races"])]
    return "\n\n".join(parts)


def _datasets_table(rows: list[dict[str, Any]], scores: list[str]) -> str:
    """Return a table of means over splits, then over the data sets with results of all models."""
    names = {"log_loss": "held-out log-loss", "accuracy": "accuracy", "r2": "held-out R2"}
    keys = [*scores, "epochs", "cpu"]
    lines, means = [], []
    for row in rows:
        mean = {
            model: {key: _mean(runs, key) for key in keys}
            for model, runs in row["contenders"].items()
        }
        lines += [_datasets_line(row["dataset"], model, mean, keys) for model in mean]
        if not row["absent"]:
            means.append(mean)
    if means:
        over_all = {
            model: {key: statistics.mean(mean[model][key] for mean in means) for key in keys}
            for model in means[0]
        }
        title = f"**mean of {count(len(means), 'data set')}**"
        lines += [_datasets_line(title, model, over_all, keys) for model in over_all]
    header = ["data", "model", *(names[score] for score in scores), "epochs", "CPU s"]
    return markdown_table([*header, "relative to dnncore"], lines)


def _datasets_line(
    title: str, model: str, mean: dict[str, dict[str, float]], keys: list[str]
) -> list[str]:
    formats = {"epochs": ".0f"}
    values = [format(mean[model][key], formats.get(key, ".3f")) for key in keys]
    ratio = f"{mean[model]['cpu'] / mean['dnncore']['cpu']:.2f}" if "dnncore" in mean else ""
    return [title, model, *values, ratio]


def _races_table(rows: list[dict[str, Any]]) -> str:
    return markdown_table(
        ["classifier", "data, accuracy", "threads", "epochs", "CPU s", "relative to dnncore",
         "median s", "low", "high"],
        [
            [
                name,
                f"{row['dataset']}, {row['target']}",
                row["threads"],
                *_costs(row, name),
                *(f"{s:.3f}" for s in summary(run["seconds"] for run in runs).values()),
            ]
            for row in rows
            for name, runs in row["contenders"].items()
        ],
    )  # fmt: skip


def _mean(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.mean(run[key] for run in runs)


def _costs(row: dict[str, Any], name: str) -> list[str]:
    """Return the number of epochs, the CPU time, and its ratio to dnncore's."""
    runs, own = row["contenders"][name], row["contenders"].get("dnncore")
    missed = sum(run["epochs"] == MAX_EPOCHS for run in runs)
    return [
        f"{_mean(runs, 'epochs'):.0f}" + (f" ({missed} reached the limit)" if missed else ""),
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
