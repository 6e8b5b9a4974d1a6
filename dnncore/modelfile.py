"""The model file: a network, or a fitted estimator, in one safetensors file; no pickle.

Tensors of format version 1, in the dtype of the network unless said otherwise:

``layers.{l}.weight``, ``layers.{l}.bias``
    (n_in, n_out) and (n_out,), for l = 0, 1, ...
``norm.mean``, ``norm.scale``
    (n_features,); absent from a network without norm.
``norm.moments.count``, ``norm.moments.mean``, ``norm.moments.variance``
    float64, (1,) and twice (n_features,): what norm has learnt its mean and scale from, for
    `partial_fit` to go on with; absent where they were given by `set_norm`.
``history.loss``, ``history.validation_score``, ``history.validation_loss``
    float64, (n,); of an estimator only, the last two only if it had validation rows.
``class_prior``, ``class_total``
    float64, (n_outputs,); of a classifier whose rows have one label each: the shares of the
    classes, and the weight of the rows that they were counted from.
``target.mean``, ``target.scale``
    float64, (n_outputs,); of a regressor.

Metadata: ``format`` ("dnncore"), ``format_version`` ("1"), ``kind`` ("Network",
"DNNClassifier" or "DNNRegressor"), ``dtype``, ``activation``, ``output``, ``dnncore_version``, and
as JSON ``layer_sizes``; of an estimator also ``feature_names``, ``params``, ``n_iter`` and
``t``, of a classifier ``classes`` and ``label_kind``, of a regressor ``target_ndim``. ``table``, if the model was saved
with it, says how the columns of a table became its features (see `dnncore._columns`).

Not stored are the optimizer's state (`partial_fit` on a loaded estimator starts Adam's moments or
SGD's velocity afresh), ``history_.metrics``, the parameter ``callback``, a ``scoring`` that is not
made of names, and a ``random_state`` that is no integer. There is no checksum: a file that was
changed inside a weight still loads if the weight is finite.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from . import _columns
from ._columns import Column, Table
from ._engine import ACTIVATIONS, OUTPUTS
from ._moments import Moments
from ._version import __version__
from .network import Network

if TYPE_CHECKING:
    from ._estimator import DNNEstimator

__all__ = ["ModelFileError", "load", "read_table", "save"]

FORMAT = "dnncore"
VERSION = "1"
KEYS = {
    "format", "format_version", "kind", "dtype", "activation", "output", "dnncore_version",
    "layer_sizes",
}  # fmt: skip
ESTIMATOR_KEYS = {"feature_names", "params", "n_iter", "t"}
KIND_KEYS = {
    "Network": set(),
    "DNNClassifier": ESTIMATOR_KEYS | {"classes", "label_kind"},
    "DNNRegressor": ESTIMATOR_KEYS | {"target_ndim"},
}
OPTIONAL_KEYS = {"table"}
JSON_KEYS = ESTIMATOR_KEYS | {"layer_sizes", "classes", "target_ndim", "table"}
LABEL_KINDS = {"single": "softmax", "soft": "softmax", "multilabel": "logistic"}  # their output
TENSOR_DTYPES = {"float32": "F32", "float64": "F64"}

CLASS_TYPES = {"bool": bool, "int": int, "float": float, "str": str}
CLASS_DTYPES = {
    "bool": {"bool"},
    "int": {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float": {"float16", "float32", "float64"},
}
SPARE_WIDTH = 1024  # by which fixed-width classes may be wider than the longest


class ModelFileError(ValueError):
    """The file is no model file, is damaged, or is of a version that cannot be read."""


def save(
    model: Network | DNNEstimator,
    path: str | os.PathLike[str],
    *,
    table: Sequence[Column] | None = None,
) -> None:
    """Write a network or a fitted estimator to a safetensors file.

    The file is replaced in one step: who reads meanwhile gets the old one or the new one. The
    same model gives the same bytes.

    Parameters
    ----------
    model : Network, or fitted DNNClassifier or DNNRegressor
    path : str or path-like
    table : sequence of Column, optional
        How the columns of a table became the features, in their order; :func:`read_table`
        gives it back.

    Raises
    ------
    TypeError
        If `model` is neither, or has classes or a parameter of a type that cannot be stored.
    ValueError
        If a number of the model is not finite, the estimator is not fitted, or `table` is not
        one of as many features as the model has.
    ImportError
        If safetensors is not installed.
    OSError
        If the file cannot be written; the old one is left.
    """
    if isinstance(model, Network):
        tensors, metadata = _describe_network(model)
    else:
        tensors, metadata = _describe_estimator(model)
    if table is not None:
        _columns.check_columns(table, json.loads(metadata["layer_sizes"])[0])
        metadata["table"] = json.dumps(_columns.to_json(table))
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ValueError(f"a model must be finite to be saved, got {name} with NaN or infinity")
    try:
        from safetensors.numpy import save as serialize
    except ModuleNotFoundError as error:
        _raise_without_safetensors(error)
    write_atomically(path, _sort_metadata(serialize(tensors, metadata=metadata)))


def load(path: str | os.PathLike[str]) -> Network | DNNEstimator:
    """Read the network or the estimator that :func:`save` wrote.

    Everything is checked before use: names, dtypes, shapes, values, classes and parameters. A
    file can run no code, and takes memory in proportion to its size.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Network, DNNClassifier or DNNRegressor
        An estimator predicts the same numbers as before and can go on with `partial_fit`.

    Raises
    ------
    ModelFileError
        If the file is no model file, is damaged, or of another version; says what is wrong.
    OSError
        If the file cannot be read; FileNotFoundError if there is none.
    ImportError
        If safetensors, or for an estimator scikit-learn, is not installed.
    """
    with _faults_of(path):
        metadata, tensors = _read(os.fspath(path))
        network = _build_network(metadata, tensors)
        if metadata["kind"] == "Network":
            return network
        return _build_estimator(network, metadata, tensors)


def read_table(path: str | os.PathLike[str]) -> Table | None:
    """Read what :func:`save` was told of the columns of the table.

    Parameters and errors are those of :func:`load`.

    Returns
    -------
    tuple of Column, or None
        None if the model was saved without `table`.
    """
    with _faults_of(path):
        metadata, _ = _read(os.fspath(path))
        return metadata.get("table")


def load_network(path: str | os.PathLike[str]) -> tuple[Network, dict[str, Any]]:
    """Read the network in a file of any kind, and what its `freeze` takes.

    Does not need scikit-learn. Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    network : Network
    options : dict
        Arguments of ``Network.freeze``.
    """
    with _faults_of(path):
        metadata, tensors = _read(os.fspath(path))
        network = _build_network(metadata, tensors)
        if metadata["kind"] == "DNNClassifier":
            return network, {"classes": _build_learnt(network, metadata, tensors)["classes_"]}
        if metadata["kind"] == "DNNRegressor":
            learnt = _build_learnt(network, metadata, tensors)
            return network, {name: learnt[f"{name}_"] for name in ("target_mean", "target_scale")}
        return network, {}


@contextmanager
def _faults_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    with open(path, "rb"):
        pass  # What the operating system has to say comes as its own exception.
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error.__cause__


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Replace the file `path` by one with `data`, in one step.

    Raises
    ------
    OSError
        If that fails, or `path` is not a regular file; then it is as before.
    """
    # A rename onto a symbolic link or a device would replace the link or the device.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    temporary = path.with_name(f".dnncore-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


