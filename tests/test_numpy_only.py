"""Scoring, and training without BLAS, where nothing but NumPy is installed."""

import json

import numpy as np
import pytest
from modelfiles import FRAME, KINDS, TABULAR, X, model_of
from processes import run_python

from dnncore.predictor import Predictor

# The start of a script: as if they were not installed.
NUMPY_ONLY = """
import importlib.abc, sys

class Absent(importlib.abc.MetaPathFinder):
    names = {"scipy", "sklearn", "threadpoolctl", "safetensors", "joblib", "pandas", "pyarrow"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def run(code, cwd=None):
    return run_python(NUMPY_ONLY + code, cwd)


@pytest.mark.parametrize("kind", KINDS)
def test_models_of_any_kind_are_scored(kind, tmp_path):
    path = tmp_path / "model.safetensors"
    model_of(kind).save(path)
    predictor = Predictor.load(path)
    rows = FRAME[:9] if kind in TABULAR else X[:9].astype(predictor.dtype).tolist()
    out, _ = run(
        f"""
import json
import numpy as np
from dnncore.predictor import Predictor
predictor = Predictor.load("model.safetensors")
rows = {rows!r}
if not isinstance(rows[0], dict):
    rows = np.array(rows, predictor.dtype)
outputs = predictor(rows), predictor.predict(rows), predictor(rows[0])
print(json.dumps([x.tolist() for x in outputs]))
print(json.dumps(sorted(Absent.names & sys.modules.keys())))
""",
        tmp_path,
    )
    found, absent = map(json.loads, out.splitlines())
    rows = rows if kind in TABULAR else np.array(rows, predictor.dtype)
    expected = predictor(rows), predictor.predict(rows), predictor(rows[0])
    assert found == [x.tolist() for x in expected]
    assert absent == []


def test_a_network_learns_by_its_own_products():
    out, _ = run(
        """
import numpy as np
from dnncore import Network
from dnncore.training import Trainer
rng = np.random.default_rng(0)
X, y = rng.normal(size=(64, 4)), np.arange(64) % 3
network = Network((4, 8, 3), seed=0)
trainer = Trainer(network, engine="builtin", seed=0)
trainer.fit(X, y, max_iter=3)
print(len(trainer.history.loss_curve), np.isfinite(network.parameters).all())
"""
    )
    assert out.split() == ["3", "True"]


@pytest.mark.parametrize(
    "call",
    [
        "kernels.affine(np.eye(2), np.eye(2), np.ones(2))",
        "kernels.affine_backward(np.eye(2), np.eye(2), np.eye(2))",
        'Trainer(Network((2, 3, 2), seed=0), engine="blas").fit(np.eye(2), [0, 1], max_iter=1)',
    ],
)
def test_products_of_blas_need_scipy(call):
    out, _ = run(
        f"""
import numpy as np
from dnncore import Network, kernels
from dnncore.training import Trainer
print(kernels.sigmoid(np.zeros(1)))
try:
    {call}
except ImportError as error:
    print(error)
"""
    )
    assert out.startswith("[0.5]")
    assert "need the BLAS of SciPy: pip install scipy" in out


def test_the_configuration_tells_that_there_is_no_scipy():
    out, _ = run(
        """
import dnncore
config = dnncore.show_config("dicts")
print(config["blas"], config["cpu"]["selected"] in config["cpu"]["instruction_sets"])
"""
    )
    assert out.split() == ["[]", "True"]


def test_predictors_are_imported_without_what_they_do_not_need():
    """For the time that it takes, and the memory."""
    out, _ = run_python(
        """
        import sys
        import numpy
        before = set(sys.modules)
        import dnncore.predictor
        print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
        """
    )
    assert "dnncore" in out.split()
    heavy = {"scipy", "sklearn", "threadpoolctl", "importlib", "email", "logging", "concurrent"}
    assert not heavy & set(out.split())
