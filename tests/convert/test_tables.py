"""Models of tables as ONNX and C: from a row of columns to what the model computes."""

import ctypes
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from tablemodels import awkward_rows, fitted, table

from dnncore import to_c, to_onnx, to_torch
from dnncore.tabular import TableEncoder, TablePredictor, TabularClassifier

CC = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
CXX = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wmissing-declarations"]
needs_c = pytest.mark.skipif(CC is None, reason="no C compiler")

X = table()
KINDS = ["classes", "number", "numbers"]
# What is promised for networks of float32: relative to the largest number in units of a target's
# scale, and absolute for probabilities.
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def models():
    return {kind: fitted(kind, X) for kind in KINDS}


def tolerance(predictor):
    scale = 1.0 if predictor.target_scale is None else 8 * predictor.target_scale
    return TOLERANCE * scale


def run(path, rows):
    """Outputs by name; the file passes the checker first."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": rows}), strict=True))


def library(model, folder, name="model"):
    source, target = folder / f"{name}.c", folder / f"{name}.so"
    to_c(model, source, name=name)
    done = subprocess.run(
        [CC, "-std=c99", *STRICT, "-shared", "-fPIC", source, "-o", target, "-lm"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(target))


def pointer(array):
    kind = {"float64": ctypes.c_double, "int32": ctypes.c_int}[array.dtype.name]
    return array.ctypes.data_as(ctypes.POINTER(kind))


def each_row(function, rows, n_outputs, dtype=np.float64):
    out = np.full((len(rows), n_outputs), -7, dtype)
    for x, to in zip(rows, out, strict=True):
        function(pointer(x), pointer(to))
    return out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frozen", [True, False])
def test_onnx(models, kind, frozen, tmp_path):
    predictor = models[kind].freeze()
    path = str(tmp_path / "model.onnx")
    to_onnx(predictor if frozen else models[kind], path)
    for rows in (awkward_rows(predictor), predictor.encode(X[:1]), predictor.encode(X[:0])):
        found = run(path, rows)
        expected = predictor(rows)
        numbers = found["probabilities" if kind == "classes" else "variable"]
        assert numbers.dtype == np.float64
        assert numbers.shape == expected.shape
        assert (np.abs(numbers - expected) <= tolerance(predictor)).all()
        if kind == "classes":
            clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-5
            assert (found["label"] == predictor.predict(rows))[clear].all()


def test_what_an_onnx_file_says_of_its_rows(models, tmp_path):
    onnx = pytest.importorskip("onnx")
    to_onnx(models["classes"], tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    predictor = models["classes"].freeze()
    assert json.loads(metadata["feature_names"]) == list(predictor.feature_names)
    categories = [values and tuple(values) for values in json.loads(metadata["categories"])]
    assert tuple(categories) == predictor.categories
    assert {(opset.domain, opset.version) for opset in proto.opset_import} == {("", 13)}


@needs_c
@pytest.mark.parametrize("kind", KINDS)
def test_c(models, kind, tmp_path):
    predictor = models[kind].freeze()
    built = library(models[kind], tmp_path)
    rows = awkward_rows(predictor)
    expected = predictor(rows)
    function = built.model_predict_proba if kind == "classes" else built.model_predict
    found = each_row(function, rows, predictor.n_outputs)
    assert (np.abs(found - expected) <= tolerance(predictor)).all()
    if kind == "classes":
        built.model_label.restype = ctypes.c_char_p
        labels = [built.model_label(built.model_predict(pointer(x))).decode() for x in rows]
        clear = np.diff(np.sort(expected, axis=1)[:, -2:])[:, 0] > 1e-5
        assert (np.array(labels) == predictor.predict(rows))[clear].all()


@needs_c
@pytest.mark.skipif(CXX is None, reason="no C++ compiler")
def test_a_c_file_is_cpp_and_names_its_columns(models, tmp_path):
    source = tmp_path / "model.c"
    to_c(models["classes"], source)
    done = subprocess.run(
        [CXX, "-x", "c++", "-std=c++11", *STRICT, "-fsyntax-only", source],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = source.read_text()
    assert re.search(r'\* +1 "colour"\n \* +0 = "blue"\n \* +1 = "green"\n', text)


@needs_c
def test_the_stack_is_as_small_as_said(models, tmp_path):
    source = tmp_path / "model.c"
    to_c(models["number"], source)
    (stated,) = re.findall(r"#define MODEL_STACK_BYTES (\d+)", source.read_text())
    with pytest.raises(ValueError, match=f"max_stack must be at least {stated}"):
        to_c(models["number"], source, max_stack=int(stated) - 1)


@needs_c
@pytest.mark.parametrize(
    "columns", [["size"], ["constant", "nothing"], ["colour"], ["flag", "same"], ["new", "weight"]]
)
def test_columns_of_few_kinds(columns, tmp_path):
    model = fitted("classes", X[columns], n_members=2)
    predictor = model.freeze()
    rows = awkward_rows(predictor) if len(columns) > 9 else predictor.encode(X)
    rows[::7] = np.nan
    rows[::5] = 1e3
    expected = predictor(rows)
    built = library(model, tmp_path)
    found = each_row(built.model_predict_proba, rows, 3)
    assert (np.abs(found - expected) <= TOLERANCE).all()
    to_onnx(model, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), rows)["probabilities"]
    assert (np.abs(found - expected) <= TOLERANCE).all()


@needs_c
@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictors_of_all_kinds(output, n_members, dtype, make_network, tmp_path):
    encoding = TableEncoder().fit(X[["size", "weight", "colour"]]).encoding_
    sizes = (encoding.n_features, 5, 2)
    networks = [
        make_network(sizes, dtype, output=output, norm=False, seed=seed)
        for seed in range(n_members)
    ]
    predictor = TablePredictor(encoding, [network.freeze() for network in networks])
    rows = predictor.encode(X)
    expected, size = predictor(rows), 1e-6 if dtype == np.float32 else 1e-14
    to_onnx(predictor, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), rows)
    numbers = found["variable" if output == "identity" else "probabilities"]
    np.testing.assert_allclose(numbers, expected, rtol=0, atol=10 * size)
    built = library(predictor, tmp_path)
    function = built.model_predict if output == "identity" else built.model_predict_proba
    np.testing.assert_allclose(each_row(function, rows, 2), expected, rtol=0, atol=10 * size)
    if output == "logistic":
        assert np.array_equal(found["label"], predictor.predict(rows))
        assert np.array_equal(
            each_row(built.model_predict, rows, 2, np.int32), predictor.predict(rows)
        )


def test_what_is_refused(models, tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        to_onnx(TabularClassifier(), tmp_path / "model.onnx")
    pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"model must be a Network.*got TabularClassifier"):
        to_torch(models["classes"])
