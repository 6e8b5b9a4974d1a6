"""A fit that is completed from any of its checkpoints gives the bits of one that never stopped."""

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from modelfiles import OTHERS, X, alter, metadata_of, refusal
from samples import learnable_classes
from sklearn.base import clone

import dnncore
from dnncore import DNNClassifier, DNNRegressor
from dnncore.checkpoints import Checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
ROWS, LABELS = learnable_classes(240)
ENDLESS = {"n_iter_no_change": np.inf, "tol": 0.0}


@dataclass(frozen=True)
class Numbered(Checkpoint):
    """Keeps all files: 1.safetensors, 2.safetensors, ... in a folder."""

    def write(self, model):
        folder = Path(self.path).parent
        model.save(folder / f"{len(os.listdir(folder)) + 1}.safetensors", solver_state=True)

    def files(self):
        folder = Path(self.path).parent
        return [folder / f"{i + 1}.safetensors" for i in range(len(os.listdir(folder)))]


@pytest.fixture
def every_epoch(tmp_path):
    (tmp_path / "files").mkdir()
    return Numbered(tmp_path / "files" / "none", seconds=0)


def digest(model, path):
    model.set_params(warm_start=False, checkpoint=None, callback=None)
    model.save(path, solver_state=True)
    return path.read_bytes()


def assert_each_is_completed(model, files, tmp_path, train):
    """Training from each file gives the bytes of the whole model."""
    params = {name: getattr(model, name) for name in ("random_state", "scoring")}
    histories, whole = [vars(model.history_)], digest(model, tmp_path / "whole")
    for path in files:
        again = dnncore.load(path).set_params(**params, warm_start=True)
        assert again.n_iter_ < model.n_iter_ or again._unfinished.state.epoch == model.max_iter
        train(again)
        histories.append(vars(again.history_))
        assert histories[0] == histories[-1]
        assert digest(again, tmp_path / "again") == whole


CASES = {
    "plain": {},
    "a validation set is split off": {"early_stopping": True, "n_iter_no_change": 2},
    "automatically": {"early_stopping": "auto", "n_iter_no_change": 3, "learning_rate_init": 0.05},
    "by a scorer": {"early_stopping": "auto", "scoring": ["neg_log_loss", "accuracy"]},
    "dropout": {"dropout": 0.3, "activation": "tanh"},
    "from nowhere": {"random_state": None},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3,
                 "n_iter_no_change": 1, "tol": 0.01, "max_iter": 30},
    "newbob": {"learning_rate": "newbob", "learning_rate_init": 0.2, "batch_size": 20,
               "max_iter": 30},
    "newbob of few steps": {"learning_rate": "newbob", "learning_rate_init": 0.2,
                            "batch_size": 100, "max_iter": 30},
    "newbob with a validation set": {"learning_rate": "newbob", "learning_rate_init": 0.2,
                                     "early_stopping": True},
    "cosine": {"solver": "adamw", "learning_rate": "cosine"},
    "coslog4": {"solver": "sgd", "learning_rate": "coslog4", "learning_rate_init": 0.05},
    "lbfgs": {"solver": "lbfgs", "early_stopping": False},
    "lbfgs with a limit": {"solver": "lbfgs", "max_fun": 5, "early_stopping": False},
    "no patience": {"n_iter_no_change": 1, "tol": 0.05, "early_stopping": False},
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_a_fit_is_completed(every_epoch, tmp_path, name, dtype):
    options = {"max_iter": 12, "batch_size": 32, "random_state": 3, **CASES[name]}
    model = DNNClassifier((6,), **options, checkpoint=every_epoch).fit(ROWS.astype(dtype), LABELS)
    files = every_epoch.files()
    # The last epoch needs none, if the fit has ended by itself.
    assert len(files) in (model.n_iter_, model.n_iter_ - 1)
    assert_each_is_completed(
        model, files, tmp_path, lambda again: again.fit(ROWS.astype(dtype), LABELS)
    )


@pytest.mark.parametrize("name", OTHERS)
def test_other_targets(every_epoch, tmp_path, name):
    estimator, y = OTHERS[name]
    options = {"hidden_layer_sizes": (5,), "max_iter": 6, "batch_size": 7, "random_state": 0}
    validation = {"X_val": X[:20], "y_val": y[:20]}
    model = estimator(**options, early_stopping=True, checkpoint=every_epoch)
    model.fit(X, y, **validation)
    files = every_epoch.files()
    assert files
    assert_each_is_completed(model, files, tmp_path, lambda again: again.fit(X, y, **validation))
    with pytest.raises(ValueError, match="X_val and y_val are needed to complete a fit"):
        dnncore.load(files[0]).set_params(warm_start=True).fit(X, y)


