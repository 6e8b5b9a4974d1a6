"""C files: they compile without a warning, and compute what the model computes."""

import ctypes
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import OTHER_LOSSES

from dnncore import DNNClassifier, DNNRegressor, Network, to_c
from dnncore._core.names import REGRESSION_OUTPUTS

CC = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
pytestmark = [
    pytest.mark.skipif(CC is None, reason="no C compiler"),
    pytest.mark.filterwarnings("ignore:max_iter"),
]

X = np.random.default_rng(0).normal(size=(60, 4))


def compile_c(*arguments):
    done = subprocess.run([CC, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def library(model, folder, name="model"):
    """The compiled file, and its text."""
    source, target = folder / f"{name}.c", folder / f"{name}.so"
    to_c(model, source, name=name)
    target.unlink(missing_ok=True)  # or the loader would know it already
    compile_c(*STRICT, "-Wmissing-prototypes", "-shared", "-fPIC", source, "-o", target, "-lm")
    return ctypes.CDLL(str(target))


def pointer(array):
    kind = {"float32": ctypes.c_float, "float64": ctypes.c_double, "int32": ctypes.c_int}
    return array.ctypes.data_as(ctypes.POINTER(kind[array.dtype.name]))


def each_row(function, X, n_outputs, dtype=None):
    """What a function that writes an array gives for each row."""
    out = np.full((len(X), n_outputs), -7, dtype or X.dtype)
    for x, to in zip(X, out, strict=True):
        function(pointer(x), pointer(to))
    return out


@given(data=st.data())
@settings(max_examples=20)
def test_networks_of_all_kinds(data, networks, rows, same, tmp_path_factory):
    network = data.draw(networks)
    frozen = data.draw(st.booleans())
    model = network.freeze() if frozen else network
    built = library(model, tmp_path_factory.mktemp("c"))
    X, m = rows(network), network.layer_sizes[-1]
    expected, logits = model.predict_proba(X), network.decision_function(X)
    if network.output in REGRESSION_OUTPUTS:
        same(each_row(built.model_predict, X, m), expected)
        assert not hasattr(built, "model_predict_proba")
        return
    same(each_row(built.model_predict_proba, X, m), expected)
    if network.output == "logistic":
        clear = np.abs(logits) > 1e-4  # elsewhere rounding decides
        found = each_row(built.model_predict, X, m, np.int32)
        assert set(np.unique(found)) <= {0, 1}
        assert np.array_equal(found[clear], (logits > 0)[clear])
    else:
        best = np.array([logits[i, built.model_predict(pointer(x))] for i, x in enumerate(X)])
        assert (best > logits.max(axis=1) - 1e-4).all()


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (["a", 'q"\\\n??/', "\N{SNOWMAN}123", ""], ctypes.c_char_p),
        (np.array(["a", "b", "c", "d"], object), ctypes.c_char_p),
        ([-(2**63), -1, 0, 2**63 - 1], ctypes.c_longlong),
        (np.array([0, 1, 2, 255], np.uint8), ctypes.c_longlong),
        ([-1.5, 0.1, 3.0, 1e300], ctypes.c_double),
    ],
)
def test_labels(classes, kind, make_network, tmp_path):
    predictor = make_network((4, 4)).freeze(classes)
    built = library(predictor, tmp_path, "labels")
    built.labels_label.restype = kind
    found = [built.labels_label(index) for index in range(4)]
    if kind is ctypes.c_char_p:
        found = [label.decode() for label in found]
    assert found == list(classes)
    predicted = [found[built.labels_predict(pointer(x))] for x in X]
    assert predicted == predictor.predict(X).tolist()
    assert len(set(predicted)) > 1


def test_boolean_labels(make_network, tmp_path):
    built = library(make_network((4, 2)).freeze([False, True]), tmp_path)
    assert [built.model_label(index) for index in range(2)] == [0, 1]


def test_estimators(same, tmp_path):
    names = ["*/ int x;", "/*", "??/", 'a"\\', "line\nbreak"]
    rows = np.hstack([X, X[:, :1]])
    table = pd.DataFrame(rows, columns=names)
    classifier = DNNClassifier((6,), max_iter=5, random_state=0).fit(table, X[:, 0] > 0)
    built = library(classifier, tmp_path, "classifier")
    same(each_row(built.classifier_predict_proba, rows, 2), classifier.predict_proba(table))
    several = DNNClassifier((6,), max_iter=5, random_state=0).fit(X, (X[:, :3] > 0).astype(int))
    built = library(several, tmp_path, "several")
    same(each_row(built.several_predict_proba, X, 3), several.predict_proba(X))
    found = each_row(built.several_predict, X, 3, np.int32)
    assert np.array_equal(found, several.predict(X))
    y = 1000 + 5 * X[:, :2]
    regressor = DNNRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0).fit(X, y)
    built = library(regressor, tmp_path, "regressor")
    same(each_row(built.regressor_predict, X, 2), regressor.predict(X))


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_regressors_of_other_losses(options, tmp_path, same):
    model = DNNRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0, **options)
    y = np.abs(5 + 2 * X[:, 0])
    expected = model.fit(X, y).predict(X)
    built = library(model, tmp_path)
    expected = expected.reshape(len(X), -1)
    same(each_row(built.model_predict, X, expected.shape[1]), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_is_finite(dtype, make_network, rows, tmp_path):
    network = make_network((4, 3), dtype, output="exp")
    network.parameters *= 10000
    found = each_row(library(network, tmp_path).model_predict, rows(network), 3)
    assert found.max() == np.finfo(dtype).max == network.predict_proba(rows(network)).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["softmax", "logistic"])