# --------------------------------------------------------------- model to tensors and metadata


def _describe_network(network: Network) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    tensors: dict[str, NDArray[Any]] = {}
    for layer, (W, b) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        tensors |= {f"layers.{layer}.weight": W, f"layers.{layer}.bias": b}
    if network.mean_ is not None and network.scale_ is not None:
        tensors |= {"norm.mean": network.mean_, "norm.scale": network.scale_}
    if network.moments_ is not None:
        tensors |= {
            "norm.moments.count": np.array([network.moments_.count]),
            "norm.moments.mean": network.moments_.mean,
            "norm.moments.variance": network.moments_.variance,
        }
    metadata = {
        "format": FORMAT,
        "format_version": VERSION,
        "kind": "Network",
        "dtype": network.dtype.name,
        "activation": network.activation,
        "output": network.output,
        "dnncore_version": __version__,
        "layer_sizes": json.dumps(network.layer_sizes),
    }
    return tensors, metadata


def _describe_estimator(model: DNNEstimator) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    from sklearn.utils.validation import check_is_fitted

    from .classifier import DNNClassifier
    from .regressor import DNNRegressor

    if not isinstance(model, DNNClassifier | DNNRegressor):
        raise TypeError(
            f"model must be a Network, DNNClassifier or DNNRegressor, got {type(model).__name__}"
        )
    check_is_fitted(model)
    tensors, metadata = _describe_network(model.network_)
    tensors["history.loss"] = np.asarray(model.loss_curve_, np.float64)
    if model.validation_scores_ is not None:
        tensors["history.validation_score"] = np.asarray(model.validation_scores_, np.float64)
    if model.validation_losses_ is not None:
        tensors["history.validation_loss"] = np.asarray(model.validation_losses_, np.float64)
    names = getattr(model, "feature_names_in_", None)
    metadata |= {
        "feature_names": json.dumps(None if names is None else list(names)),
        "params": json.dumps(_describe_params(model), default=_plain, sort_keys=True),
        "n_iter": json.dumps(model.n_iter_),
        "t": json.dumps(model.t_),
    }
    if isinstance(model, DNNRegressor):
        metadata |= {"kind": "DNNRegressor", "target_ndim": json.dumps(model._target_ndim)}
        tensors |= {"target.mean": model.target_mean_, "target.scale": model.target_scale_}
        return tensors, metadata
    metadata |= {
        "kind": "DNNClassifier",
        "classes": json.dumps(_describe_classes(model.classes_)),
        "label_kind": model._kind,
    }
    if hasattr(model, "class_prior_"):
        tensors |= {"class_prior": model.class_prior_, "class_total": model._class_totals}
    return tensors, metadata


