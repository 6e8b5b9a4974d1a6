"""Export to a single C file that scores rows without Python."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from .._core import checks as check
from .._data.atomic import write_atomically
from ._c_source import CSource
from ._c_table import TableCSource
from ._description import describe
from ._table_description import describe_table

if TYPE_CHECKING:
    from ._table_description import AnyModel

PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
MAX_STACK = 1 << 18


def to_c(
    model: AnyModel,
    path: str | os.PathLike[str],
    *,
    name: str = "model",
    max_stack: int = MAX_STACK,
) -> None:
    """Write a model as a single C file that scores one row at a time.

    The file is valid C99 and C++ and needs only ``<math.h>``. It allocates no memory and has no
    mutable state, so any number of threads may call it concurrently. The weights are ``static
    const``, with enough digits to be reproduced bit for bit. The file begins with a comment that
    explains how to compile or include it. It declares the following functions, where ``real`` is
    float or double, according to the model's dtype:

    ``void NAME_predict_proba(const real *x, real *p)``
        Classifier: the probabilities of a row.
    ``int NAME_predict(const real *x)``
        Classifier: the index of the most probable class.
    ``LABEL NAME_label(int index)``
        Classifier: the label with this index, as ``const char *`` (UTF-8), ``long long``,
        ``double``, or ``int`` for booleans.
    ``void NAME_predict(const real *x, int *label)``
        Multi-label classifier: 0 or 1 for each label.
    ``void NAME_predict(const real *x, real *y)``
        Regressor, or a network with an output for regression: the predictions, in the units of
        the targets.

    Parameters
    ----------
    model : Network, fitted estimator, Predictor or TablePredictor
        Or a scikit-learn Pipeline, as for :func:`to_onnx`.
        The file includes the input standardisation, the activations, the labels and the scale of
        the targets.
    path : str or path-like
        Path of the file, which is replaced atomically.
    name : str
        Prefix of all names in the file; in capitals for macros.
    max_stack : int
        Maximum size in bytes of the arrays on the stack during a call. The macro
        ``NAME_STACK_BYTES`` contains their actual size: two arrays that the input standardisation
        and the hidden layers write alternately, and one for the outputs.

    Raises
    ------
    TypeError
        If `model` is not a model, or an argument or the classes have the wrong type.
    ValueError
        If an estimator is not fitted, a parameter of the model is not finite, `name` is not a C
        identifier (a letter, then ASCII letters, digits and underscores), a label cannot be a C
        string, or the stack would exceed `max_stack`.
    OSError
        If the file cannot be written; an existing file is left unchanged.

    Notes
    -----
    The functions of a TabularClassifier, TabularRegressor or TablePredictor take and give double.
    A row is one for :class:`~dnncore.table_predictor.TablePredictor`, whose notes describe it;
    the comment at the top of the file lists its columns and the categories. The encoding, and all
    networks in their own type, are inside.

    A model with a million weights becomes a file of 17 MB, which GCC compiles in 5 s with 300 MB
    of memory.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {name!r}")
    if not PREFIX.fullmatch(name):
        raise ValueError(
            "name must be a C identifier (letters, digits and underscores after a letter), "
            f"got {name!r}"
        )
    limit = check.integer("max_stack", max_stack, low=0)
    table = describe_table(model)
    source = CSource(name, describe(model)) if table is None else TableCSource(name, table)
    if source.stack > limit:
        raise ValueError(
            f"max_stack must be at least {source.stack} for this model, got {max_stack}"
        )
    write_atomically(path, str(source).encode("ascii"))
