"""Kill ``dnncore train --checkpoint`` at random moments, until it has come to its end by --resume.

    python tests/kills.py --kills 200 --seed 0

Every round trains one of several configurations on a small table, with a checkpoint after every
epoch, and sends SIGKILL after a random time, again and again. The last model file must have the
bytes of that of a training that was never stopped. After every kill, the file must load, and
nothing else may be left in its folder.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnncore.modelfile import load

CONFIGURATIONS = {
    "adam": ["--epochs", "60"],
    "early stopping": ["--early-stopping", "--epochs", "80", "--dropout", "0.2"],
    "newbob": ["--schedule", "newbob", "--learning-rate", "0.02", "--epochs", "60"],
    "cosine": ["--schedule", "cosine", "--solver", "adamw", "--epochs", "60"],
    "coslog4": ["--schedule", "coslog4", "--solver", "sgd", "--epochs", "60", "--dropout", "0.1"],
    "in blocks": ["--blocks", "--epochs", "40"],
}
SECONDS = 600.0  # until a command that does not end is an error


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
        self._data, self._options = str(folder / "data.csv"), CONFIGURATIONS[name]
        self._folder = folder / name.replace(" ", "_")
        self._folder.mkdir()
        self.output = self._folder / "model.safetensors"

    def command(self, *options: str) -> list[str]:
        return [
            sys.executable, "-m", "dnncore", "train", self._data, "--target", "y", "--quiet",
            "--no-plot", "--threads", "1", "--output", str(self.output), *options,
        ]  # fmt: skip

    def whole(self) -> tuple[str, float]:
        """Train without a kill; return the digest of the model file, and the time it took."""
        start = time.monotonic()
        subprocess.run(
            self.command("--model", "network", *self._options), check=True, stdout=subprocess.DEVNULL, timeout=SECONDS
        )
        seconds, found = time.monotonic() - start, digest(self.output)
        self.output.unlink()
        return found, seconds

    def killed(self, longest: float, kills: int, rng: random.Random) -> tuple[int, int]:
        """Train with at most so many kills; return their number, and of those after an epoch."""
        done, after_epoch = 0, 0
        while True:
            before = digest(self.output) if self.output.exists() else None
            options = self._options
            if before is not None:
                division = [option for option in options if option == "--blocks"]
                options = ["--resume", str(self.output), *division]
            process = subprocess.Popen(
                self.command("--model", "network", *options, "--checkpoint", "0"), stdout=subprocess.DEVNULL
            )
            try:
                process.wait(rng.uniform(0.0, longest) if done < kills else SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                done += 1
                self.check()
                after_epoch += self.output.exists() and digest(self.output) != before
                continue
            if process.returncode:
                raise SystemExit(f"{process.args} ended with status {process.returncode}")
            return done, after_epoch

    def check(self) -> None:
        """Raise unless there is at most a whole model file."""
        left = sorted(path.name for path in self._folder.iterdir())
        if left not in ([], [self.output.name]):
            raise SystemExit(f"a killed process has left {left}")
        if left:
            load(self.output)


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
