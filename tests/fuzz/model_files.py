"""Model files that were changed, with a checksum that fits: refused, or a model that can be used.

A model that is loaded predicts, can be saved, and predicts the same when it is loaded again. The
fit of an ensemble that is not finished is refused, or completed.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _search import search
from modelfiles import FRAME, KINDS, LABELS, X, bytes_of, checksum, metadata_of
from safetensors.numpy import load_file, save

from dnncore import DNNClassifier, Network, load
from dnncore._estimators.interface import TabularModel, unfinished_ensemble_of
from dnncore.modelfile import ModelFileError, read_table
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier, TabularRegressor

FOLDER = Path(tempfile.mkdtemp(prefix="dnncore-fuzz-"))
PATH, AGAIN = FOLDER / "model.safetensors", FOLDER / "again.safetensors"
Parts = tuple[dict[str, str], dict[str, np.ndarray]]  # metadata, tensors

SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 2**31, 2**63, 2**64, 10**30, 0.0, -0.0, 0.5, 1e308,
    1e-320, float("nan"), float("inf"), "", "a", "red", "float32", "float64", "<f4", "U1", "\0",
    "\ud800", "é" * 300, [], {}, [0], [[]], {"float": "inf"}, {"a": 1}, [1] * 50,
]  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, -1.0, 1e-320, 1e-45, 1e38, 1e300, np.inf, -np.inf, np.nan]
DTYPES = ["float64", "float32", "float16", "int64", "bool"]


def parts_of(kind: str) -> Parts:
    PATH.write_bytes(bytes_of(kind, FOLDER))
    return metadata_of(PATH), load_file(PATH)


FILES = {kind: parts_of(kind) for kind in KINDS}


def pick(rng: np.random.Generator, values: Any) -> Any:
    values = list(values)
    return values[rng.integers(len(values))]


def changed_json(rng: np.random.Generator, value: Any) -> Any:
    """With one node replaced, removed, repeated, or moved."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = pick(rng, value)
        match rng.integers(8):
            case 0:
                return {k: x for k, x in value.items() if k != key}
            case 1:
                return value | {key: value[pick(rng, value)]}
            case 2:
                return value | {pick(rng, ["", "a", "mean", "kind"]): value[key]}
        return value | {key: changed_json(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.85:
        i = int(rng.integers(len(value)))
        match rng.integers(8):
            case 0:
                return value[:i] + value[i + 1 :]
            case 1:
                return [*value[:i], value[i], *value[i:]]
            case 2:
                return value[::-1]
        return [*value[:i], changed_json(rng, value[i]), *value[i + 1 :]]
    if isinstance(value, int | float) and not isinstance(value, bool) and rng.random() < 0.4:
        return value + pick(rng, [1, -1, 0.5, 1e9, -1e9])
    if isinstance(value, str) and rng.random() < 0.3:
        return changed_text(rng, value)
    return pick(rng, SCALARS)


def changed_text(rng: np.random.Generator, text: str) -> str:
    i, j = sorted(int(k) for k in rng.integers(0, len(text) + 1, 2))
    middle = pick(rng, ["", "0", "-", "]", '"', ",", "e9", "null", text[i:j] * 2])
    return text[:i] + middle + text[j:]


def change_metadata(rng: np.random.Generator, metadata: dict[str, str]) -> None:
    key = pick(rng, sorted(metadata))
    match rng.integers(10):
        case 0:
            del metadata[key]
        case 1:
            metadata[key] = changed_text(rng, metadata[key])
        case 2:
            metadata[key] = metadata[pick(rng, sorted(metadata))]
        case 3:
            other = FILES[pick(rng, KINDS)][0]
            key = pick(rng, sorted(other))
            metadata[key] = other[key]
        case _:
            try:
                value = json.loads(metadata[key])
            except ValueError:
                value = metadata[key]
            new = changed_json(rng, value)
            text = new if isinstance(new, str) and isinstance(value, str) else json.dumps(new)
            metadata[key] = text.encode(errors="replace").decode()


def change_tensors(rng: np.random.Generator, tensors: dict[str, np.ndarray]) -> None:
    name = pick(rng, sorted(tensors))
    tensor = tensors[name].copy()
    match rng.integers(8):
        case 0:
            del tensors[name]
        case 1:
            tensors[pick(rng, sorted(tensors))] = tensor
        case 2:
            other = FILES[pick(rng, KINDS)][1]
            name = pick(rng, sorted(other))
            tensors[name] = other[name]
        case 3:
            tensors[name] = tensor.astype(pick(rng, DTYPES))
        case 4:
            shape = [int(n) for n in rng.integers(0, 6, rng.integers(0, 4))]
            tensors[name] = np.full(shape, 0.5).astype(tensor.dtype)
        case _:
            if tensor.size:
                flat, number = tensor.reshape(-1), np.float64(pick(rng, NUMBERS))
                flat[rng.integers(0, tensor.size, rng.integers(1, 4))] = number.astype(tensor.dtype)
            tensors[name] = tensor


def changed_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    content = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(0, len(content) + 1))
        content[start : start + int(rng.integers(0, 9))] = rng.bytes(int(rng.integers(0, 9)))
    return bytes(content)


def rows_for(model: Any) -> Any:
    if isinstance(model, TabularClassifier | TabularRegressor):
        rows = np.full((3, model.n_features_in_), None, object)
        names = getattr(model, "feature_names_in_", None)
        return rows if names is None else [dict(zip(names, row, strict=True)) for row in rows]
    if isinstance(model, Predictor | Network):
        return np.linspace(-1, 1, 3 * model.n_features, dtype=model.dtype).reshape(3, -1)
    return np.linspace(-1, 1, 3 * model.n_features_in_).reshape(3, -1)


def outputs(model: Any) -> np.ndarray:
    rows = rows_for(model)
    if isinstance(model, Network):
        found = model.predict_proba(rows)
    elif isinstance(model, Predictor):
        found = model(rows)
    else:
        if isinstance(rows, np.ndarray):
            vars(model).pop("feature_names_in_", None)  # else a warning that it has no names
        proba = isinstance(model, DNNClassifier | TabularClassifier)
        found = model.predict_proba(rows) if proba else model.predict(rows)
    assert len(found) == 3
    return found


def check(path: Path) -> str:
    for read in (Predictor.load, read_table):
        try:
            read(path)
        except ModelFileError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)
    try:
        model = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)
        assert len(str(error)) < 1000, str(error)
        return "refused"
    state = has_state(model)
    model.save(AGAIN, **({"solver_state": True} if state else {}))
    again = load(AGAIN)
    assert has_state(again) == state
    try:
        expected = outputs(model)
    except ValueError as error:  # of huge weights
        assert "must give finite outputs" in str(error), str(error)
        return "loaded, and outputs refused"
    np.testing.assert_array_equal(outputs(again), expected)
    return complete(model) if state and isinstance(model, TabularModel) else "loaded and used"


