"""The C file of a model: its tables, its functions and the frame around them."""

from __future__ import annotations

from collections import Counter
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS
from .._version import __version__
from . import _c_text as text
from ._description import Description, plain_labels


class CSource:
    """The C file of a model."""

    def __init__(self, name: str, description: Description) -> None:
        self.name, self.dtype = name, description.dtype
        self._description = description
        self._tables: list[str] = []
        self._counts: Counter[str] = Counter()
        self._functions: dict[str, str] = {}
        self._label_type = ""
        self.stack = self._write(description)

    def _write(self, model: Description) -> int:
        """Write tables and functions; return the number of bytes on the stack during a call."""
        stack = self.write_forward(model)
        if model.output != "identity":
            self.activation(model.output)
        if model.output not in REGRESSION_OUTPUTS:
            stack += model.n_outputs
        if model.classes is not None:
            self.write_labels(model.classes)
        return stack * model.dtype.itemsize

    def fill_in(self, template: str, dtype: np.dtype[Any] | None = None) -> str:
        """Fill in a template with the names and types of this file."""
        return text.fill_in(template, self.name, dtype or self.dtype, self._label_type)

    def table(self, name: str, array: NDArray[Any]) -> str:
        """Define a constant array of the type of the array, and return its name.

        That is new if another array has it already.
        """
        self._counts[name] += 1
        if self._counts[name] > 1:
            name = f"{name}_{self._counts[name]}"
        head = f"static const {text.c_type(array.dtype)} NAME_{name}[{array.size}]"
        self._append_table(head, text.numbers(array))
        return f"{self.name}_{name}"

    def integers(self, name: str, array: NDArray[np.intp]) -> str:
        """Define a constant array of ints, and return its name."""
        self._append_table(f"static const int NAME_{name}[{array.size}]", text.integers(array))
        return f"{self.name}_{name}"

    def _append_table(self, head: str, values: str) -> None:
        self._tables.append(f"{self.fill_in(head)} = {{\n{values}\n}};")

    def function(self, name: str, template: str) -> str:
        """Define a function, once, and return its name."""
        self._functions[name] = self.fill_in(template)
        return f"{self.name}_{name}"

    def write_forward(self, model: Description, name: str = "forward") -> int:
        """Write the function that computes the logits or the predicted targets.

        Returns the number of its numbers on the stack.
        """
        statements: list[str] = []
        buffers = Buffers()
        a, width = "x", model.n_features
        for step in model.steps:
            width = step.width(width)
            out = buffers.next(width)
            statements.append(step.to_c(self, a, out))
            a = out
        affine = self.function("affine", text.AFFINE)
        for number, layer in enumerate(model.layers, start=1):
            n, m = layer.W.shape
            out = buffers.next(m) if number < len(model.layers) else "z"
            W, b = self.table(f"W{number}", layer.W), self.table(f"b{number}", layer.b)
            statements.append(f"{affine}({n}, {m}, {a}, {W}, {b}, {out});")
            if layer.activation != "identity":
                statements.append(f"{self.activation(layer.activation)}({m}, {out});")
            a = out
        if model.rescale is not None:
            self.table("target_scale", model.rescale.scale)
            self.table("target_mean", model.rescale.mean)
            statements.append(f"{self.function('rescale', text.RESCALE)}(z);")
        arrays = [f"REAL {buffer}[{width}];" for buffer, width in sorted(buffers.sizes.items())]
        body = "\n".join(f"    {line}" for line in [*map(self.fill_in, arrays), *statements])
        head = self.fill_in(f"static void NAME_{name}(const REAL *x, REAL *z)")
        self._functions[name] = f"{head}\n{{\n{body}\n}}"
        return sum(buffers.sizes.values())

    def activation(self, name: str) -> str:
        """Define an activation function, and return its name."""
        return self.function(name, text.ACTIVATIONS[name])

    def write_labels(self, classes: NDArray[Any]) -> None:
        """Write the table of the labels."""
        labels = plain_labels(classes)
        self._label_type, values = text.labels(labels)
        self._append_table(f"static LABEL const NAME_labels[{labels.size}]", values)

    def title(self) -> str:
        """Return the model in a few words."""
        return str(self._description)

    def n_features(self) -> int:
        """Return the number of elements of a row."""
        return self._description.n_features

    def declarations(self) -> str:
        """Return the declarations of the public functions."""
        return self.fill_in(text.DECLARATIONS[self._description.output])

    def definitions(self) -> str:
        """Return the definitions of the public functions."""
        return self.fill_in(text.DEFINITIONS[self._description.output])

    def features(self) -> str:
        """Return the lines of a comment about the elements of a row."""
        return text.features(self._description.feature_names)

    def __str__(self) -> str:
        model = self._description
        filled = self.fill_in(text.FRAME).format(
            summary=f"{self.name}: {self.title()}. Written by dnncore {__version__}.",
            features=self.features(),
            n_features=self.n_features(),
            n_outputs=model.n_outputs,
            stack=self.stack,
            declarations=self.declarations(),
            tables="\n\n".join(["#include <math.h>", *self._tables]),
            functions="\n\n".join([*self._functions.values(), self.definitions()]),
        )
        return f"{filled}\n"


class Buffers:
    """Two arrays on the stack that are written alternately.

    Attributes
    ----------
    sizes : dict of str to int
        Number of elements of each.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._names = cycle("ac")

    def next(self, width: int) -> str:
        """Return the one that was not written last, with at least `width` elements."""
        name = next(self._names)
        self.sizes[name] = max(width, self.sizes.get(name, 0))
        return name
