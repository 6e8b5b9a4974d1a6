"""An ensemble that is completed from any of its checkpoints has the bits of one never stopped."""

import json
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from modelfiles import FRAME, LABELS, X, alter, metadata_of, refusal, unfinished_ensemble

import dnncore
from dnncore import DNNClassifier
from dnncore._training import members as members_module
from dnncore._training.loop import DivergenceWarning
from dnncore.checkpoints import Checkpoint
from dnncore.tabular import TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
KINDS = {"classifier": (TabularClassifier, LABELS), "regressor": (TabularRegressor, X[:, 0])}
each_kind = pytest.mark.parametrize("kind", KINDS)
SMALL = {
    "n_members": 5, "hidden_layer_sizes": (4,), "n_bins": 3, "embedding_size": 2, "max_iter": 15,
    "random_state": 3,
}  # fmt: skip


@dataclass(frozen=True)
class Numbered(Checkpoint):
    """Keeps all files: 1.safetensors, 2.safetensors, ... in a folder."""

    def write(self, model):
        model.save(self._file(len(self.files()) + 1), solver_state=True)

    def _file(self, number):
        return Path(self.path).with_name(f"{number}.safetensors")

    def files(self):
        return [self._file(i + 1) for i in range(len(os.listdir(Path(self.path).parent)))]


@pytest.fixture
def every_member(tmp_path):
    (tmp_path / "files").mkdir()
    return Numbered(tmp_path / "files" / "none", seconds=0)


def all_of(model, path):
    """Everything that a fit leaves: the bytes of the file, and what is not in it."""
    model.set_params(warm_start=False, checkpoint=None, callback=None, random_state=None)
    model.save(path)
    oof = "oof_prediction_" if isinstance(model, TabularRegressor) else "oof_predict_proba_"
    histories = [vars(history) for history in model.histories_]
    return path.read_bytes(), getattr(model, oof).tobytes(), histories, model.stop_reason_


CASES = {
    "plain": {},
    "one thread": {"n_threads": 1},
    "several threads": {"n_threads": 3},
    "importances": {"importances": True, "n_threads": 2},
    "from nowhere": {"random_state": None},
    "a generator": {"random_state": np.random.RandomState(5)},
    "numbers of NumPy": {"dropout": np.float32(0.3), "batch_size": np.int64(16)},
    "fewer rows than a batch": {"max_grad_norm": 1, "hidden_layer_sizes": 3, "n_members": 2},
}


@each_kind
@pytest.mark.parametrize("name", CASES)
def test_a_fit_is_completed_from_each_member(every_member, tmp_path, kind, name):
    make, y = KINDS[kind]
    model = make(**SMALL | CASES[name], checkpoint=every_member).fit(FRAME, y)
    whole = all_of(model, tmp_path / "whole")
    files = every_member.files()
    assert len(files) == model.n_members
    for number, path in enumerate(files, 1):
        again = dnncore.load(path).set_params(warm_start=True)
        assert number <= len(again.ensemble_.networks) <= number + 3  # as many threads
        again.fit(FRAME, y)
        assert all_of(again, tmp_path / "again") == whole


@each_kind
def test_the_weights_of_rows_are_remembered(every_member, tmp_path, kind):
    make, y = KINDS[kind]
    weight = np.random.default_rng(0).random(len(y))
    options = SMALL | ({"class_weight": "balanced"} if kind == "classifier" else {})
    model = make(**options, checkpoint=every_member).fit(FRAME, y, weight)
    whole = all_of(model, tmp_path / "whole")
    again = dnncore.load(every_member.files()[2]).set_params(warm_start=True)
    with pytest.raises(ValueError, match="X, y and sample_weight must be those of the fit"):
        again.fit(FRAME, y)
    assert all_of(again.fit(FRAME, y, weight), tmp_path / "again") == whole


