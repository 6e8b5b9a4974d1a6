"""Model configurations for digests.py: functions of the number of threads that return arrays.

They use only the public interface, so that any two versions of dnncore can be compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

RNG_SEED = 20260101
CONFIGURATIONS: dict[str, Callable[[int], list[Any]]] = {}


def configuration(function: Callable[[int], list[Any]]) -> Callable[[int], list[Any]]:
    """Register a configuration: a function of the number of threads that returns arrays."""
    CONFIGURATIONS[function.__name__] = function
    return function


def rows(n: int = 150, k: int = 11, dtype: Any = np.float64) -> np.ndarray:
    X = np.random.default_rng(RNG_SEED).normal(size=(n, k)) * np.linspace(0.1, 30, k) + 2
    return X.astype(dtype)


def with_gaps(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    X[:, 0] = 1.0
    return X


def classes(n: int = 150, m: int = 3) -> np.ndarray:
    return np.random.default_rng(RNG_SEED + 1).integers(m, size=n)


def words(n: int = 150) -> np.ndarray:
    return np.array(["red", "green", "blue"])[classes(n)]


def weights(n: int = 150) -> np.ndarray:
    weight = np.random.default_rng(RNG_SEED + 2).random(n)
    weight[::7] = 0.0
    return weight


def targets(n: int = 150, m: int = 2) -> np.ndarray:
    X = rows(n)
    return np.stack([X[:, 0] * X[:, 1] + 5, np.sin(X[:, 2]) * 100], axis=1)[:, :m]


def model_arrays(model: Any, X: Any) -> list[Any]:
    network = model.network_
    found = [network.parameters, network.mean_, network.scale_, model.loss_curve_]
    found += [model.validation_scores_, model.validation_losses_, model.predict(X)]
    if hasattr(model, "predict_proba"):
        found += [model.predict_proba(X), getattr(model, "class_prior_", None), model.classes_]
    else:
        found += [model.target_mean_, model.target_scale_]
    frozen = model.freeze()
    dense = X.toarray() if hasattr(X, "toarray") else X
    return [*found, frozen.parameters, frozen(np.ascontiguousarray(dense, frozen.dtype))]


def estimator(name: str, kind: str, *, data: Callable[[], dict[str, Any]], **options: Any) -> None:
    """Register a configuration that fits an estimator."""

    def run(n_threads: int) -> list[Any]:
        import dnncore

        made = getattr(dnncore, kind)(
            **{"hidden_layer_sizes": (17, 9), "batch_size": 32, "max_iter": 4, "random_state": 3}
            | options,
            n_threads=n_threads,
        )
        given = data()
        model = made.fit(given.pop("X"), given.pop("y"), **given)
        return model_arrays(model, data()["X"])

    CONFIGURATIONS[name] = run


def plain(dtype: Any = np.float64, **more: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"X": rows(dtype=dtype), "y": words(), **more}


def real(dtype: Any = np.float64, m: int = 1, **more: Any) -> Callable[[], dict[str, Any]]:
    def data() -> dict[str, Any]:
        y = targets(m=m)
        return {"X": rows(dtype=dtype), "y": y[:, 0] if m == 1 else y, **more}

    return data


def held_out(y: Any) -> dict[str, Any]:
    return {"X_val": rows(60)[20:], "y_val": y[20:60], "sample_weight_val": weights(60)[20:]}


def sparse_rows() -> Any:
    from scipy.sparse import csr_array

    X = rows()
    X[np.random.default_rng(5).random(X.shape) < 0.7] = 0.0
    return csr_array(X)


def register_estimators() -> None:
    classifier, regressor = "DNNClassifier", "DNNRegressor"
    for activation in ("logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"):
        for dtype in (np.float64, np.float32):
            estimator(
                f"{activation}_{np.dtype(dtype).name}", classifier, data=plain(dtype),
                activation=activation,
            )  # fmt: skip
    for name, options in {
        "sgd_plain": {"solver": "sgd", "momentum": 0.0},
        "sgd_momentum": {"solver": "sgd", "nesterovs_momentum": False},
        "sgd_nesterov": {"solver": "sgd"},
        "sgd_invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
        "sgd_adaptive": {
            "solver": "sgd", "learning_rate": "adaptive", "max_iter": 30, "n_iter_no_change": 1,
            "tol": 0.05,
        },
        "sgd_newbob": {
            "solver": "sgd", "learning_rate": "newbob", "max_iter": 20, "batch_size": 8,
            "learning_rate_init": 0.2,
        },
        "adamw": {"solver": "adamw", "weight_decay": 0.1},
        "sgd_cosine": {"solver": "sgd", "learning_rate": "cosine"},
        "adamw_coslog4": {"solver": "adamw", "learning_rate": "coslog4"},
        "adam_newbob": {"learning_rate": "newbob", "max_iter": 20, "learning_rate_init": 0.1},
        "newbob_that_diverges": {
            "solver": "sgd", "learning_rate": "newbob", "max_iter": 12, "learning_rate_init": 1e6,
            "norm": False,
        },
        "lbfgs": {"solver": "lbfgs", "max_iter": 15},
        "no_norm": {"norm": False},
        "no_shuffle": {"shuffle": False},
        "no_norm_no_shuffle": {"norm": False, "shuffle": False},
        "no_penalty": {"alpha": 0.0},
        "dropout": {"dropout": 0.3},
        "smoothing": {"label_smoothing": 0.1},
        "balanced": {"class_weight": "balanced"},
        "class_weight": {"class_weight": {"red": 2.0, "green": 0.5, "blue": 1.0}},
        "early_stopping": {"early_stopping": True, "max_iter": 15, "n_iter_no_change": 3},
        "blas": {"engine": "blas"},
        "builtin": {"engine": "builtin"},
        "no_hidden": {"hidden_layer_sizes": ()},
        "wide": {"hidden_layer_sizes": (130, 67), "batch_size": 100},
        "one_batch": {"batch_size": 1000},
    }.items():  # fmt: skip
        estimator(name, classifier, data=plain(), **options)
    estimator("weights", classifier, data=plain(sample_weight=weights()))
    estimator(
        "weights_balanced", classifier, data=plain(sample_weight=weights()), class_weight="balanced"
    )
    estimator(
        "held_out", classifier, data=plain(**held_out(words())), scoring=["accuracy"], max_iter=8
    )
    estimator(
        "held_out_newbob", classifier, data=plain(**held_out(words())), learning_rate="newbob",
        max_iter=12, batch_size=8,
    )  # fmt: skip
    for way in ("mean", "indicator"):
        estimator(
            f"missing_{way}", classifier,
            data=lambda: {"X": with_gaps(rows()), "y": words()}, missing_values=way,
        )  # fmt: skip
    estimator(
        "missing_weights_dropout", classifier, dropout=0.2, missing_values="indicator",
        data=lambda: {"X": with_gaps(rows()), "y": words(), "sample_weight": weights()},
    )  # fmt: skip
    for norm in (True, False):
        estimator(
            f"sparse_norm_{norm}", classifier, norm=norm,
            data=lambda: {"X": sparse_rows(), "y": words()},
        )  # fmt: skip
    estimator(
        "multilabel", classifier,
        data=lambda: {"X": rows(), "y": (targets() > 4).astype(int)}, class_weight="balanced",
    )  # fmt: skip

    def soft() -> dict[str, Any]:
        L = np.random.default_rng(9).dirichlet(np.ones(4), 150)
        return {"X": rows(), "y": L, "sample_weight": weights()}

    estimator("soft_labels", classifier, data=soft, label_smoothing=0.05)
    for loss in ("squared_error", "huber"):
        for m in (1, 2):
            estimator(f"{loss}_{m}", regressor, data=real(m=m), loss=loss)
    estimator("regression_float32", regressor, data=real(np.float32))
    estimator("regression_raw", regressor, data=real(), norm=False, norm_target=False)
    estimator("regression_weights", regressor, data=real(sample_weight=weights()))
    estimator("regression_early", regressor, data=real(), early_stopping=True, max_iter=12)
    estimator("regression_lbfgs", regressor, data=real(m=2), solver="lbfgs", max_iter=10)


@configuration
def partial_fit(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier

    X, y = rows(), words()
    model = DNNClassifier(17, random_state=0, batch_size=16, n_threads=n_threads)
    for start in range(0, 150, 50):
        part = slice(start, start + 50)
        model.partial_fit(X[part], y[part], weights()[part], classes=["blue", "green", "red"])
    return model_arrays(model, X)


@configuration
def partial_fit_regression(n_threads: int) -> list[Any]:
    from dnncore import DNNRegressor

    X, y = rows(), targets()
    model = DNNRegressor(hidden_layer_sizes=17, random_state=0, batch_size=16, n_threads=n_threads)
    for start in range(0, 150, 50):
        model.partial_fit(X[start : start + 50], y[start : start + 50])
    return model_arrays(model, X)


@configuration
def warm_start(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier

    model = DNNClassifier(
        17, random_state=0, warm_start=True, max_iter=3, n_threads=n_threads, dropout=0.1
    )
    return model_arrays(model.fit(rows(), words()).fit(rows(), words(), weights()), rows())


def blocks_of(X: Any, y: Any, weight: Any, size: int = 37) -> list[Any]:
    parts = [slice(start, start + size) for start in range(0, 150, size)]
    return [
        (X[part], y[part]) if weight is None else (X[part], y[part], weight[part])
        for part in parts
    ]  # fmt: skip


@configuration
def fit_blocks(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier

    found = []
    for shuffle in (False, True):
        for weight in (None, weights()):
            for class_weight in (None, "balanced"):
                model = DNNClassifier(
                    17, random_state=0, max_iter=3, batch_size=16, shuffle=shuffle,
                    class_weight=class_weight, n_threads=n_threads,
                ).fit_blocks(blocks_of(rows(), words(), weight))  # fmt: skip
                found += model_arrays(model, rows())
    return found


@configuration
def fit_blocks_missing(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier

    X = with_gaps(rows())
    model = DNNClassifier(
        17, random_state=0, max_iter=3, missing_values="indicator", n_threads=n_threads
    )
    return model_arrays(model.fit_blocks(blocks_of(X, words(), None)), X)


@configuration
def fit_blocks_sparse(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier

    X = sparse_rows()
    model = DNNClassifier(17, random_state=0, max_iter=3, n_threads=n_threads)
    return model_arrays(model.fit_blocks(blocks_of(X, words(), weights())), X)


@configuration
def fit_blocks_regression(n_threads: int) -> list[Any]:
    from dnncore import DNNRegressor

    model = DNNRegressor(
        hidden_layer_sizes=17,
        random_state=0,
        max_iter=3,
        learning_rate="newbob",
        n_threads=n_threads,
    )
    model.fit_blocks(
        blocks_of(rows(), targets(), weights()), X_val=rows(60)[:30], y_val=targets(60)[:30]
    )
    return model_arrays(model, rows())


@configuration
def npy_blocks(n_threads: int) -> list[Any]:
    from dnncore import DNNClassifier
    from dnncore.blocks import NpyBlocks

    with tempfile.TemporaryDirectory() as folder:
        X_path, y_path = f"{folder}/X.npy", f"{folder}/y.npy"
        np.save(X_path, rows(dtype=np.float32))
        np.save(y_path, words())
        model = DNNClassifier(17, random_state=0, max_iter=3, n_threads=n_threads)
        model.fit_blocks(NpyBlocks(X_path, y_path, rows_per_block=40))
    return model_arrays(model, rows(dtype=np.float32))


@configuration
def network_gradients(n_threads: int) -> list[Any]:
    from dnncore import Network

    found: list[Any] = []
    for dtype in (np.float64, np.float32):
        for output, y in (("softmax", classes()), ("identity", targets(m=3).astype(dtype))):
            if output == "identity":
                y = np.concatenate([y, y[:, :1]], axis=1)
            network = Network((11, 9, 8, 3), dtype=dtype, seed=1, activation="tanh", output=output)
            network.update_norm(rows(dtype=dtype), weights())
            got = network.gradients(rows(dtype=dtype), y, sample_weight=weights(), alpha=0.1)
            found += [got.loss, got.flat, got.dx, *got.deltas]
            found += [network.predict_proba(rows(dtype=dtype), n_threads=n_threads)]
    return found


def table() -> list[list[Any]]:
    return [
        [*x, word, None if x[0] > 5 else word]
        for x, word in zip(with_gaps(rows()), words(), strict=True)
    ]


def tabular(kind: str, y: Any, **options: Any) -> Callable[[int], list[Any]]:
    """Return a configuration that fits an estimator of tables."""

    def run(n_threads: int) -> list[Any]:
        import dnncore.tabular

        model = getattr(dnncore.tabular, kind)(
            n_members=3, hidden_layer_sizes=(17, 9), batch_size=32, max_iter=8, random_state=0,
            n_threads=n_threads, **options,
        ).fit(table(), y)  # fmt: skip
        frozen = model.freeze()
        found = [network.parameters for network in model.ensemble_.networks]
        found += [history.validation_losses for history in model.histories_]
        return [*found, model.predict(table()), frozen(frozen.encode(table()))]

    return run


@configuration
def saved_and_loaded(n_threads: int) -> list[Any]:
    import dnncore
    from dnncore import DNNClassifier

    model = DNNClassifier(17, random_state=0, max_iter=3, n_threads=n_threads, warm_start=True)
    model.fit(rows(), words())
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.safetensors", solver_state=True)
        again = dnncore.load(f"{folder}/model.safetensors")
    return model_arrays(again.fit(rows(), words()), rows())


register_estimators()
CONFIGURATIONS["tabular_classifier"] = tabular("TabularClassifier", words())
CONFIGURATIONS["tabular_classifier_plain"] = tabular("TabularClassifier", words(), n_bins=0)
CONFIGURATIONS["tabular_regressor"] = tabular("TabularRegressor", targets(), importances=True)
