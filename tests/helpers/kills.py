"""Kill ``dnncore train --checkpoint`` at random moments, until it has come to its end by --resume.

    python tests/helpers/kills.py --kills 200 --seed 0

Every round trains one of several configurations on a small table, with a checkpoint after every
epoch (of an ensemble, after every network), and sends SIGKILL after a random time, again and again,
most often soon after a checkpoint. The last model file must have the bytes of that of a training
that was never stopped. After every kill, the file must load. Every file is synchronised with the
disk, which may be slow: TMPDIR=/dev/shm is faster.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from multiprocessing.process import BaseProcess as Process
from pathlib import Path
from typing import Any

import numpy as np

from dnncore import cli
from dnncore._estimators.interface import (
    TabularModel,
    unfinished_ensemble_of,
    unfinished_fit_of,
)
from dnncore.modelfile import load

NETWORK = "--model network --threads 1"
# Options that --resume needs as well, and those that it finds in the file.
CONFIGURATIONS = {
    "adam": (NETWORK, "--epochs 250"),
    "early stopping": (NETWORK, "--early-stopping --epochs 250 --dropout 0.2"),
    "newbob": (NETWORK, "--schedule newbob --solver sgd --epochs 250"),
    "cosine": (NETWORK, "--schedule cosine --solver adamw --epochs 250"),
    "coslog4": (NETWORK, "--schedule coslog4 --solver sgd --epochs 250 --dropout 0.1"),
    "in blocks": (NETWORK + " --blocks", "--epochs 100"),
    "ensemble": ("--threads 2", "--model tabular --members 6 --epochs 15"),
    "ensemble of numbers": ("--threads 1", "--regression --members 5 --epochs 20 --dropout 0.2"),
}
# Processes are forked from a server that has imported what a training needs.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["dnncore.cli.train", "dnncore.classifier", "dnncore.tabular", "sklearn.model_selection"]
)
SECONDS = 600.0  # until a command that does not end is an error
# This share of the kills comes at most so many seconds after the first epoch of a process.
SHARE_AFTER_EPOCH, LATEST = 0.8, 0.3


class Training:
    """Trainings of one configuration, in a folder of their own.

    Parameters
    ----------
    folder : Path
        Folder with the table, ``data.csv``.
    name : str
        Name of the configuration.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._data = str(folder / "data.csv")
        self._repeated, self._kept = (options.split() for options in CONFIGURATIONS[name])
        self._folder = folder / name.replace(" ", "_")
        self._folder.mkdir()
        self.output = self._folder / "model.safetensors"

    def start(self, *options: str) -> Process:
        """Start a training."""
        arguments = [
            "train", self._data, "--target", "y", "--quiet", "--no-plot", *self._repeated,
            "--output", str(self.output), *options,
        ]  # fmt: skip
        process = SERVER.Process(target=command, args=(arguments,))
        process.start()
        return process

    def whole(self) -> tuple[str, float]:
        """Train without a kill; return the digest of the model file, and the time it took."""
        start = time.monotonic()
        finish(self.start(*self._kept))
        seconds, found = time.monotonic() - start, digest(self.output)
        self.output.unlink()
        return found, seconds

    def killed(self, longest: float, kills: int, rng: random.Random) -> tuple[int, int]:
        """Train with at most so many kills; return their number, and of those after an epoch."""
        done, after_epoch = 0, 0
        while done < kills:
            before, process = self._go_on()
            if rng.random() < SHARE_AFTER_EPOCH:
                self._wait_for_an_epoch(process, before)
                process.join(rng.uniform(0.0, LATEST))
            else:
                process.join(rng.uniform(0.0, longest))
            if not process.is_alive():
                finish(process)
                return done, after_epoch
            process.kill()
            process.join()
            done += 1
            after_epoch += self.output.exists() and digest(self.output) != before
            if self.is_complete():  # killed while it evaluated the model
                return done, after_epoch
        finish(self._go_on()[1])
        return done, after_epoch

    def _go_on(self) -> tuple[str | None, Process]:
        """Start or resume the training; return the digest of the file that it goes on from."""
        if not self.output.exists():
            return None, self.start(*self._kept, "--checkpoint", "0")
        options = "--resume", str(self.output), "--checkpoint", "0"
        return digest(self.output), self.start(*options)

    def _wait_for_an_epoch(self, process: Process, before: str | None) -> None:
        """Wait until the process has written a file, or has ended."""
        while process.is_alive():
            if self.output.exists() and digest(self.output) != before:
                return
            time.sleep(0.001)

    def is_complete(self) -> bool:
        """Return whether training has ended; raise if there is a file that is not whole."""
        files = list(self._folder.iterdir())
        models = {path: load(path) for path in files}
        for path in set(files) - {self.output}:  # killed when it had a name, but not the last one
            print(f"a killed process has left {path.name}", flush=True)
            path.unlink()
        return self.output in models and not is_unfinished(models[self.output])


def is_unfinished(model: Any) -> bool:
    unfinished = unfinished_ensemble_of if isinstance(model, TabularModel) else unfinished_fit_of
    return unfinished(model) is not None


def command(arguments: Sequence[str]) -> None:
    """Run a command, in a process of its own."""
    with open(os.devnull, "w") as nothing, redirect_stdout(nothing):
        status = cli.main(list(arguments))
    sys.exit(status)


def finish(process: Process) -> None:
    """Wait until a process ends, which must be without an error."""
    process.join(SECONDS)
    if process.exitcode != 0:
        raise SystemExit(f"the command ended with status {process.exitcode}")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_table(path: Path) -> None:
    """Write a table that is learnt slowly: half of the labels are by chance."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 20)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    by_chance = rng.random(len(y)) < 0.5
    y[by_chance] = rng.integers(0, 2, by_chance.sum())
    header = ",".join([*(f"x{i}" for i in range(20)), "y"])
    np.savetxt(path, np.column_stack([X, y]), "%.9g", ",", header=header, comments="")


def run(kills: int, names: Sequence[str], seed: int) -> tuple[int, int, int]:
    """Kill so many times in all; return the numbers of kills, of those after an epoch, and of
    models that differ."""
    rng, done, after_epoch, wrong = random.Random(seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_table(folder / "data.csv")
        trainings = {name: Training(folder, name) for name in names}
        wholes = {name: training.whole() for name, training in trainings.items()}
        n_rounds = 0
        while done < kills:
            name = names[n_rounds % len(names)]
            n_rounds += 1
            training, (expected, seconds) = trainings[name], wholes[name]
            n_most = min(rng.randint(1, 8), kills - done)
            n_kills, n_after = training.killed(seconds, n_most, rng)
            done, after_epoch = done + n_kills, after_epoch + n_after
            same = digest(training.output) == expected
            training.output.unlink()
            print(f"{name}: {n_kills} kills, {'the same' if same else 'OTHER'} bytes", flush=True)
            wrong += not same
    return done, after_epoch, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--only", choices=CONFIGURATIONS, nargs="+", default=list(CONFIGURATIONS))
    arguments = parser.parse_args()
    done, after_epoch, wrong = run(arguments.kills, arguments.only, arguments.seed)
    print(
        f"{done} kills, {after_epoch} of them after an epoch of their process; {wrong} of the "
        "models differ from one that was never stopped"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