@each_kind
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("at", range(SMALL["n_members"]))
def test_an_exception_in_each_member(tmp_path, kind, n_threads, at):
    make, y = KINDS[kind]
    path = tmp_path / "model.safetensors"

    def fail(member, info):
        if member >= at and info.epoch == 2:
            raise ZeroDivisionError

    model = make(**SMALL, n_threads=n_threads)
    model.set_params(checkpoint=Checkpoint(path, 0), callback=fail)
    with pytest.raises(ZeroDivisionError):
        model.fit(FRAME, y)
    assert not hasattr(model, "ensemble_")
    if n_threads == 1:  # otherwise the first may be stopped before its end
        assert path.exists() == (at > 0)
    again = dnncore.load(path) if path.exists() else model
    again.set_params(warm_start=True, callback=None, checkpoint=None).fit(FRAME, y)
    whole = make(**SMALL, n_threads=n_threads).fit(FRAME, y)
    assert all_of(again, tmp_path / "again") == all_of(whole, tmp_path / "whole")


def test_a_fit_that_is_interrupted_twice(tmp_path):
    """What a completed fit writes are checkpoints as well; so are loaded ones saved again."""
    path = tmp_path / "model.safetensors"
    whole = TabularClassifier(**SMALL, n_threads=1).fit(FRAME, LABELS)
    for first, at in ((0, 1), (1, 3), (3, 4)):
        told = []

        def fail(member, info, at=at, told=told):
            told.append(member)
            if member >= at:
                raise ZeroDivisionError

        model = TabularClassifier(**SMALL, n_threads=1) if first == 0 else dnncore.load(path)
        if first:
            model.save(path, solver_state=True)
            model = dnncore.load(path)
        model.set_params(warm_start=True, checkpoint=Checkpoint(path, 0), callback=fail)
        with pytest.raises(ZeroDivisionError):
            model.fit(FRAME, LABELS)
        assert min(told) == first
        # The model is as before, and can be fitted again.
        assert first == 0 or len(model.ensemble_.networks) == first
    again = model.set_params(callback=None).fit(FRAME, LABELS)
    assert all_of(again, tmp_path / "again") == all_of(whole, tmp_path / "whole")


@each_kind
def test_an_unfinished_model_is_a_model(tmp_path, kind):
    path = tmp_path / "model.safetensors"
    model = unfinished_ensemble(path, f"tabular {kind}", n_members=4, max_iter=3)
    assert len(model.ensemble_.networks) == len(model.histories_) == len(model.n_iter_) == 2
    assert model.n_members == 4
    assert model.checkpoint is None
    networks = model.ensemble_.networks
    rows = model.encoder_.transform(FRAME)
    mean = np.mean([network.predict_proba(rows) for network in networks], axis=0)
    if kind == "classifier":
        assert model.temperature_ == 1.0
        np.testing.assert_allclose(model.predict_proba(FRAME), mean, rtol=1e-6)
        assert set(model.predict(FRAME)) <= set(LABELS)
    else:
        expected = (mean * model.target_scale_ + model.target_mean_).ravel()
        expected = expected.clip(X[:, 0].min(), X[:, 0].max())
        np.testing.assert_allclose(model.predict(FRAME), expected, rtol=1e-5)
    predictor = dnncore.predictor.Predictor.load(path)
    np.testing.assert_array_equal(predictor(FRAME), model.freeze()(FRAME))


def test_what_files_have(tmp_path):
    path, again = tmp_path / "model.safetensors", tmp_path / "again"
    model = unfinished_ensemble(path)
    model.save(again, solver_state=True)
    assert again.read_bytes() == path.read_bytes()
    model.save(again)
    assert "fit" not in metadata_of(again)
    with pytest.raises(ValueError, match="got a TabularClassifier whose fit is finished"):
        dnncore.load(again).save(again, solver_state=True)
    model.set_params(warm_start=True).fit(FRAME, LABELS).save(again)
    assert "fit" not in metadata_of(again)
    with pytest.raises(ValueError, match="got a TabularClassifier whose fit is finished"):
        model.save(again, solver_state=True)


