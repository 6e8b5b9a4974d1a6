"""Model files: a network, an estimator or a predictor in one safetensors file, without pickle.

``docs/reference/model_file.md`` describes every key and tensor of the format.
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
from .._estimators.interface import Estimator, TabularModel
from ..network import Network
from ..predictor import Predictor
from ..table_predictor import TablePredictor
from . import _build, _describe, _header, _json, _schema
from ._header import ModelFileError, require

__all__ = ["ModelFileError", "load", "load_predictor", "read_division", "read_table", "save"]


def save(
    model: Network | Predictor | Estimator | TabularModel,
    path: str | os.PathLike[str],
    *,
    table: Sequence[Column] | None = None,
    solver_state: bool = False,
    division: str | None = None,
) -> None:
    """Write a network, a fitted estimator or a predictor to a safetensors file.

    The file is replaced atomically: a concurrent reader sees either the old file or the new one.
    The same model always gives the same bytes.

    Parameters
    ----------
    model : Network, Predictor, or fitted estimator
        A DNNClassifier, DNNRegressor, TabularClassifier or TabularRegressor.
    path : str or path-like
        Path of the file.
    table : sequence of Column, optional
        Encoding of the columns of a table as features, in the order of the features;
        :func:`read_table` returns it. By default, that of the file from which the model was
        loaded. For a TabularClassifier or TabularRegressor, which encode
        the columns themselves, it may have only the target.
    solver_state : bool
        Whether to store the complete training state of a DNNClassifier or DNNRegressor (the
        vectors of the solver, the learning rate, the random generator, the number of epochs
        without improvement), so that `partial_fit`, or `fit` with `warm_start`, resumes training
        bit for bit after loading. The file is up to three times as large. A `random_state` that
        is not an integer, which determines the rows that `early_stopping` splits off, is not
        stored. For a TabularClassifier or TabularRegressor from a
        :class:`dnncore.checkpoints.Checkpoint`, whether to store what completes its fit.
    division : str, optional
        Fingerprint of the rows and of their split into training, validation and test rows, which
        :func:`read_division` returns; for a DNNClassifier or DNNRegressor.

    Raises
    ------
    TypeError
        If `model` is not one of these, or its classes or a parameter cannot be stored.
    ValueError
        If a number of the model is not finite, the estimator is not fitted or has no solver state,
        or the number of features of `table` differs from that of the model.
    ImportError
        If safetensors is not installed.
    OSError
        If the file cannot be written; an existing file is left unchanged.
    """
    described, tensors = _describe.describe(model, solver_state)
    if table is None:
        table = _describe.table_of(model)
    if table is not None:
        columns.check_columns(table, _schema.n_table_features(described))
        described["table"] = columns.to_json(table)
    if division is not None:
        described["division"] = division
    metadata = {
        name: _json.encode(name, value) if _schema.KEYS[name].json else str(value)
        for name, value in described.items()
    }
    metadata[_header.CHECKSUM] = ""
    try:  # Make sure that the file can be read.
        decoded = _schema.decode(metadata)
        entries = {name: _header.Entry.of(tensor) for name, tensor in tensors.items()}
        _schema.check_values(_schema.check_entries(decoded, entries), tensors)
    except ModelFileError as error:
        raise ValueError(f"the model cannot be saved: {error}") from error
    metadata[_header.CHECKSUM] = _header.checksum(metadata, tensors)
    write_atomically(path, _header.serialize(metadata, tensors))


def load(path: str | os.PathLike[str]) -> Network | Predictor | Estimator | TabularModel:
    """Read a model written by :func:`save`.

    Everything is checked before use: the checksum, names, dtypes, shapes, values, classes and
    parameters. Loading never executes code from the file, and needs memory in proportion to its
    size.

    Parameters
    ----------
    path : str or path-like
        Path of the file.

    Returns
    -------
    Network, DNNClassifier, DNNRegressor, TabularClassifier, TabularRegressor or Predictor
        The model. An estimator gives the same predictions as before; a DNNClassifier or
        DNNRegressor can be trained further with `partial_fit`.

    Raises
    ------
    ModelFileError
        If the file is not a model file, is damaged, or has another version. The message describes
        the problem.
    OSError
        If the file cannot be read; FileNotFoundError if it does not exist.
    ImportError
        If the file contains an estimator and scikit-learn is not installed.
    """
    with _path_in_errors(path):
        read = _read(path)
        with _errors_of_files():
            return _build.build(*read)


def load_predictor(path: str | os.PathLike[str]) -> Predictor | TablePredictor:
    """Read a model of any kind as a predictor, without scikit-learn.

    Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    Predictor, or TablePredictor for a TabularClassifier or TabularRegressor
    """
    with _path_in_errors(path):
        read = _read(path)
        with _errors_of_files():
            return _build.build_predictor(*read)


def read_table(path: str | os.PathLike[str]) -> Table | None:
    """Read the `table` that was passed to :func:`save`.

    Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    tuple of Column, or None
        The columns; None if the model was saved without `table`.
    """
    with _path_in_errors(path):
        metadata, _ = _read(path)
        return metadata.get("table")


def read_division(path: str | os.PathLike[str]) -> str | None:
    """Read the `division` that was passed to :func:`save`.

    Parameters, checks and errors are those of :func:`load`.

    Returns
    -------
    str or None
        None if the model was saved without `division`.
    """
    with _path_in_errors(path):
        metadata, _ = _read(path)
        return metadata.get("division")


@contextmanager
def _path_in_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Prefix the message of a ModelFileError with the path."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error.__cause__


@contextmanager
def _errors_of_files() -> Iterator[None]:
    """Turn errors of the parts of a model into errors of its file."""
    try:
        yield
    except ModelFileError:
        raise
    except (TypeError, ValueError) as error:
        raise ModelFileError(str(error)) from error


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read and check the metadata, with JSON decoded, and the tensors."""
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise OSError(f"{os.fspath(path)} is not a regular file")  # it may never end
    with open(path, "rb") as file:
        texts, header, n_bytes = _header.read_header(file)
        metadata = _schema.decode(texts)
        entries = _header.check_entries(header, n_bytes)
        expected = _schema.check_entries(metadata, entries)
        tensors = _header.read_tensors(file, entries)
    require(
        metadata[_header.CHECKSUM] == _header.checksum(texts, tensors),
        "the checksum does not match: the file is damaged or was modified",
    )
    _schema.check_values(expected, tensors)
    return metadata, tensors
