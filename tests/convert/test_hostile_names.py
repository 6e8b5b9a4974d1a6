"""Names that end comments, strings or files where they are not escaped; more of them, at random,
in tests/fuzz/exports.py."""

import os

import numpy as np
import pytest
from hostilenames import (
    CC,
    CXX,
    PIECES,
    CFile,
    can_be_encoded,
    names_in,
    refusal,
    run_onnx,
    table_of,
)

from dnncore import DNNClassifier, load, to_c, to_onnx
from dnncore.tabular import TabularClassifier

pytestmark = [
    pytest.mark.skipif(CC is None or CXX is None, reason="needs gcc and g++"),
    pytest.mark.filterwarnings("ignore:max_iter"),
]

RNG = np.random.default_rng(0)
N = 30
STRINGS = [x for x in PIECES if refusal([x]) is None]
CLASSES = np.array(["".join(STRINGS[i : i + 7]) for i in range(0, len(STRINGS), 7)], object)
Y = CLASSES[np.arange(N) % len(CLASSES)]


@pytest.fixture(scope="module")
def model():
    """A classifier whose features have all hostile names."""
    table = table_of({name: RNG.normal(size=N) for name in PIECES})
    return DNNClassifier((4,), max_iter=2, random_state=0).fit(table, Y), table


def test_c(model, tmp_path):
    model, table = model
    to_c(model, tmp_path / "model.c")
    built = CFile(tmp_path / "model.c", tmp_path, "model")
    assert built.labels(len(CLASSES)) == model.classes_.tolist() == sorted(CLASSES)
    expected = model.predict_proba(table)
    found = built.outputs("predict_proba", table.to_numpy(), len(CLASSES))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    predicted = [sorted(CLASSES)[i] for i in found.argmax(axis=1)]
    assert predicted == model.predict(table).tolist()


def test_onnx(model, tmp_path):
    pytest.importorskip("onnxruntime")
    model, table = model
    to_onnx(model, tmp_path / "model.onnx")
    found, metadata = run_onnx(tmp_path / "model.onnx", table.to_numpy())
    assert names_in(metadata) == PIECES
    assert found["label"].tolist() == model.predict(table).tolist()
    np.testing.assert_allclose(
        found["probabilities"], model.predict_proba(table), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize(
    "prefix", ["NAME_x", "x_NAME", "MY_MACRO", "MACRO_y", "LABEL", "REAL", "int", "a" * 2000]
)
def test_models_of_tables(prefix, tmp_path):
    cells = np.array(PIECES, object)
    cells = cells[np.arange(N) * 3 % len(cells)]
    table = table_of({"*/ ??/\n": RNG.normal(size=N), '"\\': cells})
    model = TabularClassifier(n_members=2, max_iter=1, random_state=0).fit(table, Y)
    rows, expected = model.freeze().encode(table), model.predict_proba(table)
    to_c(model, tmp_path / "model.c", name=prefix)
    built = CFile(tmp_path / "model.c", tmp_path, prefix)
    found = built.outputs("predict_proba", rows, len(CLASSES))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    pytest.importorskip("onnxruntime")
    to_onnx(model, tmp_path / "model.onnx")
    found, metadata = run_onnx(tmp_path / "model.onnx", rows)
    assert names_in(metadata) == list(table.columns)
    np.testing.assert_allclose(found["probabilities"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("classes", [["a", "\0"], ["a", "ß" * 2048], ["a", "\ud800"]])
def test_what_cannot_be_exported(classes, tmp_path):
    y = np.array(classes, object)[np.arange(N) % 2]
    model = DNNClassifier((3,), max_iter=1).fit(RNG.normal(size=(N, 2)), y)
    with pytest.raises(ValueError, match=refusal(classes)):
        to_c(model, tmp_path / "model.c")
    pytest.importorskip("onnxruntime")
    if all(map(can_be_encoded, classes)):
        to_onnx(model, tmp_path / "model.onnx")
        found, _ = run_onnx(tmp_path / "model.onnx", RNG.normal(size=(N, 2)))
        assert set(found["label"]) <= set(classes)
    else:
        with pytest.raises(ValueError, match="valid Unicode"):
            to_onnx(model, tmp_path / "model.onnx")
    assert "model.c" not in os.listdir(tmp_path)


@pytest.mark.parametrize("file", ['a\n* "%s\\.c', "größe 日本😀.c", "\udcff.c", "x" * 253 + ".c"])
def test_names_of_files(file, model, tmp_path):
    path = tmp_path / file
    to_c(model[0], path)
    text = path.read_bytes()
    model[0].save(path)
    assert load(path).classes_.tolist() == model[0].classes_.tolist()
    to_c(load(path), path)
    assert path.read_bytes() == text
    assert os.listdir(tmp_path) == [file]
    with pytest.raises(OSError):
        to_c(model[0], tmp_path / ("x" * 256))
    with pytest.raises(ValueError, match="null"):
        to_c(model[0], tmp_path / "a\0b")
    assert os.listdir(tmp_path) == [file]