def test_what_begins_a_new_fit(tmp_path):
    path = tmp_path / "model.safetensors"
    parameters = unfinished_ensemble(path).get_params()
    whole = all_of(TabularClassifier(**parameters).fit(FRAME, LABELS), tmp_path / "whole")
    told = []
    model = dnncore.load(path).set_params(callback=lambda member, info: told.append(member))
    model.fit(FRAME, LABELS)
    assert told == [0, 1, 2]
    # That fit is finished: there is nothing to complete.
    model.set_params(warm_start=True).fit(FRAME, LABELS)
    assert told == [0, 1, 2] * 2
    assert all_of(model, tmp_path / "again") == whole


# ----------------------------------------------------------------------- what is refused


OTHER_PARAMETERS = {
    "n_members": 4, "hidden_layer_sizes": (3, 3), "activation": "relu", "n_bins": 3,
    "embedding_size": 2, "learning_rate_init": 0.05, "weight_decay": 0.01, "dropout": 0.2,
    "max_grad_norm": 1.0, "batch_size": 7, "max_iter": 2, "max_categories": 3,
    "class_weight": "balanced",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_other_parameters_are_refused(tmp_path, name):
    model = unfinished_ensemble(tmp_path / "model.safetensors")
    value = OTHER_PARAMETERS[name]
    model.set_params(warm_start=True, **{name: value})
    before = model.predict_proba(FRAME)
    words = (
        rf"^{name} must be \S+ as in the fit that is to be completed, got {re.escape(str(value))}$"
    )
    with pytest.raises(ValueError, match=words):
        model.fit(FRAME, LABELS)
    np.testing.assert_array_equal(model.predict_proba(FRAME), before)


EQUAL_PARAMETERS = {
    "a whole number": ({"dropout": 0, "weight_decay": 0}, {"dropout": 0.0, "weight_decay": 0.0}),
    "a number": ({"max_grad_norm": 1}, {"max_grad_norm": 1.0}),
    "a number of NumPy": ({"dropout": 0.25}, {"dropout": np.float32(0.25)}),
    "the default": ({}, {"learning_rate_init": 0.04, "class_weight": None}),
    "a size": ({"hidden_layer_sizes": 3}, {"hidden_layer_sizes": [3]}),
    "weights": (
        {"class_weight": {"yes": 2, "no": 1.0}},
        {"class_weight": {np.str_("no"): np.float32(1), "yes": 2.0}},
    ),
}


@pytest.mark.parametrize("name", EQUAL_PARAMETERS)
def test_equal_parameters_are_the_same(tmp_path, name):
    before, now = EQUAL_PARAMETERS[name]
    model = unfinished_ensemble(tmp_path / "model.safetensors", **before)
    model.set_params(warm_start=True, **now).fit(FRAME, LABELS)
    assert len(model.ensemble_.networks) == model.n_members


def test_parameters_that_may_change(tmp_path):
    model = unfinished_ensemble(tmp_path / "model.safetensors")
    whole = TabularClassifier(**model.get_params()).fit(FRAME, LABELS)
    model.set_params(warm_start=True, n_threads=2, importances=True, random_state=8, max_time=1e6)
    model.fit(FRAME, LABELS)
    np.testing.assert_array_equal(model.oof_predict_proba_, whole.oof_predict_proba_)
    assert model.feature_importances_.shape == (2,)


def test_the_progress_bar_is_of_the_members_that_are_missing(tmp_path, capsys):
    pytest.importorskip("tqdm")
    model = unfinished_ensemble(tmp_path / "model", n_members=5, max_iter=3)
    model.set_params(warm_start=True, verbose=True).fit(FRAME, LABELS)
    assert "9/9" in capsys.readouterr().err


OTHER_ROWS = {
    "fewer": (FRAME[:-1], LABELS[:-1], None),
    "another order": (FRAME[::-1], LABELS[::-1], None),
    "another cell": ([FRAME[0] | {"size": 3.0}, *FRAME[1:]], LABELS, None),
    "other labels": (FRAME, np.roll(LABELS, 1), None),
    "fewer classes": (FRAME, np.where(LABELS == "yes", "no", LABELS), None),
    "weights": (FRAME, LABELS, np.arange(1.0, 61.0)),
    "another column": ([row | {"more": 1.0} for row in FRAME], LABELS, None),
}


@pytest.mark.parametrize("name", OTHER_ROWS)
def test_other_rows_are_refused(tmp_path, name):
    model = unfinished_ensemble(tmp_path / "model.safetensors").set_params(warm_start=True)
    before = model.predict_proba(FRAME)
    with pytest.raises(ValueError, match="X, y and sample_weight must be those of the fit that"):
        model.fit(*OTHER_ROWS[name])
    np.testing.assert_array_equal(model.predict_proba(FRAME), before)
    assert model.fit(FRAME, LABELS).n_iter_.shape == (3,)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("model.safetensors", TypeError, "checkpoint must be a Checkpoint or None, got 'model"),
        (Checkpoint("/no/where/model"), ValueError, "a folder that exists, got '/no/where'"),
        (Checkpoint("/"), ValueError, "checkpoint must be a file, got the folder '/'"),
    ],
)
def test_checkpoints_that_are_refused(value, error, words):
    with pytest.raises(error, match=words):
        TabularClassifier(checkpoint=value).fit(FRAME, LABELS)


