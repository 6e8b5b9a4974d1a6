"""Random configurations of training: the same bits whatever threads, instruction set and blocks.

Each configuration is trained once in a thread on plain C, then with other numbers of threads,
instruction sets and divisions of the rows into blocks; parameters, losses and predictions are
compared bit for bit.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from _search import search
from scipy import sparse

from dnncore import DNNClassifier, DNNRegressor
from dnncore._core import csrc

FITS = 6  # of each configuration, beside the first
THREADS = range(1, 17)
ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "selu", "silu", "gelu", "mish")
LOSSES = ("squared_error", "huber", "absolute_error", "poisson", "quantile")


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def estimator(rng: np.random.Generator, k: int) -> DNNClassifier | DNNRegressor:
    """With k input features."""
    hidden = tuple(int(n) for n in rng.integers(1, 70, rng.integers(0, 4)))
    options: dict[str, Any] = {
        "hidden_layer_sizes": hidden,
        "activation": pick(rng, ACTIVATIONS),
        "solver": pick(rng, ("sgd", "adam", "adamw", "adam", "lbfgs")),
        "alpha": pick(rng, (0, 1e-4, 0.1)),
        "batch_size": int(rng.integers(1, 150)),
        "learning_rate_init": pick(rng, (1e-3, 1e-2)),
        "shuffle": bool(rng.integers(2)),
        "max_iter": int(rng.integers(1, 4)),
        "early_stopping": False,
        "random_state": int(rng.integers(2**31)),
        "engine": "builtin",
        "missing_values": pick(rng, ("error", "mean", "indicator")),
        "norm": bool(rng.integers(4)),
    }
    if options["solver"] == "lbfgs":
        options["max_iter"] *= 2
    else:
        options["dropout"] = pick(rng, (0, 0, 0.3))
        options["max_grad_norm"] = pick(rng, (None, None, 0.5))
    if rng.random() < 0.5:
        return DNNClassifier(**options)
    options["loss"] = pick(rng, LOSSES)
    if options["loss"] == "quantile":
        options["quantiles"] = (0.1, 0.5, 0.9)
    return DNNRegressor(**options)


def rows(rng: np.random.Generator, model: Any) -> tuple[Any, np.ndarray, np.ndarray | None]:
    n, k = int(rng.integers(12, 400)), int(rng.integers(1, 50))
    X = rng.normal(size=(n, k)).astype(pick(rng, (np.float32, np.float64)))
    if isinstance(model, DNNClassifier):
        n_classes = int(rng.integers(2, 6))
        y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)]
        if rng.random() < 0.2:
            y = rng.integers(0, 2, (n, 3))
    else:
        y = np.abs(rng.normal(size=n)) + X[:, 0] ** 2
    if model.missing_values != "error":
        X[rng.random(X.shape) < 0.1] = np.nan
    elif rng.random() < 0.2:
        X = sparse.csr_array(X * (rng.random(X.shape) < 0.3))
    return X, y, rng.random(n) if rng.random() < 0.3 else None


def blocks(rng: np.random.Generator, *arrays: Any) -> list[tuple[Any, ...]]:
    """Of random sizes, at least one row each."""
    n = arrays[0].shape[0]
    inner = rng.choice(np.arange(1, n), min(n - 1, int(rng.integers(0, 6))), replace=False)
    cuts = [0, *sorted(int(cut) for cut in inner), n]
    return [tuple(x[a:b] for x in arrays) for a, b in pairwise(cuts)]


def bits(model: Any, X: Any) -> tuple[bytes, ...]:
    results = [model.network_.parameters, np.array(model.loss_curve_), model.predict(X)]
    if isinstance(model, DNNClassifier):
        results.append(model.predict_proba(X))
    if model.network_.mean_ is not None:
        results += [model.network_.mean_, model.network_.scale_]
    return tuple(np.ascontiguousarray(x).tobytes() for x in results)


def try_one(rng: np.random.Generator) -> str:
    model = estimator(rng, 0)
    X, y, weight = rows(rng, model)
    arrays = (X, y) if weight is None else (X, y, weight)
    in_blocks = not model.shuffle and model.solver != "lbfgs"
    csrc.select("generic")
    model.set_params(n_threads=1)
    try:
        expected = bits(model.fit(*arrays), X)
    except ValueError as error:
        return f"refused ({str(error)[:60]})"
    for _ in range(FITS):
        isa = pick(rng, csrc.available())
        csrc.select(isa)
        model.set_params(n_threads=int(pick(rng, THREADS)))
        divided = in_blocks and rng.random() < 0.5
        if divided:
            model.fit_blocks(blocks(rng, *arrays))
        else:
            model.fit(*arrays)
        assert bits(model, X) == expected, (isa, divided, model)
    return f"with {FITS + 1} fits of the same bits{', also in blocks' * in_blocks}"


if __name__ == "__main__":
    search(try_one)