def _describe_params(model: DNNEstimator) -> dict[str, Any]:
    params: dict[str, Any] = model.get_params(deep=False) | {"callback": None}
    if not isinstance(params["random_state"], int | np.integer):
        params["random_state"] = None
    scoring = params["scoring"]
    named = isinstance(scoring, list | tuple) and all(isinstance(x, str) for x in scoring)
    if not (isinstance(scoring, str) or named):
        params["scoring"] = None
    if isinstance(params.get("class_weight"), Mapping):
        # JSON has strings for keys only.
        params["class_weight"] = [[key, value] for key, value in params["class_weight"].items()]
    return params


def _describe_classes(classes: NDArray[Any]) -> dict[str, Any]:
    values = classes.tolist()
    if classes.dtype.kind == "U":
        width = min(classes.dtype.itemsize // 4, max(map(len, values)) + SPARE_WIDTH)
        return {"kind": "str", "dtype": f"U{width}", "values": values}
    if classes.dtype == object and all(isinstance(value, str) for value in values):
        return {"kind": "str", "dtype": "object", "values": values}
    for kind, dtypes in CLASS_DTYPES.items():
        if classes.dtype.name in dtypes:
            return {"kind": kind, "dtype": classes.dtype.name, "values": values}
    raise TypeError(
        f"classes must be integers, strings, floats or booleans to be saved, got {classes.dtype}"
    )


def _plain(value: object) -> Any:
    """Return the Python form of a parameter that is a NumPy value."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"parameters must be plain values to be saved, got {value!r}")


def _sort_metadata(data: bytes) -> bytes:
    """Sort the metadata in a safetensors file, which the library writes in random order."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # keeps the tensors aligned
    return len(text).to_bytes(8, "little") + text + data[end:]


# ------------------------------------------------------------- file to tensors and metadata


def _raise_without_safetensors(error: ModuleNotFoundError) -> NoReturn:
    raise ImportError("model files need safetensors: pip install 'dnncore[cli]'") from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelFileError(message)


def _read(path: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The metadata, with JSON decoded, and the tensors, each of the right dtype and shape."""
    try:
        from safetensors import SafetensorError, safe_open
    except ModuleNotFoundError as error:
        _raise_without_safetensors(error)
    try:
        with safe_open(path, framework="np") as file:
            metadata = _decode(file.metadata() or {})
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            found = {name: (x.get_dtype(), tuple(x.get_shape())) for name, x in slices.items()}
            # Only a tensor that passed is read: a file may declare dtypes that NumPy lacks.
            _check_tensors(metadata, found)
            tensors = {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"not a readable safetensors file: {error}") from error
    for name, tensor in tensors.items():
        _require(bool(np.isfinite(tensor).all()), f"{name} must be finite")
    return metadata, tensors


def _decode(metadata: dict[str, str]) -> dict[str, Any]:
    _require(metadata.get("format") == FORMAT, "not a dnncore model file")
    version = metadata.get("format_version")
    _require(version == VERSION, f"format version must be {VERSION!r}, got {version!r}")
    kind = metadata.get("kind")
    _require(kind in KIND_KEYS, f"kind must be one of {', '.join(KIND_KEYS)}, got {kind!r}")
    keys = KEYS | KIND_KEYS[str(kind)] | (OPTIONAL_KEYS & set(metadata))
    _check_names("metadata", set(metadata), keys)
    dtype = metadata["dtype"]
    _require(dtype in TENSOR_DTYPES, f"dtype must be 'float32' or 'float64', got {dtype!r}")
    for key, choices in (("activation", ACTIVATIONS), ("output", OUTPUTS)):
        _require(
            metadata[key] in choices,
            f"{key} must be one of {', '.join(choices)}, got {metadata[key]!r}",
        )
    try:
        decoded = {
            key: json.loads(value) if key in JSON_KEYS else value for key, value in metadata.items()
        }
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"metadata must be JSON: {error}") from error
    sizes = decoded["layer_sizes"]
    _require(
        isinstance(sizes, list) and len(sizes) >= 2 and all(_is_count(x) and x > 0 for x in sizes),
        "layer_sizes must be at least 2 positive integers",
    )
    if "table" in decoded:
        try:
            decoded["table"] = _columns.from_json(decoded["table"])
            _columns.check_columns(decoded["table"], sizes[0])
        except ValueError as error:
            raise ModelFileError(str(error)) from error
    return decoded


def _check_tensors(metadata: dict[str, Any], found: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    dtype, sizes = TENSOR_DTYPES[metadata["dtype"]], metadata["layer_sizes"]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for layer, (k, m) in enumerate(pairwise(sizes)):
        expected |= {
            f"layers.{layer}.weight": (dtype, (k, m)),
            f"layers.{layer}.bias": (dtype, (m,)),
        }
    if any(name.startswith("norm.") for name in found):
        expected |= {name: (dtype, (sizes[0],)) for name in ("norm.mean", "norm.scale")}
    if any(name.startswith("norm.moments.") for name in found):
        expected |= {
            "norm.moments.count": ("F64", (1,)),
            "norm.moments.mean": ("F64", (sizes[0],)),
            "norm.moments.variance": ("F64", (sizes[0],)),
        }
    if metadata["kind"] == "DNNRegressor":
        expected |= {name: ("F64", (sizes[-1],)) for name in ("target.mean", "target.scale")}
    if metadata["kind"] == "DNNClassifier" and metadata["output"] == "softmax":
        expected |= {name: ("F64", (sizes[-1],)) for name in ("class_prior", "class_total")}
    if metadata["kind"] != "Network":
        optional = {"history.validation_score", "history.validation_loss"}
        for name in {"history.loss"} | (optional & set(found)):
            # Of any length.
            expected[name] = ("F64", found[name][1][:1] if name in found else ())
    _check_names("tensor", set(found), set(expected))
    for name, (dtype, shape) in expected.items():
        _require(found[name][0] == dtype, f"{name} must have dtype {dtype}, got {found[name][0]}")
        _require(
            found[name][1] == shape and shape != (),
            f"{name} must have shape {shape}, got {found[name][1]}",
        )


def _check_names(what: str, found: set[str], expected: set[str]) -> None:
    unknown, missing = sorted(found - expected), sorted(expected - found)
    _require(not unknown, f"unknown {what} {unknown[:1]}")
    _require(not missing, f"missing {what} {missing[:1]}")


def _is_label(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


# --------------------------------------------------------------- tensors and metadata to model


def _build_network(metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Network:
    network = Network(
        metadata["layer_sizes"], dtype=metadata["dtype"], seed=0,
        activation=metadata["activation"], output=metadata["output"],
    )  # fmt: skip
    for layer, (W, b) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        W[...] = tensors[f"layers.{layer}.weight"]
        b[...] = tensors[f"layers.{layer}.bias"]
    if "norm.mean" in tensors:
        _require(bool((tensors["norm.scale"] > 0).all()), "norm.scale must be positive")
        network.set_norm(tensors["norm.mean"], tensors["norm.scale"])
    if "norm.moments.count" in tensors:
        count, mean, variance = (
            tensors[f"norm.moments.{name}"] for name in ("count", "mean", "variance")
        )
        _require(float(count[0]) > 0, "norm.moments.count must be positive")
        _require(bool((variance >= 0).all()), "norm.moments.variance must not be negative")
        network.moments_ = Moments(float(count[0]), mean, variance)
    return network


def _build_learnt(
    network: Network, metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> dict[str, Any]:
    """What an estimator of its kind has learnt beside the network, by attribute."""
    if metadata["kind"] == "DNNRegressor":
        _require(network.output == "identity", "output of a DNNRegressor must be 'identity'")
        mean, scale = tensors["target.mean"], tensors["target.scale"]
        _require(bool((scale > 0).all()), "target.scale must be positive")
        ndim = metadata["target_ndim"]
        _require(
            type(ndim) is int and ndim == (1 if len(mean) == 1 else 2),
            f"target_ndim must go with {len(mean)} outputs, got {ndim!r}",
        )
        return {"target_mean_": mean, "target_scale_": scale, "_target_ndim": ndim}
    kind = metadata["label_kind"]
    _require(
        LABEL_KINDS.get(kind) == network.output,
        f"label_kind {kind!r} does not go with output {network.output!r}",
    )
    classes = _build_classes(metadata["classes"], network.layer_sizes[-1])
    learnt: dict[str, Any] = {"classes_": classes, "_kind": kind}
    if network.output == "softmax":
        for name in ("class_prior", "class_total"):
            _require(bool((tensors[name] >= 0).all()), f"{name} must not be negative")
        _require(bool(tensors["class_total"].any()), "class_total must not be all zero")
        share = float(tensors["class_prior"].sum())
        _require(abs(share - 1.0) < 1e-6, f"class_prior must add up to 1, got {share}")
        learnt |= {
            "class_prior_": tensors["class_prior"], "_class_totals": tensors["class_total"],
        }  # fmt: skip
    return learnt


def _build_estimator(
    network: Network, metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> DNNEstimator:
    import dnncore  # which says what to install

    learnt = _build_learnt(network, metadata, tensors)
    n_features = network.layer_sizes[0]
    names = metadata["feature_names"]
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    _require(
        names is None or (named and len(names) == n_features),
        f"feature_names must be null or {n_features} strings",
    )
    for key in ("n_iter", "t"):
        _require(_is_count(metadata[key]), f"{key} must be a non-negative integer")
    kind = getattr(dnncore, metadata["kind"])
    model: DNNEstimator = kind(**_build_params(metadata["params"], set(kind().get_params())))
    try:
        model._validate_params()
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"params: {error}") from error
    scores, held_out = (
        tensors.get(f"history.validation_{name}", np.empty(0)).tolist()
        for name in ("score", "loss")
    )
    model._restore(
        network=network,
        feature_names=None if names is None else np.array(names, dtype=object),
        loss_curve=tensors["history.loss"].tolist(),
        validation_scores=scores,
        validation_losses=held_out,
        n_iter=metadata["n_iter"],
        t=metadata["t"],
        **learnt,
    )
    return model


def _build_params(params: object, known: set[str]) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise ModelFileError("params must be a JSON object")
    unknown = sorted(set(params) - known)
    _require(not unknown, f"unknown parameter {unknown[:1]}")
    _require(params.get("callback") is None, "the parameter callback must be null")
    weight = params.get("class_weight")
    if isinstance(weight, list):
        pairs = all(isinstance(x, list) and len(x) == 2 and _is_label(x[0]) for x in weight)
        _require(pairs, "the parameter class_weight must be pairs of a class and a weight")
        params = params | {"class_weight": {key: value for key, value in weight}}
    return {name: tuple(x) if isinstance(x, list) else x for name, x in params.items()}


def _build_classes(description: object, n_outputs: int) -> NDArray[Any]:
    if not isinstance(description, dict) or set(description) != {"kind", "dtype", "values"}:
        raise ModelFileError("classes must be an object of kind, dtype and values")
    kind, dtype, values = description["kind"], description["dtype"], description["values"]
    _require(
        isinstance(kind, str) and kind in CLASS_TYPES,
        f"kind of the classes must be one of {', '.join(CLASS_TYPES)}, got {kind!r}",
    )
    _require(
        isinstance(values, list)
        and len(values) == n_outputs
        and all(type(value) is CLASS_TYPES[kind] for value in values),
        f"classes must be {n_outputs} values of kind {kind}, one for each output",
    )
    _require(
        isinstance(dtype, str)
        and (_is_string_dtype(dtype, values) if kind == "str" else dtype in CLASS_DTYPES[kind]),
        f"classes of kind {kind} cannot have dtype {dtype!r}",
    )
    try:
        with np.errstate(over="ignore"):
            classes = np.array(values, dtype=dtype)
    except OverflowError as error:
        raise ModelFileError(f"classes must fit into {dtype}: {error}") from error
    _require(kind != "float" or bool(np.isfinite(classes).all()), "classes must be finite")
    _require(bool((classes[1:] > classes[:-1]).all()), "classes must be unique and sorted")
    return classes


def _is_string_dtype(dtype: str, values: list[str]) -> bool:
    """Whether the dtype is object, or a width that holds `values` and is not vastly wider."""
    width, longest = dtype.removeprefix("U"), max(map(len, values))
    return dtype == "object" or (
        dtype == f"U{width}"
        and width.isascii()
        and width.isdecimal()
        and longest <= int(width[:9]) <= longest + SPARE_WIDTH
    )