# ------------------------------------------------------------------------ how files are written


def test_how_often(tmp_path, monkeypatch):
    written, now = [], [0.0]
    monkeypatch.setattr("dnncore._estimators.checkpointing.time.monotonic", lambda: now[0])

    @dataclass(frozen=True)
    class Told(Checkpoint):
        def write(self, model):
            written.append(len(model.ensemble_.networks))
            now[0] += 2.0  # which do not count

    def second(member, info):
        now[0] += info.epoch == 1

    options = SMALL | {"n_members": 9, "n_threads": 1, "max_iter": 1}
    model = TabularRegressor(**options, callback=second, checkpoint=Told(tmp_path / "x", 4.0))
    model.fit(FRAME, X[:, 0])
    assert written == [4, 8]
    written.clear()
    model.set_params(checkpoint=Told(tmp_path / "x", np.inf)).fit(FRAME, X[:, 0])
    assert written == []


def test_one_file_at_a_time(tmp_path):
    """By members of several threads; each file has all members that are finished."""
    running, numbers = threading.Semaphore(1), []

    @dataclass(frozen=True)
    class Slow(Checkpoint):
        def write(self, model):
            assert running.acquire(blocking=False)
            numbers.append(len(model.ensemble_.networks))
            time.sleep(0.02)
            running.release()

    options = SMALL | {"n_members": 8, "n_threads": 4, "max_iter": 2}
    TabularRegressor(**options, checkpoint=Slow(tmp_path / "x", 0)).fit(FRAME, X[:, 0])
    assert len(numbers) == 8
    assert numbers == sorted(numbers)
    assert numbers[-1] == 8


def test_the_estimator_does_not_change(tmp_path):
    plain = TabularClassifier(**SMALL).fit(FRAME, LABELS)
    model = TabularClassifier(**SMALL, checkpoint=Checkpoint(tmp_path / "model", 0))
    model.fit(FRAME, LABELS)
    assert vars(model).keys() == vars(plain).keys()
    assert all_of(model, tmp_path / "a") == all_of(plain, tmp_path / "b")


@each_kind
def test_a_checkpoint_has_nothing_of_the_fit_before(tmp_path, kind):
    make, y = KINDS[kind]
    found = []

    @dataclass(frozen=True)
    class Seen(Checkpoint):
        def write(self, model):
            found.append(vars(model).keys() - vars(make()).keys())

    model = make(**SMALL, importances=True, checkpoint=Seen(tmp_path / "x", 0))
    model.fit(FRAME, y)
    first = found.copy()
    model.fit([list(row.values()) for row in FRAME[:40]], y[:40])
    assert found[len(first) :] == [names - {"feature_names_in_"} for names in first]