def has_state(model: Any) -> bool:
    """Whether a file of the model has more with `solver_state`."""
    if isinstance(model, TabularModel):
        return unfinished_ensemble_of(model) is not None
    return getattr(model, "_trainer", None) is not None


def complete(model: Any) -> str:
    model.set_params(warm_start=True)
    try:
        model.fit(FRAME, LABELS if isinstance(model, TabularClassifier) else X[:, 0])
    except ValueError as error:
        message = str(error)
        assert len(message) < 1000 and message.isprintable(), message
        names = tuple(model.get_params())  # of those that only fit checks
        assert "the fit that is to be completed" in message or message.startswith(names), message
        return "loaded, and not completed"
    assert unfinished_ensemble_of(model) is None
    assert len(model.ensemble_.networks) == model.n_members
    return "loaded and completed"


def try_one(rng: np.random.Generator) -> str:
    kind = pick(rng, KINDS)
    metadata, tensors = ({**part} for part in FILES[kind])
    if rng.random() < 0.1:
        PATH.write_bytes(changed_bytes(rng, bytes_of(kind, FOLDER)))
        return check(PATH)
    for _ in range(rng.integers(1, 3)):
        if rng.random() < 0.6:
            change_metadata(rng, metadata)
        elif tensors:
            change_tensors(rng, tensors)
    metadata["checksum"] = checksum(metadata, tensors)
    PATH.write_bytes(save(tensors, metadata))
    return check(PATH)


if __name__ == "__main__":
    search(try_one)