@pytest.mark.parametrize("learning_rate", ["constant", "cosine", "newbob"])
def test_in_blocks(every_epoch, tmp_path, learning_rate):
    blocks = [(ROWS[i : i + 50], LABELS[i : i + 50]) for i in range(0, 240, 50)]
    options = {"max_iter": 6, "batch_size": 32, "random_state": 0, "dropout": 0.2}
    model = DNNClassifier(
        (6,), learning_rate=learning_rate, **options, checkpoint=every_epoch
    ).fit_blocks(blocks)
    assert_each_is_completed(
        model, every_epoch.files(), tmp_path, lambda again: again.fit_blocks(blocks)
    )


def test_a_fit_that_has_been_completed_twice(every_epoch, tmp_path):
    """What a completed fit leaves are checkpoints as well; so are loaded ones saved again."""
    options = {"max_iter": 10, "early_stopping": True, "random_state": 1, **ENDLESS}
    model = DNNClassifier((6,), **options, checkpoint=every_epoch).fit(ROWS, LABELS)
    whole = digest(model, tmp_path / "whole")
    path = tmp_path / "model"
    for epochs in (3, 4, 8):
        again = dnncore.load(every_epoch.files()[0] if epochs == 3 else path)
        again.save(path, solver_state=True)
        again = dnncore.load(path)
        checkpoint = Checkpoint(path, 0)

        def kill(info, at=epochs):
            if info.epoch == at:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            again.set_params(warm_start=True, checkpoint=checkpoint, callback=kill).fit(
                ROWS, LABELS
            )
        assert dnncore.load(path)._unfinished.state.epoch == epochs - 1
    again = dnncore.load(path).set_params(warm_start=True).fit(ROWS, LABELS)
    assert digest(again, tmp_path / "again") == whole


def test_a_fit_goes_on_after_another_one(every_epoch, tmp_path):
    """With warm_start, 'auto' does not stop early: neither does the fit that is completed."""
    options = {"max_iter": 4, "random_state": 1, "warm_start": True}
    model = DNNClassifier((6,), **options).fit(ROWS, LABELS)
    model.set_params(checkpoint=every_epoch).fit(ROWS, LABELS)
    assert model.n_iter_ == 8
    assert_each_is_completed(
        model, every_epoch.files(), tmp_path, lambda again: again.fit(ROWS, LABELS)
    )


def test_what_begins_a_new_fit(every_epoch):
    options = {"max_iter": 4, "random_state": 1, "early_stopping": False, **ENDLESS}
    DNNClassifier((6,), **options, checkpoint=every_epoch).fit(ROWS, LABELS)
    path = every_epoch.files()[1]

    def epochs(**changes):
        return dnncore.load(path).set_params(**{"warm_start": True} | changes).fit(ROWS, LABELS)

    assert epochs().n_iter_ == 4
    assert epochs(max_iter=9).n_iter_ == 9
    assert epochs(max_iter=1).n_iter_ == 2
    assert epochs(warm_start=False).n_iter_ == 4
    assert epochs(learning_rate_init=0.1).n_iter_ == 2 + 4
    assert epochs(early_stopping=True).n_iter_ == 2 + 4
    model = dnncore.load(path).partial_fit(ROWS, LABELS)
    assert model.set_params(warm_start=True).fit(ROWS, LABELS).n_iter_ == 2 + 1 + 4
    assert epochs().fit(ROWS, LABELS).n_iter_ == 4 + 4