def test_a_folder_that_vanishes_does_not_end_training(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def vanish(member, info):
        if folder.exists():
            folder.rmdir()

    model = TabularRegressor(**SMALL, checkpoint=Checkpoint(folder / "model", 0), callback=vanish)
    with pytest.warns(UserWarning, match="checkpoint was not written.*No such file"):
        model.fit(FRAME, X[:, 0])
    assert len(model.ensemble_.networks) == SMALL["n_members"]


def test_a_generator_that_files_do_not_have(tmp_path):
    path = tmp_path / "model.safetensors"
    random = np.random.RandomState(np.random.PCG64(0))
    model = TabularRegressor(**SMALL | {"random_state": random}, checkpoint=Checkpoint(path, 0))
    with pytest.warns(UserWarning, match="random_state must be of MT19937 to be saved, got PCG64"):
        model.fit(FRAME, X[:, 0])
    assert not path.exists()


# ---------------------------------------------------------------------------- how members end


@pytest.mark.filterwarnings("ignore:training ended with:UserWarning")
def test_members_that_are_stopped_are_not_finished(every_member):
    """Neither by the callback nor when the time is up: they would be others if they went on."""

    def stop(member, info):
        return member == 2 and info.epoch == 3

    options = SMALL | {"n_threads": 1}
    model = TabularRegressor(**options, checkpoint=every_member, callback=stop)
    model.fit(FRAME, X[:, 0])
    assert model.stop_reason_ == "stopped"
    assert len(model.ensemble_.networks) == 3
    assert len(every_member.files()) == 2
    assert dnncore.load(every_member.files()[-1])._unfinished.n_finished == 2


@pytest.mark.filterwarnings("ignore:training ended with:UserWarning")
def test_a_member_that_diverges_is_finished(every_member, tmp_path, monkeypatch):
    """One that did so in its first epoch is none: it is tried again, with the same end."""
    train = members_module._train

    def spoil(member, X, labels, max_iter, end, callback):
        def after_epoch(info):
            if info.epoch == at[id_of(member)]:
                member.trainer.network.parameters[...] = 1e38
            return callback(info)

        if at[id_of(member)] == 0:
            member.trainer.network.parameters[...] = 1e38
        return train(member, X, labels, max_iter, end, after_epoch)

    def id_of(member):
        return int(member.held_out[0])

    first_rows = sorted(
        int(part[0])
        for part in dnncore._estimators.folds.folds(60, 5, None, np.random.RandomState(3))
    )
    at = dict(zip(first_rows, [-1, 2, -1, 0, -1], strict=True))
    monkeypatch.setattr(members_module, "_train", spoil)
    options = SMALL | {"n_threads": 1, "random_state": 3}
    model = TabularRegressor(**options, checkpoint=every_member)
    with pytest.warns(DivergenceWarning):
        model.fit(FRAME, X[:, 0])
    assert model.stop_reason_ == "diverged"
    assert len(model.ensemble_.networks) == len(every_member.files()) == 4
    whole = all_of(model, tmp_path / "whole")
    for path in every_member.files():
        again = dnncore.load(path).set_params(warm_start=True)
        with pytest.warns(DivergenceWarning):
            again.fit(FRAME, X[:, 0])
        assert all_of(again, tmp_path / "again") == whole


def test_max_time_counts_for_the_members_that_are_missing(tmp_path):
    model = unfinished_ensemble(tmp_path / "model.safetensors", n_finished=1, n_members=3)
    first = model.ensemble_.networks[0].coefs_[0].copy()  # the last layer has the temperature
    model.set_params(warm_start=True, max_time=1000.0).fit(FRAME, LABELS)
    assert len(model.ensemble_.networks) == 3
    np.testing.assert_array_equal(model.ensemble_.networks[0].coefs_[0], first)
    assert model.stop_reason_ == "converged"


# ------------------------------------------------------------------------- files that are wrong


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    unfinished_ensemble(path)
    return path


def end(kind="converged", no_improvement=0):
    return {"end": kind, "no_improvement": no_improvement}


CONDITIONS = "conditions of the fit must be an object of printable strings n_members, "
OBJECTS = "members of the fit must be null or objects with an end"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": None}, OBJECTS),
        ({"members": [1, 2, None]}, OBJECTS),
        ({"members": [end(), end("stopped"), None]}, OBJECTS),
        ({"members": [end(), end(["converged"]), None]}, OBJECTS),
        ({"members": [end(), end(no_improvement=-1), None]}, OBJECTS),
        ({"members": [end(), end(no_improvement=True), None]}, OBJECTS),
        ({"members": [end(), {"end": "converged"}, None]}, OBJECTS),
        ({"members": [end(), None, None]}, "an end for each of 2 networks, got 1"),
        ({"members": [end(), end(), end()]}, "an end for each of 2 networks, got 3"),
        ({"random": None}, "random of the fit must be an object with key, position"),
        ({"random": {"key": "00", "position": 0}}, "key of random of the fit must be 4992 hexa"),
        ({"members": [end(), end()]}, "as many as its condition n_members, 3, got 2"),
        ({"members": [end(), end(), None, None]}, "as many as its condition n_members, 3, got 4"),
        ({"conditions": []}, CONDITIONS),
        ({"conditions": {"rows": "1"}}, CONDITIONS),
        ({"more": 1}, "fit must be an object with conditions, members, random"),
    ],
)
def test_states_that_are_wrong(path, changes, message):
    description = json.loads(metadata_of(path)["fit"]) | changes
    alter(path, metadata={"fit": json.dumps(description)})
    assert message in refusal(path)


