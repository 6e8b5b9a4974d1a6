"""Models with hostile names as C and ONNX files: they compile, and compute what predict does.

Names of features, categories, classes and files, and prefixes of the functions: quotes,
backslashes, line ends, ends of comments, trigraphs, formats, zero bytes, surrogates, very long
ones. C files are compiled by GCC as C11 and C++11 without a warning.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _search import search
from hostilenames import IDENTIFIERS, PIECES, CFile, names_in, refusal, run_onnx, table_of

from dnncore import DNNClassifier, DNNRegressor, to_c, to_onnx
from dnncore.tabular import TabularClassifier, TabularRegressor

FOLDER = Path(tempfile.mkdtemp(prefix="dnncore-fuzz-"))
N = 24  # rows
MAX_NAME = 255  # bytes of the name of a file


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def name(rng: np.random.Generator) -> str:
    return "".join(pick(rng, PIECES) for _ in range(rng.integers(0, 5)))


def names(rng: np.random.Generator, n: int) -> list[str]:
    """Return n different names."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[name(rng)] = None
    return list(found)


def valid(rng: np.random.Generator, n: int) -> list[str]:
    """Return n different names that are valid Unicode and, mostly, strings of C."""
    found: dict[str, None] = {}
    while len(found) < n:
        text = name(rng).encode(errors="ignore").decode()
        found[text if rng.random() < 0.05 else text.replace("\0", "")[:1000]] = None
    return list(found)


def file_name(rng: np.random.Generator) -> str:
    kept = (x for x in name(rng) if x not in "/\0\ud800")
    return "".join(kept) + pick(rng, [".c", ".onnx", "-"])


def identifier(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return pick(rng, IDENTIFIERS)
    letters = [x for x in "".join(IDENTIFIERS) if x.isalnum()]
    return pick(rng, IDENTIFIERS) + "".join(pick(rng, letters) for _ in range(rng.integers(0, 9)))


def classes_of(rng: np.random.Generator) -> np.ndarray:
    """Return labels of N rows, of all kinds of strings."""
    n = int(rng.integers(2, 5))
    labels = np.array(names(rng, n) if rng.random() < 0.1 else valid(rng, n), object)
    fixed = labels.astype(str)  # without the zero bytes at an end
    if rng.random() < 0.3 and len(set(fixed)) == n:
        labels = fixed
    return labels[rng.permutation(np.arange(N) % n)]


def network(rng: np.random.Generator) -> tuple[Any, np.ndarray, pd.DataFrame]:
    """Return a fitted network, its rows, and the same as a table."""
    dtype = pick(rng, [np.float32, np.float64])
    X = rng.normal(size=(N, int(rng.integers(1, 5)))).astype(dtype)
    table = table_of(dict(zip(names(rng, X.shape[1]), X.T, strict=True)))
    options = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}
    options |= {"activation": pick(rng, ["relu", "tanh", "gelu", "mish", "selu"])}
    if rng.random() < 0.7:
        return DNNClassifier(**options).fit(table, classes_of(rng)), X, table
    y = rng.normal(size=(N, int(rng.integers(1, 3)))) + 3.0
    return DNNRegressor(**options).fit(table, y), X, table


def ensemble(rng: np.random.Generator) -> tuple[Any, np.ndarray, pd.DataFrame]:
    """Return a fitted model of tables, its rows as numbers, and the table."""
    columns: dict[str, Any] = {}
    for column in names(rng, int(rng.integers(1, 5))):
        cells = names(rng, int(rng.integers(1, 5)))
        if rng.random() < 0.4:
            columns[column] = rng.normal(size=N)
        else:
            columns[column] = np.array([pick(rng, [*cells, None]) for _ in range(N)], object)
    table = table_of(columns)
    options = {"n_members": int(rng.integers(1, 3)), "max_iter": 1, "random_state": 0}
    options |= {"hidden_layer_sizes": (3,), "n_threads": 1}
    if rng.random() < 0.7:
        model: Any = TabularClassifier(**options).fit(table, classes_of(rng))
    else:
        model = TabularRegressor(**options).fit(table, rng.normal(size=N))
    return model, model.freeze().encode(table), table


def check_classes(p: np.ndarray, labels: list[str], expected: np.ndarray, predicted: Any) -> None:
    """Raise if a label differs where the probabilities are not as good as equal."""
    two = np.sort(expected, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 1e-4
    assert [x for x, known in zip(labels, clear, strict=True) if known] == list(predicted[clear])


def try_one(rng: np.random.Generator) -> str:
    model, X, table = pick(rng, [network, network, ensemble])(rng)
    classifies = hasattr(model, "classes_")
    expected = model.predict_proba(table) if classifies else model.predict(table).reshape(N, -1)
    size = 1e-14 if X.dtype == np.float64 and isinstance(model, DNNClassifier) else 1e-5
    tolerance = size * max(1.0, np.abs(expected).max())
    classes = [str(x) for x in model.classes_] if classifies else []
    why = refusal(classes)
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    path, prefix = folder / file_name(rng), identifier(rng)
    too_long = len(os.fsencode(path.name)) > MAX_NAME
    for write in (to_onnx, lambda model, path: to_c(model, path, name=prefix)):
        wanted = why if write is not to_onnx or why == "valid Unicode" else None
        try:
            write(model, path)
        except ValueError as error:
            assert wanted and wanted in str(error), (classes, error)
            assert os.listdir(folder) == ([path.name] if path.exists() else [])
            return "refused"
        except OSError:
            assert too_long and os.listdir(folder) == []
            return "too long a name of the file"
        assert wanted is None and not too_long
        assert os.listdir(folder) == [path.name]
        if write is to_onnx:
            check_onnx(model, path, X, table, expected, tolerance)
    check_c(model, path, prefix, X, table, expected, tolerance)
    path.unlink()
    folder.rmdir()
    return "exported"


def check_onnx(
    model: Any, path: Path, X: np.ndarray, table: pd.DataFrame, expected: np.ndarray, size: float
) -> None:
    found, metadata = run_onnx(path, X)
    assert names_in(metadata) == list(table.columns)
    numbers = found["probabilities" if hasattr(model, "classes_") else "variable"]
    assert (np.abs(numbers - expected) <= size).all()
    if hasattr(model, "classes_"):
        check_classes(numbers, list(found["label"]), expected, model.predict(table))


def check_c(
    model: Any, path: Path, prefix: str, X: np.ndarray, table: pd.DataFrame,
    expected: np.ndarray, size: float,
) -> None:  # fmt: skip
    built = CFile(path, FOLDER, prefix)
    try:
        if not hasattr(model, "classes_"):
            found = built.outputs("predict", X, expected.shape[1])
            assert (np.abs(found - expected) <= size).all()
            return
        labels = built.labels(expected.shape[1])
        assert labels == [str(x) for x in model.classes_]
        found = built.outputs("predict_proba", X, expected.shape[1])
        assert (np.abs(found - expected) <= size).all()
        chosen = [labels[i] for i in found.argmax(axis=1)]
        check_classes(found, chosen, expected, model.predict(table))
    finally:
        built.close()


if __name__ == "__main__":
    search(try_one)
