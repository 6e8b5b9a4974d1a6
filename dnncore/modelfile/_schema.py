"""The metadata and tensors of a model file, as tables; see docs/reference/model_file.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks
from .._core.names import ACTIVATIONS, OUTPUTS
from .._data import columns
from .._data.table_encoding import TableEncoding
from . import _ensemble_fit, _fit, _solver
from ._header import CHECKSUM, NAMES, Entry, ModelFileError, parse, require

FORMAT = "dnncore"
VERSION = "2"  # that is written
VERSIONS = ("1", VERSION)  # that are read

NETWORK, PREDICTOR = "Network", "Predictor"
CLASSIFIER, REGRESSOR = "DNNClassifier", "DNNRegressor"
TABULAR_CLASSIFIER, TABULAR_REGRESSOR = "TabularClassifier", "TabularRegressor"
ESTIMATORS = frozenset({CLASSIFIER, REGRESSOR})
TABULAR = frozenset({TABULAR_CLASSIFIER, TABULAR_REGRESSOR})
KINDS = (NETWORK, CLASSIFIER, REGRESSOR, TABULAR_CLASSIFIER, TABULAR_REGRESSOR, PREDICTOR)

MEMBER = "member"  # a network of a tabular model, whose tensors have a prefix: no kind of file
TRAINED = ESTIMATORS | {MEMBER}  # have a history
TRAINABLE = TRAINED | {NETWORK}

Metadata = dict[str, Any]  # with JSON decoded

# --------------------------------------------------------------------------------- metadata


@dataclass(frozen=True)
class Key:
    """A metadata key: the kinds of models that have it, and whether its value is JSON."""

    kinds: frozenset[str] = frozenset(KINDS)
    json: bool = False
    optional: bool = False


KEYS = {
    "format": Key(),
    "format_version": Key(),
    "kind": Key(),
    CHECKSUM: Key(),
    "dnncore_version": Key(),
    "dtype": Key(),
    "activation": Key(),
    "output": Key(),
    "layer_sizes": Key(json=True),
    "missing": Key(frozenset(KINDS) - TABULAR, json=True, optional=True),
    "embedding": Key(json=True, optional=True),
    "table": Key(json=True, optional=True),
    "classes": Key(frozenset({CLASSIFIER, TABULAR_CLASSIFIER, PREDICTOR}), json=True),
    "label_kind": Key(frozenset({CLASSIFIER})),
    "target_ndim": Key(frozenset({REGRESSOR, TABULAR_REGRESSOR}), json=True),
    "feature_names": Key(ESTIMATORS, json=True),
    "params": Key(ESTIMATORS | TABULAR, json=True),
    "n_iter": Key(ESTIMATORS, json=True),
    "t": Key(ESTIMATORS, json=True),
    "metrics": Key(ESTIMATORS, json=True),
    "division": Key(ESTIMATORS, optional=True),
    "solver": Key(ESTIMATORS, json=True, optional=True),
    "fit": Key(ESTIMATORS | TABULAR, json=True, optional=True),
    "encoder": Key(TABULAR, json=True),
    "members": Key(TABULAR, json=True),
}
EMBEDDING_SIZES = ("n_inputs", "n_numeric", "n_bins", "size")  # attributes of PiecewiseLinear
CHOICES = {
    "kind": KINDS,
    "dtype": ("float32", "float64"),
    "activation": ACTIVATIONS,
    "output": OUTPUTS,
}


def decode(metadata: Mapping[str, str]) -> Metadata:
    """Decode the JSON in the metadata, and check the keys and the values common to all kinds."""
    require(metadata.get("format") == FORMAT, "not a dnncore model file")
    version, kind = metadata.get("format_version"), metadata.get("kind")
    readable = " or ".join(map(repr, VERSIONS))
    require(version in VERSIONS, f"format version must be {readable}, got {version!r:.80}")
    _check_choice("kind", kind)
    known = {name for name, key in KEYS.items() if kind in key.kinds}
    needed = {name for name in known if not KEYS[name].optional}
    _check_names("metadata", metadata, known, needed)
    for name in CHOICES:
        _check_choice(name, metadata[name])
    decoded: Metadata = {
        name: parse(value, f"the metadata {name}") if KEYS[name].json else value
        for name, value in metadata.items()
    }
    sizes = decoded["layer_sizes"]
    require(
        isinstance(sizes, list) and len(sizes) >= 2 and all(is_count(x) and x > 0 for x in sizes),
        "layer_sizes must be at least 2 positive integers",
    )
    if "missing" in decoded:
        decoded["missing"] = _missing(decoded["missing"], sizes[0])
    if "embedding" in decoded:
        require("missing" not in decoded, "missing must be absent with an embedding")
        _check_embedding(decoded["embedding"], sizes[0])
    if "table" in decoded:
        decoded["table"] = _table(decoded["table"], n_table_features(decoded))
    if kind in TABULAR:
        decoded["encoder"] = _encoder(decoded["encoder"], n_features(decoded))
        _check_members(decoded["members"])
    metrics = decoded.get("metrics", [])
    require(
        isinstance(metrics, list)
        and all(isinstance(name, str) for name in metrics)
        and len(set(metrics)) == len(metrics),
        "metrics must be unique strings",
    )
    if "solver" in decoded:
        _solver.check(decoded["solver"])
    if "fit" in decoded and kind in TABULAR:
        _ensemble_fit.check(decoded["fit"], [member["n_iter"] for member in decoded["members"]])
    elif "fit" in decoded:
        require("solver" in decoded, "fit must be absent without solver")
        _fit.check(decoded["fit"])
    return decoded


def _check_choice(name: str, value: object) -> None:
    choices = CHOICES[name]
    require(value in choices, f"{name} must be one of {', '.join(choices)}, got {value!r:.80}")


def _check_names(what: str, found: Iterable[str], known: set[str], needed: set[str]) -> None:
    unknown, missing = sorted(set(found) - known), sorted(needed - set(found))
    require(not unknown, f"unknown {what} {unknown[:1]!r:.80}")
    require(not missing, f"missing {what} {missing[:1]}")


def n_features(metadata: Metadata) -> int:
    """Return the number of columns of X: the network inputs minus the missing indicators, or the
    inputs of the embedding."""
    if "embedding" in metadata:
        return int(metadata["embedding"]["n_inputs"])
    n_inputs: int = metadata["layer_sizes"][0]
    return n_inputs - len(metadata.get("missing", ()))


def n_table_features(metadata: Metadata) -> int:
    """Return the number of features of the table: none if the encoder has the features."""
    return 0 if metadata["kind"] in TABULAR else n_features(metadata)


def _missing(description: object, n_inputs: int) -> NDArray[np.intp]:
    require(isinstance(description, list), f"missing must be a list, got {description!r:.80}")
    try:
        return checks.indicators(description, n_inputs)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise ModelFileError(str(error)) from error


def _check_embedding(sizes: object, n_outputs: int) -> None:
    require(
        isinstance(sizes, dict)
        and sizes.keys() == set(EMBEDDING_SIZES)
        and all(is_count(x) for x in sizes.values())
        and min(sizes["n_inputs"], sizes["n_bins"], sizes["size"]) > 0
        and sizes["n_numeric"] <= sizes["n_inputs"]
        and sizes["n_numeric"] * sizes["size"] + sizes["n_inputs"] == n_outputs,
        f"embedding must be {', '.join(EMBEDDING_SIZES)} with {n_outputs} outputs, got "
        f"{sizes!r:.80}",
    )


def _table(description: object, n_expected: int) -> columns.Table:
    try:
        table = columns.from_json(description)
        columns.check_columns(table, n_expected)
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    return table


def _encoder(description: object, n_expected: int) -> TableEncoding:
    try:
        encoding = TableEncoding.from_json(description)
    except ValueError as error:
        raise ModelFileError(f"encoder: {error}") from error
    require(
        encoding.n_features == n_expected,
        f"encoder must give {n_expected} features, like the networks, got {encoding.n_features}",
    )
    return encoding


def _check_members(members: object) -> None:
    require(
        isinstance(members, list)
        and len(members) > 0
        and all(
            isinstance(member, dict)
            and set(member) == {"n_iter", "t"}
            and all(map(is_count, member.values()))
            for member in members
        ),
        "members must be objects, one for each network, with the counts n_iter and t",
    )


def is_count(value: object) -> bool:
    """Whether the value is a non-negative 64-bit integer."""
    return type(value) is int and 0 <= value < 2**63


# ---------------------------------------------------------------------------------- tensors


@dataclass(frozen=True)
class Tensor:
    """A tensor: sizes (numbers, or names from :func:`_sizes`), dtype and permitted values."""

    shape: tuple[int | str, ...]
    dtype: str = "F64"  # or MODEL
    values: str = "finite"  # a key of RULES, or ANY


@dataclass(frozen=True)
class Group:
    """Tensors of which a file contains all or none.

    Attributes
    ----------
    tensors : mapping of str to Tensor
        The tensors by name.
    kinds : set of str
        The kinds of models that may have them.
    needed : callable
        Whether they are required, given the metadata.
    prefix : str, optional
        If given, they are required only if the file contains a tensor whose name starts with
        this prefix.
    """

    tensors: Mapping[str, Tensor]
    kinds: frozenset[str] = frozenset(KINDS)
    needed: Callable[[Metadata], bool] = field(default=lambda metadata: True)
    prefix: str | None = None


IMPORTANCES = "feature_importances"
MODEL = "model"  # the dtype of the network
ANY = "any"  # any size, or any values

RULES: dict[str, Callable[[NDArray[Any]], Any]] = {
    "finite": np.isfinite,
    "positive": lambda x: x > 0,
    "non-negative": lambda x: x >= 0,
}

GROUPS = (
    Group(
        {
            "norm.mean": Tensor(("n_features",), MODEL),
            "norm.scale": Tensor(("n_features",), MODEL, "positive"),
        },
        TRAINABLE | {PREDICTOR},
        needed=lambda metadata: "embedding" not in metadata,
        prefix="norm.",
    ),
    Group(
        {
            "norm.moments.mean": Tensor(("n_features",)),
            "norm.moments.variance": Tensor(("n_features",), values="non-negative"),
        },
        TRAINABLE,
        needed=lambda metadata: "embedding" not in metadata,
        prefix="norm.moments.",
    ),
    Group(
        {"norm.moments.count": Tensor((1,), values="positive")},
        TRAINABLE,
        needed=lambda metadata: not metadata.keys() & {"missing", "embedding"},
        prefix="norm.moments.",
    ),
    # A model that was trained before ranges were known, or with another scaler, has none.
    Group(
        {
            "norm.range.low": Tensor(("n_features",), values=ANY),
            "norm.range.high": Tensor(("n_features",), values=ANY),
        },
        TRAINABLE,
        prefix="norm.range.",
    ),
    # A feature may not have had any values yet.
    Group(
        {"norm.moments.count": Tensor(("n_features",), values="non-negative")},
        TRAINABLE,
        needed=lambda metadata: "missing" in metadata,
        prefix="norm.moments.",
    ),
    Group(
        {"missing.fill": Tensor(("n_features",), MODEL)},
        frozenset({PREDICTOR}),
        needed=lambda metadata: "missing" in metadata,
    ),
    Group(
        {
            "class_prior": Tensor(("n_outputs",), values="non-negative"),
            "class_total": Tensor(("n_outputs",), values="non-negative"),
        },
        frozenset({CLASSIFIER}),
        needed=lambda metadata: bool(metadata["output"] == "softmax"),
    ),
    Group(
        {
            "class_prior": Tensor(("n_outputs",), values="non-negative"),
            "temperature": Tensor((1,), values="positive"),
        },
        frozenset({TABULAR_CLASSIFIER}),
    ),
    Group(
        {
            "target.mean": Tensor(("n_outputs",)),
            "target.scale": Tensor(("n_outputs",), values="positive"),
        },
        frozenset({REGRESSOR, TABULAR_REGRESSOR}),
    ),
    Group(
        {"target.low": Tensor(("n_outputs",)), "target.high": Tensor(("n_outputs",))},
        frozenset({TABULAR_REGRESSOR}),
    ),
    Group({IMPORTANCES: Tensor(("n_columns",))}, TABULAR, prefix=IMPORTANCES),
    Group({"history.loss": Tensor((ANY,))}, TRAINED),
    # A user-defined scorer may return any number.
    *(
        Group({name: Tensor((ANY,), values=ANY)}, TRAINED, prefix=name)
        for name in ("history.validation_score", "history.validation_loss")
    ),
)


def _numbered(metadata: Metadata, kind: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors whose number is given by the metadata."""
    if kind in TABULAR:  # its members have them
        return
    if "embedding" in metadata:
        n_inputs, numbers, n_bins, size = (metadata["embedding"][x] for x in EMBEDDING_SIZES)
        yield "embedding.lower", Tensor((numbers, n_bins), MODEL)
        yield "embedding.inverse_width", Tensor((numbers, n_bins), MODEL, "non-negative")
        yield "embedding.s", Tensor((numbers * size + n_inputs,), MODEL)
        yield "embedding.V", Tensor((numbers * size, n_bins), MODEL)
        yield "embedding.c", Tensor((numbers, size), MODEL)
    for layer, shape in enumerate(pairwise(metadata["layer_sizes"])):
        yield f"layers.{layer}.weight", Tensor(shape, MODEL)
        yield f"layers.{layer}.bias", Tensor(shape[1:], MODEL)
    for i in range(len(metadata.get("metrics", []))):
        yield f"history.metrics.{i}", Tensor((ANY,), values=ANY)
    for i in range(metadata.get("solver", {}).get("n_vectors", 0)):
        yield f"solver.state.{i}", Tensor(("n_parameters",), MODEL)
    for name in _fit.tensors(metadata["fit"]) if "fit" in metadata and kind in ESTIMATORS else ():
        yield name, Tensor(("n_parameters",), MODEL)


