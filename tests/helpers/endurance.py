"""Measure memory, file descriptors and threads over many fits, files, exports and interruptions.

    python tests/helpers/endurance.py --rounds 10000

A round is one of each activity. The table has the resident set size, the file descriptors and the
threads of the process after a tenth of the rounds, in which caches and pools fill, and after all.
The status is 1 if the resident set size has grown by more than `--allowed` MB since, or any number
of the others.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

import dnncore
from dnncore import DNNClassifier, DNNRegressor
from dnncore.checkpoints import Checkpoint
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(120, 6)), np.arange(120) % 3
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "batch_size": 40, "random_state": 0}


class Resources(NamedTuple):
    """What a process holds: MB of memory, and numbers of file descriptors and threads."""

    megabytes: float
    descriptors: int
    threads: int

    @classmethod
    def now(cls) -> Resources:
        gc.collect()
        status = Path("/proc/self/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        memory, threads = int(fields["VmRSS"].split()[0]), int(fields["Threads"])
        return cls(memory / 1024.0, len(os.listdir("/proc/self/fd")), threads)


def interrupt(info: object) -> None:
    raise KeyboardInterrupt


def fail(info: object) -> None:
    raise ZeroDivisionError


class Activities:
    """What a user does again and again; each method is one of them.

    Parameters
    ----------
    folder : Path
        Folder for the files.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._checkpoint = folder / "model.safetensors", folder / "checkpoint"
        self._model = DNNClassifier(**SMALL).fit(X, LABELS)
        self._model.save(self._path, solver_state=True)
        self._source = folder / "model.c"

    def fit(self) -> None:
        DNNClassifier(**SMALL, n_threads=2).fit(X, LABELS)

    def fit_by_lbfgs(self) -> None:
        DNNRegressor(**SMALL | {"solver": "lbfgs"}).fit(X, X[:, 0])

    def fit_blocks(self) -> None:
        DNNClassifier(**SMALL).fit_blocks([(X[:60], LABELS[:60]), (X[60:], LABELS[60:])])

    def partial_fit(self) -> None:
        model = DNNClassifier(**SMALL)  # a new one, as a history grows
        for _ in range(2):
            model.partial_fit(X, LABELS, classes=[0, 1, 2])

    def save_and_load(self) -> None:
        self._model.save(self._path, solver_state=True)
        dnncore.load(self._path).predict(X)

    def load_a_predictor(self) -> None:
        Predictor.load(self._path).predict_proba(X)

    def export(self) -> None:
        dnncore.to_c(self._model, self._source)

    def checkpoints(self) -> None:
        model = DNNClassifier(**SMALL, checkpoint=Checkpoint(self._checkpoint, 0)).fit(X, LABELS)
        dnncore.load(self._checkpoint).set_params(warm_start=True).fit(X, LABELS)
        assert model.n_iter_ == 2

    def checkpoints_of_an_ensemble(self) -> None:
        options = {"n_members": 2, "hidden_layer_sizes": (3,), "max_iter": 1, "n_threads": 2}
        checkpoint = Checkpoint(self._checkpoint, 0)
        TabularClassifier(**options, checkpoint=checkpoint).fit(X, LABELS)
        dnncore.load(self._checkpoint).set_params(warm_start=True).fit(X, LABELS)

    def interrupted_fit(self) -> None:
        DNNClassifier(**SMALL, n_threads=2, callback=interrupt).fit(X, LABELS)

    def failed_fit(self) -> None:
        with suppress(ZeroDivisionError):
            DNNClassifier(**SMALL, callback=fail).fit_blocks([(X, LABELS)] * 2)

    def failed_save(self) -> None:
        with suppress(FileNotFoundError):
            self._model.save(self._path.parent / "nowhere" / "model")

    def all(self) -> list[Callable[[], None]]:
        return [
            self.fit, self.fit_by_lbfgs, self.fit_blocks, self.partial_fit, self.save_and_load,
            self.load_a_predictor, self.export, self.checkpoints,
            self.checkpoints_of_an_ensemble, self.interrupted_fit, self.failed_fit,
            self.failed_save,
        ]  # fmt: skip


def run(rounds: int) -> tuple[Resources, Resources]:
    """Return the resources after a tenth of the rounds, and after all."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training that is interrupted or too short
        activities = Activities(Path(folder)).all()
        for number in range(rounds):
            if number == rounds // 10:
                before = Resources.now()
            for act in activities:
                act()
        return before, Resources.now()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10_000, help="(default: %(default)s)")
    parser.add_argument("--allowed", type=float, default=2.0, help="MB (default: %(default)s)")
    arguments = parser.parse_args()
    before, after = run(arguments.rounds)
    for name in Resources._fields:
        print(f"{name:12}{getattr(before, name):10.1f}{getattr(after, name):10.1f}")
    grown = after.megabytes > before.megabytes + arguments.allowed or after[1:] > before[1:]
    sys.exit(bool(grown))


if __name__ == "__main__":
    main()
