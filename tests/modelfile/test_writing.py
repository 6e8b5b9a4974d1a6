"""Writing a model file: in one step, or not at all."""

import os
import stat
import sys

import numpy as np
import pytest
from modelfiles import assert_same_network, fitted, fitted_other, round_trip
from sklearn.exceptions import NotFittedError

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.modelfile import load, save


def test_same_model_gives_the_same_bytes(tmp_path):
    model = fitted()
    contents = set()
    for name in "abcde":
        model.save(tmp_path / name)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    for function in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            with pytest.raises(OSError, match="No space left") as caught:
                save(Network((2, 2)), path)
        assert caught.value.filename == str(path)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["model.safetensors"]


def test_where_a_file_can_be_written(tmp_path):
    network = Network((2, 2), seed=0)
    missing = tmp_path / "missing" / "model"
    with pytest.raises(FileNotFoundError) as caught:
        save(network, missing)
    assert caught.value.filename == str(missing)
    with pytest.raises(OSError, match="not a regular file"):
        save(network, tmp_path)
    path = tmp_path / ("m" * 255)  # as long as a name may be
    save(network, path)
    assert_same_network(network, load(path))


@pytest.mark.skipif(os.name == "nt", reason="symbolic links, devices and modes of POSIX")
def test_links_devices_and_modes(tmp_path):
    network = Network((2, 2), seed=0)
    with pytest.raises(OSError, match="not a regular file"):
        save(network, os.devnull)
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    save(network, link)
    assert link.is_symlink()
    assert_same_network(network, load(target))
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    kinds = "Network, .*, TabularRegressor or Predictor"
    with pytest.raises(TypeError, match=f"must be a {kinds}, got dict"):
        save({}, path)
    for model in (DNNClassifier(), DNNRegressor()):
        with pytest.raises(NotFittedError):
            save(model, path)
    network = Network((2, 2))
    network.coefs_[0][1, 0] = np.nan
    with pytest.raises(ValueError, match=r"cannot be saved: layers\.0\.weight must be finite"):
        save(network, path)
    for classes in (np.array([b"a", b"b", b"c"]), np.array([1, "b", None], object)):
        model = fitted()
        model.classes_ = classes
        with pytest.raises(TypeError, match="classes must be integers, strings, floats or"):
            save(model, path)
    model = fitted()
    for value in (object(), np.nan, [1, {2}]):
        model.tol = value
        with pytest.raises(TypeError, match="params must be plain values without NaN to be saved"):
            save(model, path)
    model = fitted_other("numbers")
    model.target_scale_ = np.array([np.inf])
    with pytest.raises(ValueError, match=r"cannot be saved: target\.scale must be finite"):
        save(model, path)
    model.target_scale_ = np.array([1])
    with pytest.raises(ValueError, match=r"cannot be saved: target\.scale must have dtype F64"):
        save(model, path)
    model.target_scale_ = np.ones(2)
    with pytest.raises(ValueError, match=r"target\.scale must have shape \(1,\), got \(2,\)"):
        save(model, path)
    with pytest.raises(TypeError, match="classes must be integers"):
        save(Network((2, 2)).freeze(np.array(["2020", "2021"], "M8[Y]")), path)
    for model in (network, Network((2, 2)).freeze()):
        with pytest.raises(ValueError, match="solver_state needs a DNNClassifier or"):
            save(model, path, solver_state=True)
    model = round_trip(fitted(), path)
    path.unlink()
    with pytest.raises(ValueError, match="no solver state: it has not been trained"):
        save(model, path, solver_state=True)
    assert not path.exists()


def test_without_safetensors(tmp_path, monkeypatch):
    network = Network((2, 2))
    save(network, tmp_path / "model")
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install 'dnncore\[cli\]'"):
        save(network, tmp_path / "model")
    assert_same_network(network, load(tmp_path / "model"))
