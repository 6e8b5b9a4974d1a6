"""The model file: a network or a fitted classifier in one safetensors file, without pickle.

Format version 1. Tensors, row-major, in the dtype of the network unless said otherwise:

====================================  ==================================================================
``norm.mean``, ``norm.scale``         (n_features,); both absent from a network without norm
``layers.{l}.weight``                 (n_in, n_out)
``layers.{l}.bias``                   (n_out,)
``history.loss``                      float64, (n,): the loss of each epoch; classifiers only
``history.validation_score``          float64, (n,); only of a classifier that was given validation rows
====================================  ==================================================================

The metadata are strings: ``format`` ("dnncore"), ``format_version`` ("1"), ``kind`` ("Network" or "DNNClassifier"),
``dtype`` and ``dnncore_version`` as they are; ``layer_sizes`` and, for a classifier, ``classes``, ``feature_names``,
``params``, ``n_iter`` and ``t`` as JSON. Optimizer state is not stored: `partial_fit` on a loaded classifier goes on
from its weights and counts with fresh moments.

The format has no checksum. A file changed inside a weight still loads when the number it makes is finite.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

import dnncore
from dnncore.network import Network

if TYPE_CHECKING:
    from dnncore.classifier import DNNClassifier

__all__ = ["ModelFileError", "load", "save"]

_FORMAT = "dnncore"
_VERSION = "1"
_KEYS = {"format", "format_version", "kind", "dtype", "layer_sizes", "dnncore_version"}
_CLASSIFIER_KEYS = {"classes", "feature_names", "params", "n_iter", "t"}
_SAFETENSORS_DTYPE = {"float32": "F32", "float64": "F64"}
_CLASS_KINDS = {"b": "bool", "i": "int", "u": "int", "f": "float", "U": "str", "O": "str"}
_CLASS_DTYPES = {
    "bool": {"bool"},
    "int": {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float": {"float16", "float32", "float64"},
}


class ModelFileError(ValueError):
    """A model file that is damaged, from another program, or of an unknown version."""


def save(model: Network | DNNClassifier, path: str | os.PathLike[str]) -> None:
    """Write a network or a fitted classifier to a safetensors file.

    The file is written beside its destination and then renamed, so that a reader sees the old file or the new one,
    never a part. The same model gives the same bytes. ``callback`` is stored as null, and so is a ``random_state``
    that is not an integer.

    Parameters
    ----------
    model : Network or fitted DNNClassifier
    path : str or path-like

    Raises
    ------
    TypeError
        If `model` is neither, or its parameters or classes are of a type that the format has no place for.
    ValueError
        If a weight or another stored number is NaN or infinite.
    ImportError
        If safetensors is not installed.
    """
    if isinstance(model, Network):
        tensors, metadata = _describe_network(model)
        metadata["kind"] = "Network"
    else:
        tensors, metadata = _describe_classifier(model)
        metadata["kind"] = "DNNClassifier"
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise ValueError(f"the model cannot be saved: {name} holds values that are not finite")
    try:
        from safetensors.numpy import save as serialize
    except ImportError as error:
        _need_safetensors(error)
    write_atomically(path, _sort_metadata(serialize(tensors, metadata=metadata)))


def load(path: str | os.PathLike[str]) -> Network | DNNClassifier:
    """Read the network or classifier that `save` wrote.

    Everything is checked before it is used: names, dtypes, shapes, finiteness, classes and parameters. No code in
    the file can run, and the memory taken is in proportion to the size of the file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Network or DNNClassifier
        As it was saved; a classifier predicts the same numbers and can go on with `partial_fit`.

    Raises
    ------
    ModelFileError
        If the file is not a model file of this version, or is damaged. The message names the file and the fault.
    OSError
        If the file is missing (FileNotFoundError) or cannot be read.
    ImportError
        If safetensors is not installed, or, for a classifier, scikit-learn.
    """
    path = os.fspath(path)
    with open(path, "rb"):
        pass  # What the operating system has to say about the path comes as its own exception.
    try:
        metadata, tensors = _read(path)
        network = _build_network(metadata, tensors)
        return network if metadata["kind"] == "Network" else _build_classifier(network, metadata, tensors)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error.__cause__


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the file at `path` with `data` in one step; the old file stays whole if anything fails."""
    # Renaming onto a symbolic link would replace the link, and onto a device the device.
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
    finally:
        temporary.unlink(missing_ok=True)


# ---- model -> tensors and metadata ------------------------------------------------------------------------------


def _describe_network(network: Network) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    tensors: dict[str, NDArray[Any]] = {}
    if network.mean_ is not None:
        tensors |= {"norm.mean": network.mean_, "norm.scale": network.scale_}
    for layer, (coef, intercept) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        tensors |= {f"layers.{layer}.weight": coef, f"layers.{layer}.bias": intercept}
    metadata = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "dnncore_version": dnncore.__version__,
        "dtype": np.dtype(network.dtype).name,
        "layer_sizes": json.dumps(network.layer_sizes),
    }
    return tensors, metadata


