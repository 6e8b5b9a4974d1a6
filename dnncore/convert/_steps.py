"""Preprocessing steps before the first layer, implemented for each tool.

A new step needs a class here and a line in `_description.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class OnnxNodes(Protocol):
    """The interface of an ONNX graph that steps use, implemented by `_onnx.Graph`."""

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array and return its name."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return the name of its output."""

    def type_code(self, dtype: np.dtype[Any]) -> int:
        """Return the ONNX code of an element type."""


class CDefinitions(Protocol):
    """The interface of a C file that steps use, implemented by `_c.CSource`."""

    def table(self, name: str, array: NDArray[Any]) -> str:
        """Define a constant array and return its name."""

    def function(self, name: str, template: str) -> str:
        """Define a function, once, and return its name."""


class Step(Protocol):
    """A transformation of rows."""

    title: ClassVar[str]

    def width(self, n_features: int) -> int:
        """Return the number of output columns for `n_features` input columns."""

    def to_onnx(self, graph: OnnxNodes, x: str) -> str:
        """Append nodes to the graph and return the name of the output for `x`."""

    def to_c(self, source: CDefinitions, x: str, out: str) -> str:
        """Add tables and functions to the source; return the statement that writes `out`."""

    def to_torch(self) -> torch.nn.Module:
        """Return a module with copies of the parameters."""


@dataclass(frozen=True)
class Norm:
    """Input standardisation: ``(x - mean) / scale`` per feature."""

    mean: NDArray[Any]
    scale: NDArray[Any]

    title: ClassVar[str] = "input standardisation"

    def width(self, n_features: int) -> int:
        return n_features

    def to_onnx(self, graph: OnnxNodes, x: str) -> str:
        shifted = graph.add("Sub", x, graph.constant("mean", self.mean))
        return graph.add("Div", shifted, graph.constant("scale", self.scale))

    def to_c(self, source: CDefinitions, x: str, out: str) -> str:
        source.table("mean", self.mean)
        source.table("scale", self.scale)
        norm = source.function(
            "norm",
            """
            static void NAME_norm(const REAL *x, REAL *a)
            {
                int i;
                for (i = 0; i < MACRO_N_FEATURES; i++) a[i] = (x[i] - NAME_mean[i]) / NAME_scale[i];
            }
            """,
        )
        return f"{norm}({x}, {out});"

    def to_torch(self) -> torch.nn.Module:
        from ._torch_modules import Norm

        return Norm(self.mean, self.scale)


@dataclass(frozen=True)
class Missing:
    """Replace NaN with `fill`; append, for each of `features`, 1 if it was NaN and 0 otherwise.

    Input standardisation, which comes first, leaves NaN unchanged.
    """

    fill: NDArray[Any]
    features: NDArray[np.intp]

    title: ClassVar[str] = "missing values"

    def width(self, n_features: int) -> int:
        return n_features + self.features.size

    def to_onnx(self, graph: OnnxNodes, x: str) -> str:
        is_missing = graph.add("IsNaN", x)
        filled = graph.add("Where", is_missing, graph.constant("fill", self.fill), x)
        if not self.features.size:
            return filled
        indices = graph.constant("missing", self.features.astype(np.int64))
        indicators = graph.add("Gather", is_missing, indices, axis=1)
        indicators = graph.add("Cast", indicators, to=graph.type_code(self.fill.dtype))
        return graph.add("Concat", filled, indicators, axis=1)

    def to_c(self, source: CDefinitions, x: str, out: str) -> str:
        source.table("fill", self.fill)
        indicators = ""
        if self.features.size:
            cases = [
                f"a[MACRO_N_FEATURES + {i}] = x[{c}] != x[{c}];"
                for i, c in enumerate(self.features)
            ]
            indicators = "\n                ".join(["", *cases])
        function = source.function(
            "fill_in",
            f"""
            static void NAME_fill_in(const REAL *x, REAL *a)
            {{
                int i;
                for (i = 0; i < MACRO_N_FEATURES; i++)
                    a[i] = x[i] == x[i] ? x[i] : NAME_fill[i];{indicators}
            }}
            """,
        )
        return f"{function}({x}, {out});"

    def to_torch(self) -> torch.nn.Module:
        from ._torch_modules import Missing

        return Missing(self.fill, self.features)