def test_a_finished_member_without_epochs(path):
    members = json.loads(metadata_of(path)["members"])
    members[1]["n_iter"] = 0
    alter(path, metadata={"members": json.dumps(members)})
    assert "finished members of the fit must have at least one epoch, got 0" in refusal(path)


def test_states_of_the_other_kind(path, tmp_path):
    other = tmp_path / "network.safetensors"
    DNNClassifier((4,), max_iter=3, random_state=0, checkpoint=Checkpoint(other, 0)).fit(X, LABELS)
    fits = [metadata_of(each)["fit"] for each in (path, other)]
    alter(path, metadata={"fit": fits[1]})
    alter(other, metadata={"fit": fits[0]})
    assert "fit must be an object with conditions, members, random" in refusal(path)
    assert "fit must be an object with early_stopping, epoch" in refusal(other)


@pytest.mark.parametrize(
    "changes", [{"rows": 1}, {"dropout": "0.1\n"}, {"more": "1"}, {"n_members": "03"}]
)
def test_conditions_that_are_wrong(path, changes):
    description = json.loads(metadata_of(path)["fit"])
    description["conditions"] |= changes
    alter(path, metadata={"fit": json.dumps(description)})
    assert "n_members" in refusal(path)


def test_long_conditions_are_shortened_in_messages(path):
    description = json.loads(metadata_of(path)["fit"])
    description["conditions"]["class_weight"] = "x" * 10**6
    alter(path, metadata={"fit": json.dumps(description)})
    with pytest.raises(ValueError, match=r"^class_weight must be x{80} as in the fit that"):
        dnncore.load(path).set_params(warm_start=True).fit(FRAME, LABELS)


def test_networks_of_another_form_are_refused_by_fit(path, tmp_path):
    other = tmp_path / "other"
    unfinished_ensemble(other, hidden_layer_sizes=(2,))
    fit = metadata_of(path)["fit"]
    alter(other, metadata={"fit": fit, "params": metadata_of(path)["params"]})
    model = dnncore.load(other).set_params(warm_start=True)
    with pytest.raises(ValueError, match="the fit that is to be completed needs Network"):
        model.fit(FRAME, LABELS)