def _describe_classifier(model: DNNClassifier) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    from sklearn.utils.validation import check_is_fitted

    from dnncore.classifier import DNNClassifier

    if not isinstance(model, DNNClassifier):
        raise TypeError(f"model must be a Network or a DNNClassifier, got {type(model).__name__}")
    check_is_fitted(model)
    tensors, metadata = _describe_network(model.network_)
    tensors["history.loss"] = np.asarray(model.loss_curve_, dtype=np.float64)
    if model.validation_scores_ is not None:
        tensors["history.validation_score"] = np.asarray(model.validation_scores_, dtype=np.float64)

    params = model.get_params(deep=False)
    params["callback"] = None
    if not isinstance(params["random_state"], int | np.integer):
        params["random_state"] = None
    feature_names = getattr(model, "feature_names_in_", None)
    metadata |= {
        "classes": json.dumps(_describe_classes(model.classes_)),
        "feature_names": json.dumps(None if feature_names is None else list(feature_names)),
        "params": json.dumps(params, default=_plain, sort_keys=True),
        "n_iter": json.dumps(model.n_iter_, default=_plain),
        "t": json.dumps(model.t_, default=_plain),
    }
    return tensors, metadata


def _describe_classes(classes: NDArray[Any]) -> dict[str, Any]:
    kind = _CLASS_KINDS.get(classes.dtype.kind)
    values = classes.tolist()
    if kind == "str":
        dtype = "object" if classes.dtype.kind == "O" else f"U{classes.dtype.itemsize // 4}"
        valid = all(isinstance(value, str) for value in values)
    else:
        dtype = classes.dtype.name
        valid = kind is not None and dtype in _CLASS_DTYPES[kind]
    if not valid:
        raise TypeError(f"classes of dtype {classes.dtype} cannot be saved: integers, strings, floats and booleans can")
    return {"kind": kind, "dtype": dtype, "values": values}


def _plain(value: object) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"the model cannot be saved: a parameter is a {type(value).__name__}")


