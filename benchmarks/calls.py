"""Microseconds of single calls: estimators beside scikit-learn's, steps beside PyTorch's.

The network is 64-100-10 (64-100-1 for numbers), in float32, on one thread, with Adam and the
defaults of each library. The C step is that of an epoch of many mini-batches of the same size by
Trainer.run_epoch: what a call of partial_fit or Trainer.step takes beyond it is no arithmetic. A
policy is a network 4-64-64-2 with tanh that scores one row, or learns from it by a gradient of its
logits, with SGD.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from _harness import (
    Options,
    absences,
    markdown_table,
    microseconds,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)

N_FEATURES, N_HIDDEN, N_CLASSES = 64, 100, 10
BATCH_SIZE = 200  # largest mini-batch of the estimators
FIT_ROWS, FIT_FEATURES = 200, 20
MAX_CALLS = 20_000

Task = tuple[str, tuple[object, ...]]  # maker and its arguments


def _of_estimators(
    maker: str, *arguments: object, classifiers_only: bool = False
) -> dict[str, Task]:
    kinds = ("Classifier",) if classifiers_only else ("Classifier", "Regressor")
    return {
        name + kind: (f"calls:{maker}", (name + kind, *arguments))
        for kind in kinds
        for name in ("DNN", "MLP")
    }


# The contenders of each call.
CALLS: dict[str, dict[str, Task]] = {
    **{
        f"partial_fit, {n} row{'s' if n > 1 else ''}": {
            "C step": ("calls:c_steps", (n,)),
            **_of_estimators("partial_fit", n),
        }
        for n in (1, 32, 8192)
    },
    "predict, 1 row": _of_estimators("score", "predict"),
    "predict_proba, 1 row": _of_estimators("score", "predict_proba", classifiers_only=True),
    f"fit, {FIT_ROWS} x {FIT_FEATURES}, 1 epoch": _of_estimators("fit"),
    **{
        f"a step on {n} row{'s' if n > 1 else ''}": {
            "C step": ("calls:c_steps", (n,)),
            "Trainer": ("calls:step", (n,)),
            "PyTorch": ("calls:torch_step", (n,)),
        }
        for n in (1, 32)
    },
    **{
        f"policy, {what}": {
            "Trainer": ("calls:policy", (backward,)),
            "PyTorch": ("calls:torch_policy", (backward,)),
        }
        for what, backward in (("forward", False), ("forward and backward", True))
    },
}
NAMES = tuple(dict.fromkeys(name for tasks in CALLS.values() for name in tasks))


# ----------------------------------------------------------------------------- in the workers


def c_steps(n_rows: int) -> Callable[[float], float]:
    """Return a task that gives the time of the C steps on n rows, within a long epoch."""
    from dnncore import Network
    from dnncore.training import Adam, Trainer

    batch = min(n_rows, BATCH_SIZE)
    X, y = _rows(max(40 * batch, n_rows), N_FEATURES, N_CLASSES)
    network = Network((N_FEATURES, N_HIDDEN, N_CLASSES), dtype=X.dtype, seed=0, activation="relu")
    network.update_norm(X)
    trainer = Trainer(network, Adam(), batch_size=batch, seed=0, n_threads=1)
    return _timed(lambda: trainer.run_epoch(X, y), share=n_rows / len(X))


def partial_fit(name: str, n_rows: int) -> Callable[[float], float]:
    model = _fitted(name)
    X, y = _rows(n_rows, N_FEATURES, _outputs(name))
    return _timed(lambda: model.partial_fit(X, y))


def step(n_rows: int) -> Callable[[float], float]:
    from dnncore import Network
    from dnncore.training import Adam, Trainer

    X, y = _rows(n_rows, N_FEATURES, N_CLASSES)
    network = Network((N_FEATURES, N_HIDDEN, N_CLASSES), dtype=X.dtype, seed=0, activation="relu")
    network.update_norm(_rows(BATCH_SIZE, N_FEATURES, N_CLASSES)[0])
    trainer = Trainer(network, Adam(), seed=0, n_threads=1)
    if n_rows == 1:
        x, label = X[0], int(y[0])
        return _timed(lambda: trainer.learn_one(x, label))
    return _timed(lambda: trainer.step(X, y))


def torch_step(n_rows: int) -> Callable[[float], float]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    X, y = map(torch.from_numpy, _rows(n_rows, N_FEATURES, N_CLASSES))
    model = nn.Sequential(
        nn.Linear(N_FEATURES, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, N_CLASSES)
    )
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()

    def call() -> None:
        optimizer.zero_grad()
        loss = loss_of(model(X), y)
        loss.backward()
        optimizer.step()
        loss.item()

    return _timed(call)


def policy(backward: bool) -> Callable[[float], float]:
    import numpy as np

    from dnncore import Network
    from dnncore.training import SGD, Trainer

    network = Network((4, 64, 64, 2), dtype=np.float32, seed=0, activation="tanh")
    trainer = Trainer(network, SGD(1e-4, momentum=0.0), n_threads=1)
    x, dz = _rows(1, 4, 2)[0][0], np.array([0.5, -0.5], np.float32)

    def learn() -> None:
        trainer.forward(x)
        trainer.backward(dz=dz)

    return _timed(learn if backward else lambda: trainer.forward(x))


def torch_policy(backward: bool) -> Callable[[float], float]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    model = nn.Sequential(
        nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 2)
    )
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    x, dz = torch.from_numpy(_rows(1, 4, 2)[0]), torch.tensor([[0.5, -0.5]])

    def act() -> None:
        with torch.no_grad():
            torch.softmax(model(x), 1)

    def learn() -> None:
        optimizer.zero_grad()
        z = model(x)
        torch.softmax(z.detach(), 1)
        z.backward(dz)
        optimizer.step()

    return _timed(learn if backward else act)


def score(name: str, method: str) -> Callable[[float], float]:
    call = getattr(_fitted(name), method)
    X, _ = _rows(1, N_FEATURES, N_CLASSES)
    return _timed(lambda: call(X))


def fit(name: str) -> Callable[[float], float]:
    X, y = _rows(FIT_ROWS, FIT_FEATURES, _outputs(name) and 2)
    model = _estimator(name, max_iter=1)
    return _timed(lambda: model.fit(X, y))


def _timed(call: Callable[[], object], share: float = 1.0) -> Callable[[float], float]:
    """Return a task that calls for a number of seconds; it gives the median, in microseconds."""

    def task(seconds: float) -> float:
        ns: list[int] = []
        clock = time.perf_counter_ns
        end = clock() + seconds * 1e9
        while not ns or (clock() < end and len(ns) < MAX_CALLS):
            start = clock()
            call()
            ns.append(clock() - start)
        return statistics.median(ns) / 1e3 * share

    return task


def _outputs(name: str) -> int:
    """Return the number of classes of a classifier, or 0 for a regressor."""
    return N_CLASSES if name.endswith("Classifier") else 0


def _rows(n: int, n_features: int, n_classes: int) -> tuple[Any, Any]:
    import numpy as np

    random = np.random.default_rng(0)
    X = random.standard_normal((n, n_features), np.float32)
    y = random.integers(n_classes, size=n) if n_classes else random.standard_normal(n)
    return X, y


def _estimator(name: str, **settings: Any) -> Any:
    from sklearn import neural_network

    import dnncore

    if name.startswith("DNN"):
        return getattr(dnncore, name)(n_threads=1, random_state=0, **settings)
    return getattr(neural_network, name)(random_state=0, **settings)


def _fitted(name: str) -> Any:
    X, y = _rows(BATCH_SIZE, N_FEATURES, _outputs(name))
    classes = {"classes": range(N_CLASSES)} if _outputs(name) else {}
    return _estimator(name, hidden_layer_sizes=(N_HIDDEN,)).partial_fit(X, y, **classes)


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Return the times of all calls."""
    rows = []
    for call, tasks in CALLS.items():
        print(f"\n{call}")
        row = measure_row(call, tasks, options)
        rows.append(row)
        for name, time_ in row["contenders"].items():
            print(
                f"  {name:15}{microseconds(time_['median']):>10} us  "
                f"[{microseconds(time_['low'])} ... {microseconds(time_['high'])}]"
            )
        for name, reason in row["absent"].items():
            print(f"  {name:15}{reason}")
    return {"rows": rows}


def measure_row(call: str, tasks: Mapping[str, Task], options: Options) -> dict[str, Any]:
    chosen = {name: tasks[name] for name in options.choose(tasks)}
    seconds = 0.05 if options.quick else 0.5
    outcome = take_turns(chosen, [(seconds,)] * (1 + options.rounds), threads=1)
    return {
        "call": call,
        "contenders": {name: summary(turns[1:]) for name, turns in outcome.results.items()},
        "absent": outcome.absent,
    }


# ------------------------------------------------------------------------------------- output


def markdown(results: dict[str, Any]) -> str:
    """Return a table of the medians."""
    rows = results["rows"]
    names = [name for name in NAMES if any(name in row["contenders"] for row in rows)]

    def cell(row: dict[str, Any], name: str) -> str:
        time_ = row["contenders"].get(name)
        return "" if time_ is None else microseconds(time_["median"])

    parts = [
        "## Microseconds per call",
        markdown_table(
            ["call", *names], [[row["call"], *(cell(row, name) for name in names)] for row in rows]
        ),
    ]
    without = absences((row["call"], row["absent"]) for row in rows)
    if without:
        parts += ["No result:", without]
    return "\n\n".join(parts)


if __name__ == "__main__":
    options, output = parse(__doc__, NAMES)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