def _sizes(metadata: Metadata) -> dict[str, int]:
    layers, embedded = metadata["layer_sizes"], 0
    if "embedding" in metadata:
        n_inputs, numbers, n_bins, size = (metadata["embedding"][x] for x in EMBEDDING_SIZES)
        embedded = numbers * size * (n_bins + 2) + n_inputs
    return {
        "n_features": n_features(metadata),
        "n_columns": len(metadata["encoder"].columns) if "encoder" in metadata else 0,
        "n_outputs": layers[-1],
        "n_parameters": embedded + sum((k + 1) * m for k, m in pairwise(layers)),
    }


def _expected_tensors(metadata: Metadata, found: Iterable[str]) -> dict[str, Tensor]:
    """Return the tensors that a file must contain, given its metadata and tensor names."""
    own, by_member = _by_member(found)
    expected = _tensors_of(metadata["kind"], metadata, own)
    for index in range(len(metadata.get("members", ()))):
        prefix = member_prefix(index)
        members = _tensors_of(MEMBER, metadata, by_member.get(prefix, []))
        expected |= {prefix + name: tensor for name, tensor in members.items()}
    return expected


def _tensors_of(kind: str, metadata: Metadata, found: Sequence[str]) -> dict[str, Tensor]:
    """Return the tensors of a model, or of a member, of which those are found."""
    expected = dict(_numbered(metadata, kind))
    for group in GROUPS:
        wanted = group.prefix is None or any(name.startswith(group.prefix) for name in found)
        if kind in group.kinds and wanted and group.needed(metadata):
            expected |= group.tensors
    return expected


