"""The package as it is imported and cimported."""

import ast
import importlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import textwrap

import numpy as np
import pytest
from processes import run_python

import dnncore
from dnncore.tabular import TableEncoder, TablePredictor


def test_import_takes_no_optional_package():
    out, _ = run_python(
        """
        import sys, json, dnncore
        import dnncore.kernels, dnncore.network, dnncore.training, dnncore.reference
        import dnncore.gradient_check
        optional = ("sklearn", "matplotlib", "pandas", "rich", "safetensors", "pyarrow", "joblib",
                    "river")
        print(json.dumps([name for name in optional if name in sys.modules]))
        """
    )
    assert json.loads(out) == []


def test_river_says_what_it_needs():
    out, _ = run_python(
        """
        import sys
        sys.modules["river"] = None
        try:
            import dnncore.river
        except ImportError as error:
            print(error)
        """
    )
    assert out.strip() == "dnncore.river needs river: pip install 'dnncore[river]'"


def test_public_names():
    for name in dnncore.__all__:
        assert getattr(dnncore, name) is not None
    assert set(dnncore.__all__) == set(dir(dnncore))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dnncore.nonsense


def test_threads_may_use_the_first_names_at_once():
    out, _ = run_python(
        """
        import threading, dnncore
        names = ["Network", "training", "load", "to_onnx", "DNNRegressor", "predictor"]
        barrier, found = threading.Barrier(len(names)), []

        def use(i):
            barrier.wait()
            found.extend(getattr(dnncore, name) for name in names[i:] + names[:i])

        threads = [threading.Thread(target=use, args=(i,)) for i in range(len(names))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(found), len(set(found)))
        """
    )
    assert out.split() == ["36", "6"]


def names_in_readme():
    """The names of dnncore in the first column of README.md's table, without their modules."""
    text = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `dnncore.")]
    return re.findall(r"`dnncore\.(\w+)", "".join(cells))


@pytest.mark.parametrize("name", names_in_readme())
def test_what_readme_names_is_there_after_a_plain_import(name):
    out, _ = run_python(f"import dnncore; print(dnncore.{name} is not None)")
    assert out.strip() == "True"


def test_readme_names_the_modules():
    assert {"DNNClassifier", "training", "blocks", "modelfile"} <= set(names_in_readme())


@pytest.mark.parametrize(
    "statement",
    [
        "dnncore.DNNClassifier",
        "dnncore.tabular",
        "import dnncore.tabular",
        "import dnncore.classifier",
        "import dnncore.regressor",
        "from dnncore.tabular import TableEncoder",
    ],
)
def test_estimators_without_scikit_learn(statement):
    out, _ = run_python(
        f"""
        import sys
        sys.modules["sklearn"] = None
        import dnncore
        try:
            {statement}
        except ImportError as error:
            print(error)
        """
    )
    assert "needs scikit-learn: pip install 'dnncore[sklearn]'" in out


def test_scipy_with_another_blas_interface_is_refused():
    # A stand-in for SciPy's BLAS module whose functions count in 64-bit integers.
    out, _ = run_python(
        """
        import ctypes, sys, types
        import numpy
        import dnncore
        capsule = ctypes.pythonapi.PyCapsule_New
        capsule.restype = ctypes.py_object
        capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        import scipy.linalg
        from scipy.linalg import cython_blas
        signature = b"void (char *, int64_t *)"
        fake = types.ModuleType("scipy.linalg.cython_blas")
        fake.__pyx_capi__ = {k: capsule(1, signature, None) for k in cython_blas.__pyx_capi__}
        sys.modules["scipy.linalg.cython_blas"] = scipy.linalg.cython_blas = fake
        try:
            dnncore.kernels.affine(numpy.eye(2), numpy.eye(2), numpy.ones(2))
        except ImportError as error:
            print(error)
        """
    )
    assert "64-bit integers" in out
    assert "SciPy" in out


def test_a_source_tree_that_is_not_built_says_so(tmp_path):
    package = pathlib.Path(dnncore.__file__).parent
    shutil.copytree(
        package, tmp_path / "dnncore", ignore=shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    )
    # An editable install would find the compiled modules elsewhere.
    code = """if True:
        import sys
        sys.meta_path = [f for f in sys.meta_path if "Editable" not in getattr(f, "__name__", "")]
        from dnncore import Network, kernels
        """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "ImportError: the compiled modules of dnncore are missing" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        *("kernels", "predictor", "table_predictor", "stepper"),
        *("_core.csrc", "_core.engine", "_core.blas"),
    ],
)
def test_stubs_name_what_exists(name):
    module = importlib.import_module(f"dnncore.{name}")
    stub = importlib.resources.files("dnncore") / f"{name.replace('.', '/')}.pyi"
    definitions = ast.FunctionDef | ast.ClassDef
    names = [x.name for x in ast.parse(stub.read_text()).body if isinstance(x, definitions)]
    assert names
    assert set(names) <= set(dir(module))


