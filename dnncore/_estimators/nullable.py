"""Targets of nullable types as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.checks import is_sparse
from .._data.cells import MISSING_TYPES


def without_nullable(name: str, y: Any) -> Any:
    """Return targets without nullable dtypes of pandas, which scikit-learn takes as floats.

    Parameters
    ----------
    name : str
        Name of `y` in errors.
    y : object
        Targets or labels, as given by the user.

    Returns
    -------
    object
        For a nullable dtype of numbers or Booleans, also of Arrow, an array of its NumPy dtype;
        anything else as it is.

    Raises
    ------
    ValueError
        If a value is missing, unless it is NaN in an array of floats.
    """
    if y is None or is_sparse(y):
        return y
    if hasattr(y, "iloc") and y.ndim == 2:  # a DataFrame of pandas
        columns = [without_nullable(name, y.iloc[:, index]) for index in range(y.shape[1])]
        return np.column_stack(columns) if any(map(_is_nullable, y.dtypes)) else y
    dtype: Any = getattr(y, "dtype", None)
    if hasattr(dtype, "na_value"):  # an extension of pandas
        _check_present(name, y, y.isna())
        return y.to_numpy(dtype.numpy_dtype) if _is_nullable(dtype) else y
    cells = np.asarray(y)
    if cells.dtype == object:
        missing = [type(cell).__name__ in MISSING_TYPES for cell in cells.flat]
        _check_present(name, cells, np.reshape(missing, cells.shape))
    return y


def _is_nullable(dtype: Any) -> bool:
    return hasattr(dtype, "numpy_dtype") and dtype.kind in "biuf"


def _check_present(name: str, y: Any, missing: Any) -> None:
    if missing.any():
        cell, row = np.asarray(y, object)[missing][0], np.argwhere(missing)[0, 0]
        raise ValueError(f"{name} must not have missing values, got {cell} in row {row}")
