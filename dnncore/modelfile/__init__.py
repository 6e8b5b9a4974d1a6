"""The model file: a network, an estimator or a predictor in one safetensors file; no pickle.

``docs/reference/model_file.md`` describes the format, key by key and tensor by tensor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .._data import columns
from .._data.atomic import write_atomically
from .._data.columns import Column, Table
from .._estimators.interface import Estimator
from ..network import Network
from ..predictor import Predictor
from . import _build, _describe, _header, _json, _schema
from ._header import ModelFileError, require

__all__ = ["ModelFileError", "load", "load_predictor", "read_table", "save"]


def save(
    model: Network | Predictor | Estimator,
    path: str | os.PathLike[str],
    *,
    table: Sequence[Column] | None = None,
    solver_state: bool = False,
) -> None:
    """Write a network, a fitted estimator or a predictor to a safetensors file.

    The file is replaced in one step: who reads meanwhile gets the old one or the new one. The
    same model gives the same bytes.

    Parameters
    ----------
    model : Network, fitted DNNClassifier or DNNRegressor, or Predictor
    path : str or path-like
    table : sequence of Column, optional
        How the columns of a table became the features, in their order; :func:`read_table`
        gives it back.
    solver_state : bool
        Whether an estimator is stored with all that its training depends on (the solver's
        vectors, the learning rate, the random generator, the count of epochs without
        improvement), so that `partial_fit`, or `fit` with `warm_start`, gives the same bits
        after loading as without. The file is up to three times as large. A `random_state` that
        is no integer is not stored: it chooses the rows that `early_stopping` splits off.

    Raises
    ------
    TypeError
        If `model` is none of these, or has classes or a parameter of a type that cannot be stored.
    ValueError
        If a number of the model is not finite, the estimator is not fitted, or has no solver state
        to be saved, or `table` is not one of as many features as the model has.
    ImportError
        If safetensors is not installed.
    OSError
        If the file cannot be written; the old one is left.
    """
    described, tensors = _describe.describe(model, solver_state)
    if table is not None:
        columns.check_columns(table, _schema.n_features(described))
        described["table"] = columns.to_json(table)
    metadata = {
        name: _json.encode(name, value) if _schema.KEYS[name].json else str(value)
        for name, value in described.items()
    }
    metadata[_header.CHECKSUM] = ""
    try:  # What is written can be read.
        decoded = _schema.decode(metadata)
        entries = {name: _header.Entry.of(tensor) for name, tensor in tensors.items()}
        _schema.check_values(_schema.check_entries(decoded, entries), tensors)
    except ModelFileError as error:
        raise ValueError(f"the model cannot be saved: {error}") from error
    metadata[_header.CHECKSUM] = _header.checksum(metadata, tensors)
    write_atomically(path, _header.serialize(metadata, tensors))


def load(path: str | os.PathLike[str]) -> Network | Predictor | Estimator:
    """Read the model that :func:`save` wrote.

    Everything is checked before use: a checksum, names, dtypes, shapes, values, classes and
    parameters. A file can run no code, and takes memory in proportion to its size.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Network, DNNClassifier, DNNRegressor or Predictor
        An estimator predicts the same numbers as before and can go on with `partial_fit`.

    Raises
    ------
    ModelFileError
        If the file is no model file, is damaged, or of another version; says what is wrong.
    OSError
        If the file cannot be read; FileNotFoundError if there is none.
    ImportError
        If scikit-learn is not installed, for an estimator.
    """
    with _faults_of(path):
        return _build.build(*_read(path))


def load_predictor(path: str | os.PathLike[str]) -> Predictor:
    """Read a file of any kind for scoring; needs no scikit-learn.

    Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    Predictor
    """
    with _faults_of(path):
        return _build.build_predictor(*_read(path))


def read_table(path: str | os.PathLike[str]) -> Table | None:
    """Read what :func:`save` was told of the columns of the table.

    Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    tuple of Column, or None
        None if the model was saved without `table`.
    """
    with _faults_of(path):
        metadata, _ = _read(path)
        return metadata.get("table")


@contextmanager
def _faults_of(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file before what is wrong with it."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error.__cause__


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata, with JSON decoded, and the tensors, both checked."""
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(f"{os.fspath(path)} is not a regular file")  # which may never end
    with open(path, "rb") as file:
        texts, header, n_bytes = _header.read_header(file)
        metadata = _schema.decode(texts)
        entries = _header.check_entries(header, n_bytes)
        expected = _schema.check_entries(metadata, entries)
        tensors = _header.read_tensors(file, entries)
    require(
        metadata[_header.CHECKSUM] == _header.checksum(texts, tensors),
        "the checksum does not match: the file is damaged, or was changed",
    )
    _schema.check_values(expected, tensors)
    return metadata, tensors
