"""Export to a single C file that scores rows without Python."""

from __future__ import annotations

import os
import re
from itertools import cycle
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from .._core import checks as check
from .._data.atomic import write_atomically
from .._version import __version__
from . import _c_text as text
from ._description import Description, describe, plain_labels

if TYPE_CHECKING:
    from ._description import Model

PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
MAX_STACK = 1 << 18


def to_c(
    model: Model,
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
        Regressor, or any network with output 'identity': the predicted targets, in their units.

    Parameters
    ----------
    model : Network, fitted DNNClassifier or DNNRegressor, or Predictor
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
    source = CSource(name, describe(model))
    if source.stack > limit:
        raise ValueError(
            f"max_stack must be at least {source.stack} for this model, got {max_stack}"
        )
    write_atomically(path, str(source).encode("ascii"))


class CSource:
    """The C file of a model."""

    def __init__(self, name: str, description: Description) -> None:
        self._name, self._description = name, description
        self._tables: list[str] = []
        self._functions: dict[str, str] = {}
        self._buffers: dict[str, int] = {}
        self._names = cycle("ac")
        self._label_type = ""
        itemsize = description.dtype.itemsize
        self._write_forward()
        if description.classes is not None:
            self._write_labels(plain_labels(description.classes))
        outputs = 0 if description.output == "identity" else description.n_outputs
        self.stack = (sum(self._buffers.values()) + outputs) * itemsize

    def fill_in(self, template: str) -> str:
        """Fill in a template with the names and types of this file."""
        return text.fill_in(template, self._name, self._description.dtype, self._label_type)

    def table(self, name: str, array: NDArray[Any]) -> str:
        """Define a constant array and return its name."""
        self._append_table(f"static const REAL NAME_{name}[{array.size}]", text.numbers(array))
        return f"{self._name}_{name}"

    def _append_table(self, head: str, values: str) -> None:
        self._tables.append(f"{self.fill_in(head)} = {{\n{values}\n}};")

    def function(self, name: str, template: str) -> str:
        """Define a function, once, and return its name."""
        self._functions[name] = self.fill_in(template)
        return f"{self._name}_{name}"

    def _buffer(self, width: int) -> str:
        """Return a buffer of at least `width` numbers, different from the previous one."""
        name = next(self._names)
        self._buffers[name] = max(width, self._buffers.get(name, 0))
        return name

    def _write_forward(self) -> None:
        """Write the function that computes the logits or the predicted targets."""
        model = self._description
        statements: list[str] = []
        a, width = "x", model.n_features
        for step in model.steps:
            width = step.width(width)
            out = self._buffer(width)
            statements.append(step.to_c(self, a, out))
            a = out
        affine = self.function("affine", text.AFFINE)
        for number, layer in enumerate(model.layers, start=1):
            n, m = layer.W.shape
            out = self._buffer(m) if number < len(model.layers) else "z"
            W, b = self.table(f"W{number}", layer.W), self.table(f"b{number}", layer.b)
            statements.append(f"{affine}({n}, {m}, {a}, {W}, {b}, {out});")
            if layer.activation != "identity":
                statements.append(f"{self._activation(layer.activation)}({m}, {out});")
            a = out
        if model.rescale is not None:
            self.table("target_scale", model.rescale.scale)
            self.table("target_mean", model.rescale.mean)
            statements.append(f"{self.function('rescale', text.RESCALE)}(z);")
        arrays = [f"REAL {name}[{width}];" for name, width in sorted(self._buffers.items())]
        body = "\n".join(f"    {line}" for line in [*map(self.fill_in, arrays), *statements])
        head = self.fill_in("static void NAME_forward(const REAL *x, REAL *z)")
        if model.output != "identity":
            self._activation(model.output)
        self._functions["forward"] = f"{head}\n{{\n{body}\n}}"

    def _activation(self, name: str) -> str:
        return self.function(name, text.ACTIVATIONS[name])

    def _write_labels(self, classes: NDArray[Any]) -> None:
        self._label_type, values = text.labels(classes)
        self._append_table(f"static LABEL const NAME_labels[{classes.size}]", values)

    def __str__(self) -> str:
        model = self._description
        frame = self.fill_in(text.FRAME)
        filled = frame.format(
            summary=f"{self._name}: {model}. Written by dnncore {__version__}.",
            features=text.features(model.feature_names),
            n_features=model.n_features,
            n_outputs=model.n_outputs,
            stack=self.stack,
            declarations=self.fill_in(text.DECLARATIONS[model.output]),
            tables="\n\n".join(["#include <math.h>", *self._tables]),
            functions="\n\n".join(
                [*self._functions.values(), self.fill_in(text.DEFINITIONS[model.output])]
            ),
        )
        return f"{filled}\n"