def first_product_of_a_process(folder):
    """It loads SciPy's BLAS, or ends the process if there is none."""
    code = """if True:
        import sys
        sys.path.insert(0, ".")
        import numpy as np
        import user
        assert "scipy" not in sys.modules
        if "without" in sys.argv:
            sys.modules["scipy"] = None
        a, out = np.eye(2, dtype="f"), np.zeros((2, 2), "f")
        user.f32(a, a, np.zeros(2, "f"), out)
        print(out[0, 1], out[0, 0] > 0.7)
        """
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.stdout.split() == ["0.5", "True"], done.stderr
    done = subprocess.run([*command, "without"], cwd=folder, capture_output=True, text=True)
    assert done.returncode < 0 and not done.stdout
    assert "need the BLAS of SciPy: pip install scipy" in done.stderr


def test_kernels_can_be_cimported(tmp_path):
    """A user's own extension calls the kernels without the GIL, for float and double."""
    (tmp_path / "user.pyx").write_text(
        textwrap.dedent(
            """
            # cython: language_level=3
            from dnncore.kernels cimport c_affine, c_sigmoid, c_softmax_cross_entropy
            from dnncore.predictor cimport Predictor
            from dnncore.table_predictor cimport TablePredictor

            def f32(const float[:, ::1] a, const float[:, ::1] W, const float[::1] b,
                    float[:, ::1] out):
                with nogil:
                    c_affine(a.shape[0], a.shape[1], W.shape[1], &a[0, 0], &W[0, 0], &b[0],
                             &out[0, 0])
                    c_sigmoid(out.shape[0] * out.shape[1], &out[0, 0], &out[0, 0])

            def f64(const double[:, ::1] z, const Py_ssize_t[::1] y, double[::1] loss,
                    double[:, ::1] dz):
                with nogil:
                    c_softmax_cross_entropy(z.shape[0], z.shape[1], &z[0, 0], &y[0],
                                            <const double*> NULL, 1.0 / z.shape[0],
                                            <const double*> NULL, &loss[0], &dz[0, 0])

            def score(Predictor predictor, const float[:, ::1] x, float[:, ::1] out):
                cdef int status
                with nogil:
                    status = predictor.score_f32(x.shape[0], &x[0, 0], &out[0, 0])
                return status

            def score_table(TablePredictor predictor, const double[:, ::1] x,
                            double[:, ::1] out):
                cdef int status
                with nogil:
                    status = predictor.score(x.shape[0], &x[0, 0], &out[0, 0])
                return status
            """
        )
    )
    build = """
        import pathlib
        import dnncore
        from Cython.Build import cythonize
        from setuptools import Extension, setup
        setup(ext_modules=cythonize([Extension("user", ["user.pyx"])], quiet=True,
                                    include_path=[str(pathlib.Path(dnncore.__file__).parents[1])]),
              script_args=["-q", "build_ext", "--inplace"])
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(build)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    spec = importlib.util.spec_from_file_location("user", tmp_path / f"user{suffix}")
    user = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(user)

    rng = np.random.default_rng(0)
    a, W = rng.normal(size=(5, 4)).astype("f"), rng.normal(size=(4, 3)).astype("f")
    b, out = np.ones(3, "f"), np.empty((5, 3), "f")
    user.f32(a, W, b, out)
    assert np.array_equal(out, dnncore.kernels.sigmoid(dnncore.kernels.affine(a, W, b)))
    first_product_of_a_process(tmp_path)
    z, y = rng.normal(size=(5, 4)), np.arange(5) % 4
    loss, dz = np.empty(5), np.empty((5, 4))
    user.f64(z, y, loss, dz)
    expected = dnncore.kernels.softmax_cross_entropy(z, y)
    assert loss.sum() == pytest.approx(expected[0], rel=1e-15)
    assert np.array_equal(dz, expected[1])
    predictor = dnncore.Network((4, 6, 3), dtype="f", seed=0).freeze()
    p = np.empty((5, 3), "f")
    assert user.score(predictor, a, p) == 0
    assert np.array_equal(p, predictor(a))
    encoding = TableEncoder().fit(a).encoding_
    predictor, p = TablePredictor(encoding, [predictor]), np.empty((5, 3))
    rows = a.astype(float)
    assert user.score_table(predictor, rows, p) == 0
    assert np.array_equal(p, predictor(rows))