def test_how_often(tmp_path, monkeypatch):
    written, now = [], [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    @dataclass(frozen=True)
    class Told(Checkpoint):
        def write(self, model):
            written.append(model.n_iter_)
            now[0] += 2.0  # which do not count

    def second(info):
        now[0] += 1.0

    options = {"max_iter": 12, "early_stopping": False, "random_state": 0, **ENDLESS}
    model = DNNClassifier((3,), callback=second, checkpoint=Told("x", 4.0), **options)
    model.fit(ROWS, LABELS)
    assert written == [4, 8, 12]
    written.clear()
    model.set_params(checkpoint=Told("x", np.inf)).fit(ROWS, LABELS)
    assert written == []


def test_the_estimator_does_not_change(tmp_path):
    path = tmp_path / "model.safetensors"
    options = {"max_iter": 5, "random_state": 0}
    plain = DNNClassifier((3,), **options).fit(ROWS, LABELS)
    model = clone(DNNClassifier((3,), **options, checkpoint=Checkpoint(path, 0)))
    model.fit(ROWS, LABELS)
    assert np.array_equal(plain.network_.parameters, model.network_.parameters)
    assert vars(model).keys() == vars(plain).keys()
    model.save(tmp_path / "finished", solver_state=True)
    assert "fit" not in metadata_of(tmp_path / "finished")
    loaded = dnncore.load(path)
    assert loaded.checkpoint is None
    loaded.save(tmp_path / "again", solver_state=True)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    loaded.save(tmp_path / "again")
    assert "fit" not in metadata_of(tmp_path / "again")


def test_a_file_that_cannot_be_written_does_not_end_training(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "model"
    vanish = {"callback": lambda info: info.epoch == 1 and folder.rmdir()}
    model = DNNRegressor(
        hidden_layer_sizes=(3,), max_iter=3, checkpoint=Checkpoint(path, 0), **vanish
    )
    with pytest.warns(UserWarning, match="checkpoint was not written.*No such file") as caught:
        model.fit(X, X[:, 0])
    assert model.n_iter_ == 3
    assert str(path) in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("model.safetensors", TypeError, "checkpoint must be a Checkpoint or None, got 'model"),
        (Checkpoint("/no/where/model"), ValueError, "a folder that exists, got '/no/where'"),
    ],
)
def test_what_is_refused(value, error, words):
    with pytest.raises(error, match=words):
        DNNClassifier(checkpoint=value).fit(ROWS, LABELS)


def test_checkpoints_that_are_refused():
    with pytest.raises(ValueError, match="seconds must lie in"):
        Checkpoint("model", -1.0)
    with pytest.raises(TypeError, match="path must be a str or path-like, got 5"):
        Checkpoint(5)


# ------------------------------------------------------------------- states that are refused


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    options = {"max_iter": 3, "learning_rate": "newbob", "early_stopping": True}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        DNNClassifier((4,), **options, random_state=0, checkpoint=Checkpoint(path, 0)).fit(
            ROWS, LABELS
        )
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": -1}, "epoch of the fit must be a non-negative integer, got -1"),
        ({"kept_steps": 2**63}, "kept_steps of the fit must be a non-negative integer"),
        ({"kept_steps": None}, "kept_steps of the fit must be a non-negative integer, got None"),
        ({"n_evaluations": 1.5}, "n_evaluations of the fit must be a non-negative integer"),
        ({"early_stopping": "auto"}, "early_stopping of the fit must be true, false or 'loss'"),
        ({"early_stopping": 1}, "early_stopping of the fit must be true, false or 'loss'"),
        ({"partitions": 8}, "partitions of the fit must be a text, got 8"),
        ({"early_stopping": False}, "unknown tensor ['fit.best']"),
        ({"loss": 1.0}, "fit must be an object with early_stopping, epoch, kept_steps"),
        ({"schedule": {}}, "schedule of the fit must be an object with start, lowest"),
        ({"schedule": None}, "schedule of the fit must be an object with start, lowest"),
        ({"n_kept": 22}, "n_kept of the fit must be an integer from 0 to 21, got 22"),
        ({"n_kept": True}, "n_kept of the fit must be an integer from 0 to 21"),
        ({"n_kept": 2}, "unknown tensor ['fit.kept.2']"),
        ({"split": []}, "the split must be an object with key, position"),
        ({"split": {"key": "00", "position": 0}}, "key of the split must be 4992 hexadecimal"),
        ({"split": {"key": None, "position": 0}}, "key of the split must be 4992 hexadecimal"),
        ({"split": {"key": "0" * 4992, "position": 625}}, "position of the split must be"),
        ({"more": 1}, "fit must be an object with early_stopping, epoch"),
    ],
)
def test_states_that_are_wrong(path, changes, message):
    description = json.loads(metadata_of(path)["fit"]) | changes
    alter(path, metadata={"fit": json.dumps(description)})
    assert message in refusal(path)


def test_parts_that_do_not_fit_each_other(path):
    fit = json.loads(metadata_of(path)["fit"])
    original = path.read_bytes()
    dropped = {f"fit.kept.{i}": None for i in range(3)}
    alter(path, dropped, {"fit": json.dumps(fit | {"n_kept": 0})})
    assert "n_kept of the fit must be 3 for 'newbob', got 0" in refusal(path)
    path.write_bytes(original)
    schedule = fit["schedule"] | {"lowest": "low"}
    alter(path, metadata={"fit": json.dumps(fit | {"schedule": schedule})})
    assert "lowest of the fit must be a number or null, got 'low'" in refusal(path)
    path.write_bytes(original)
    alter(path, {"solver.state.0": None, "solver.state.1": None}, {"solver": None})
    assert "fit must be absent without solver" in refusal(path)