def _sort_metadata(data: bytes) -> bytes:
    """Sort the metadata of a safetensors file, which the library writes in random order."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # The tensors stay aligned.
    return len(text).to_bytes(8, "little") + text + data[end:]


# ---- file -> tensors and metadata -> model ----------------------------------------------------------------------


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ModelFileError(message)


def _need_safetensors(error: ImportError) -> NoReturn:
    raise ImportError("model files need safetensors: pip install 'dnncore[cli]'", name="safetensors") from error


def _read(path: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the metadata, with JSON decoded, and the tensors, of the right names, dtypes and shapes and finite."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        _need_safetensors(error)
    try:
        with safe_open(path, framework="np") as file:
            metadata = _decode_metadata(file.metadata() or {})
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            found = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
            # Only now are the tensors read: NumPy has no name for some of the dtypes that the file may declare.
            _check_tensors(metadata, found)
            tensors = {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"not a readable safetensors file ({error})") from error
    for name, tensor in tensors.items():
        _require(bool(np.isfinite(tensor).all()), f"{name} holds values that are not finite")
    return metadata, tensors


def _decode_metadata(metadata: dict[str, str]) -> dict[str, Any]:
    _require(metadata.get("format") == _FORMAT, "not a dnncore model file")
    version = metadata.get("format_version")
    _require(version == _VERSION, f"format version {version!r}; this release of dnncore reads version {_VERSION!r}")
    kind = metadata.get("kind")
    _require(kind in ("Network", "DNNClassifier"), f"kind must be Network or DNNClassifier, got {kind!r}")
    _check_names("metadata", set(metadata), _KEYS | (_CLASSIFIER_KEYS if kind == "DNNClassifier" else set()))
    dtype = metadata["dtype"]
    _require(dtype in _SAFETENSORS_DTYPE, f"dtype must be float32 or float64, got {dtype!r}")

    decoded: dict[str, Any] = dict(metadata)
    for key in _CLASSIFIER_KEYS | {"layer_sizes"}:
        if key in metadata:
            try:
                decoded[key] = json.loads(metadata[key])
            except (ValueError, RecursionError) as error:
                raise ModelFileError(f"{key} is not JSON") from error
    sizes = decoded["layer_sizes"]
    valid = isinstance(sizes, list) and len(sizes) >= 2 and all(_is_count(size) and size > 0 for size in sizes)
    _require(valid, "layer_sizes must be a list of two or more positive integers")
    return decoded


def _check_tensors(metadata: dict[str, Any], found: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    dtype = _SAFETENSORS_DTYPE[metadata["dtype"]]
    sizes = metadata["layer_sizes"]
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    if "norm.mean" in found or "norm.scale" in found:
        expected |= {name: (dtype, (sizes[0],)) for name in ("norm.mean", "norm.scale")}
    for layer, (n_in, n_out) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        expected |= {f"layers.{layer}.weight": (dtype, (n_in, n_out)), f"layers.{layer}.bias": (dtype, (n_out,))}
    if metadata["kind"] == "DNNClassifier":
        # A history may have any length.
        history = {"history.loss"} | ({"history.validation_score"} & set(found))
        expected |= {name: ("F64", found.get(name, ("F64", (0,)))[1][:1]) for name in history}

    _check_names("tensor", set(found), set(expected))
    for name, (dtype, shape) in expected.items():
        _require(found[name][0] == dtype, f"{name} must have dtype {dtype}, got {found[name][0]}")
        _require(found[name][1] == shape and shape != (), f"{name} must have shape {shape}, got {found[name][1]}")


def _check_names(what: str, found: set[str], expected: set[str]) -> None:
    unknown, missing = found - expected, expected - found
    _require(not unknown, f"unknown {what} {min(unknown, default='')!r}")
    _require(not missing, f"missing {what} {min(missing, default='')!r}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _build_network(metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Network:
    network = Network(tuple(metadata["layer_sizes"]), dtype=np.dtype(metadata["dtype"]), seed=0)
    for layer, (coef, intercept) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        coef[...] = tensors[f"layers.{layer}.weight"]
        intercept[...] = tensors[f"layers.{layer}.bias"]
    if "norm.mean" in tensors:
        _require(bool((tensors["norm.scale"] > 0).all()), "norm.scale must be positive")
        network.set_norm(tensors["norm.mean"], tensors["norm.scale"])
    return network


def _build_classifier(
    network: Network, metadata: dict[str, Any], tensors: dict[str, NDArray[Any]]
) -> DNNClassifier:
    from .classifier import DNNClassifier
    from .training import History

    classes = _build_classes(metadata["classes"], n_outputs=network.layer_sizes[-1])
    names = metadata["feature_names"]
    valid = names is None or (
        isinstance(names, list)
        and len(names) == network.layer_sizes[0]
        and all(isinstance(name, str) for name in names)
    )
    _require(valid, f"feature_names must be null or {network.layer_sizes[0]} strings")
    for key in ("n_iter", "t"):
        _require(_is_count(metadata[key]), f"{key} must be an integer >= 0")

    model = DNNClassifier(**_build_params(metadata["params"], known=set(DNNClassifier().get_params())))
    try:
        model._validate_params()
    except ValueError as error:
        raise ModelFileError(f"params: {error}") from error
    loss = tensors["history.loss"].tolist()
    scores = tensors.get("history.validation_score", np.zeros(0)).tolist()
    model._restore(
        network=network,
        classes=classes,
        feature_names=None if names is None else np.array(names, dtype=object),
        history=History(
            loss_curve=loss,
            validation_scores=scores,
            best_loss=min(loss, default=np.inf),
            best_validation_score=max(scores, default=-np.inf),
            n_iter=metadata["n_iter"],
            t=metadata["t"],
        ),
    )
    return model


def _build_params(params: object, *, known: set[str]) -> dict[str, Any]:
    if not isinstance(params, dict):
        raise ModelFileError("params must be a JSON object")
    unknown = set(params) - known
    _require(not unknown, f"unknown parameter {min(unknown, default='')!r}")
    _require(params.get("callback") is None, "the parameter callback must be null")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in params.items()}


def _build_classes(description: object, *, n_outputs: int) -> NDArray[Any]:
    if not (isinstance(description, dict) and set(description) == {"kind", "dtype", "values"}):
        raise ModelFileError("classes must be a JSON object of kind, dtype and values")
    kind, dtype, values = description["kind"], description["dtype"], description["values"]
    python_type = {"bool": bool, "int": int, "float": float, "str": str}.get(str(kind))
    if python_type is None:
        raise ModelFileError(f"the kind of the classes must be bool, int, float or str, got {kind!r}")
    _require(
        isinstance(values, list) and len(values) == n_outputs and all(type(value) is python_type for value in values),
        f"classes must be {n_outputs} values of type {kind}, as many as the last layer has outputs",
    )
    valid = isinstance(dtype, str) and (_is_string_dtype(dtype, values) if kind == "str" else dtype in _CLASS_DTYPES[kind])
    _require(valid, f"classes of kind {kind} cannot have dtype {dtype!r}")
    try:
        with np.errstate(over="ignore"):
            classes = np.array(values, dtype=dtype)
    except OverflowError as error:
        raise ModelFileError(f"classes do not fit into {dtype}") from error
    _require(kind != "float" or bool(np.isfinite(classes).all()), "classes must be finite")
    _require(bool((classes[1:] > classes[:-1]).all()), "classes must be unique and sorted")
    return classes


def _is_string_dtype(dtype: str, values: list[str]) -> bool:
    """Whether `dtype` is object, or a fixed width that holds all of `values`."""
    if dtype == "object":
        return True
    width = dtype.removeprefix("U")
    longest = max(map(len, values))
    # A wider dtype than the longest string is in order, but a file must not make it take all the memory.
    return dtype[:1] == "U" and width.isascii() and width.isdecimal() and longest <= int(width[:9]) <= longest + 1024