def test_saturated_outputs(dtype, output, make_network, rows, tmp_path, same):
    network = make_network((4, 5, 3), dtype, "logistic", output)
    network.parameters *= 1000
    built = library(network, tmp_path)
    same(
        each_row(built.model_predict_proba, rows(network), 3), network.predict_proba(rows(network))
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_written_exactly(dtype, tmp_path):
    info = np.finfo(dtype)
    special = [info.max, -info.max, info.tiny, info.smallest_subnormal, 1, -0.0, 1 / 3, 2**53]
    bits = np.random.default_rng(0).bytes(400 * info.bits // 8)
    found = np.frombuffer(bits, dtype)
    values = np.concatenate([np.array(special, dtype), found[np.isfinite(found)]])
    network = Network((1, len(values)), dtype=dtype, output="identity")
    network.coefs_[0][...], network.intercepts_[0][...] = 0, values
    built = library(network, tmp_path)
    (out,) = each_row(built.model_predict, np.zeros((1, 1), dtype), len(values))
    assert np.array_equal(out, values)


def test_the_stack_is_as_small_as_said(make_network, tmp_path):
    network = make_network((20, 300, 200, 5, 3), np.float32)
    source = tmp_path / "model.c"
    to_c(network, source)
    (stated,) = re.findall(r"#define MODEL_STACK_BYTES (\d+)", source.read_text())
    assert int(stated) == 4 * (300 + 200 + 3)  # of layers that take turns the widest
    spare = 256  # for registers and the outputs' address
    if "gcc" in subprocess.run([CC, "--version"], capture_output=True, text=True).stdout.lower():
        limit = f"-Wframe-larger-than={int(stated) + spare}"
        compile_c(*STRICT, "-O2", limit, "-c", source, "-o", tmp_path / "model.o")
    to_c(network, source, max_stack=int(stated))
    with pytest.raises(ValueError, match=f"max_stack must be at least {stated}"):
        to_c(network, source, max_stack=int(stated) - 1)


def test_files_can_be_included_and_linked_together(make_network, tmp_path):
    """One file in its own object, declared where it is called; another included there."""
    to_c(make_network((4, 6, 3), activation="logistic"), tmp_path / "first.c", name="first")
    to_c(make_network((4, 6, 3), activation="logistic"), tmp_path / "second.c", name="second")
    (tmp_path / "main.c").write_text(
        """
        #define FIRST_DECLARATIONS_ONLY
        #include "first.c"
        #include "first.c"
        #define SECOND_API static inline
        #include "second.c"
        #include <stdio.h>

        int main(void)
        {
            const double x[FIRST_N_FEATURES] = {0.5, -1.0, 2.0, 0.0};
            double p[FIRST_N_OUTPUTS], q[SECOND_N_OUTPUTS];
            int j, equal = first_predict(x) == second_predict(x);
            first_predict_proba(x, p);
            second_predict_proba(x, q);
            for (j = 0; j < FIRST_N_OUTPUTS; j++) equal = equal && p[j] == q[j];
            printf("%d %.17g", equal, p[0]);
            return 0;
        }
        """
    )
    program = tmp_path / "program"
    compile_c(*STRICT, tmp_path / "main.c", tmp_path / "first.c", "-o", program, "-lm")
    equal, p = subprocess.run([program], capture_output=True, text=True).stdout.split()
    assert equal == "1"
    x = np.array([[0.5, -1.0, 2.0, 0.0]])
    expected = make_network((4, 6, 3), activation="logistic").predict_proba(x)[0, 0]
    assert float(p) == pytest.approx(expected, rel=1e-14)


def test_files_are_cplusplus_too(make_network, tmp_path):
    compiler = shutil.which("c++") or pytest.skip("no C++ compiler")
    to_c(make_network((4, 6, 3)).freeze(["a", "b", "c"]), tmp_path / "model.c")
    flags = ["-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    done = subprocess.run(
        [compiler, *flags, "-c", tmp_path / "model.c", "-o", tmp_path / "model.o"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_what_is_refused_leaves_the_old_file(make_network, tmp_path):
    path = tmp_path / "model.c"
    path.write_text("old")
    network = make_network((4, 3))
    for name in ("", "1a", "a-b", "é", "a b", "_x", "a\n", "a;"):
        with pytest.raises(ValueError, match="name must be a C identifier"):
            to_c(network, path, name=name)
    with pytest.raises(TypeError, match="name must be a string"):
        to_c(network, path, name=None)
    for stack, error in ((-1, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error, match="max_stack"):
            to_c(network, path, max_stack=stack)
    with pytest.raises(TypeError, match="model must be a Network"):
        to_c(None, path)
    for classes in (["a", "b\0", "c"], ["a" * 5000, "b", "c"]):
        with pytest.raises(ValueError, match="C strings"):
            to_c(network.freeze(np.array(classes, object)), path)
    network.coefs_[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="weights of layer 0"):
        to_c(network, path)
    assert path.read_text() == "old"


def test_the_name_may_be_a_word_of_the_template(make_network, tmp_path, same, rows):
    network = make_network((4, 5, 3), np.float32)
    for name in ("REAL", "NAME", "MACRO_F", "LABEL", "exp"):
        built = library(network, tmp_path, name)
        found = each_row(built[f"{name}_predict_proba"], rows(network), 3)
        same(found, network.predict_proba(rows(network)))