def member_prefix(index: int) -> str:
    """Return the start of the names of the tensors of a member."""
    return f"members.{index}."


def _by_member(found: Iterable[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Divide names of tensors into those of the model, and those of each prefix without it."""
    own: list[str] = []
    by_member: dict[str, list[str]] = {}
    for name in found:
        first, *rest = name.split(".", 2)
        if first == "members" and len(rest) == 2:
            by_member.setdefault(f"{first}.{rest[0]}.", []).append(rest[1])
        else:
            own.append(name)
    return own, by_member


def check_entries(metadata: Metadata, found: Mapping[str, Entry]) -> dict[str, Tensor]:
    """Check names, dtypes and shapes of the tensors found; return the expected tensors."""
    # Before anything is made for each of the layers that the metadata speaks of.
    n_layers = (len(metadata["layer_sizes"]) - 1) * len(metadata.get("members", (None,)))
    require(
        2 * n_layers <= len(found),
        f"layer_sizes must have 2 tensors for each of {n_layers} layers, got {len(found)} in all",
    )
    expected = _expected_tensors(metadata, found)
    _check_names("tensor", found, set(expected), set(expected))
    sizes, model = _sizes(metadata), NAMES[metadata["dtype"]]
    for name, tensor in expected.items():
        entry, dtype = found[name], model if tensor.dtype == MODEL else tensor.dtype
        require(entry.dtype == dtype, f"{name} must have dtype {dtype}, got {entry.dtype}")
        if tensor.shape == (ANY,):
            require(len(entry.shape) == 1, f"{name} must have 1 dimension, got {entry.shape}")
            continue
        shape = tuple(sizes[x] if isinstance(x, str) else x for x in tensor.shape)
        require(entry.shape == shape, f"{name} must have shape {shape}, got {entry.shape}")
    return expected


def check_values(expected: Mapping[str, Tensor], tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise if a tensor contains values that are not permitted."""
    for name, tensor in expected.items():
        x = tensors[name]
        for rule in ("finite", tensor.values) if tensor.values != ANY else ():
            require(RULES[rule](x).all(), f"{name} must be {rule}")
