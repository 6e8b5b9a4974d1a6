"""Preprocessing steps before the first layer, implemented for each tool.

A new step needs a class here and a line in `_description.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.piecewise_linear import EmbeddingParameters, PiecewiseLinear

if TYPE_CHECKING:
    import torch


class OnnxNodes(Protocol):
    """The interface of an ONNX graph that steps use, implemented by `_onnx_graph.Graph`."""

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array and return its name, which is new if another array has it already."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return the name of its output."""

    def type_code(self, dtype: np.dtype[Any]) -> int:
        """Return the ONNX code of an element type."""


class CDefinitions(Protocol):
    """The interface of a C file that steps use, implemented by `_c_source.CSource`."""

    def table(self, name: str, array: NDArray[Any]) -> str:
        """Define a constant array and return its name, which is new if another one has it."""

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


@dataclass(frozen=True)
class Embedding:
    """Piecewise-linear embedding of numbers: ``s (x, c + q V, rest)``.

    See :class:`dnncore.PiecewiseLinear`.
    """

    form: PiecewiseLinear
    learnt: EmbeddingParameters

    title: ClassVar[str] = "embedding"

    def width(self, n_features: int) -> int:
        return self.form.n_outputs

    def to_onnx(self, graph: OnnxNodes, x: str) -> str:
        s, V, c = self.learnt
        numbers, rest = np.split(np.arange(self.form.n_inputs), [self.form.n_numeric])
        parts = []
        if numbers.size:
            x_numbers = graph.add("Gather", x, graph.constant("embedded", numbers), axis=1)
            column = graph.add("Unsqueeze", x_numbers, graph.constant("last_axis", np.array([2])))
            shifted = graph.add("Sub", column, graph.constant("lower", self.form.lower))
            inverse_width = graph.constant("inverse_width", self.form.inverse_width)
            q = graph.add("Mul", shifted, inverse_width)
            bounds = (graph.constant(f"q_{x}", np.array(x, s.dtype)) for x in (0, 1))
            q = graph.add("Clip", q, *bounds)
            # A product for each number: (n_numeric, n, n_bins) times (n_numeric, n_bins, size).
            q = graph.add("Transpose", q, perm=[1, 0, 2])
            e = graph.add("MatMul", q, graph.constant("V", V.transpose(0, 2, 1).copy()))
            e = graph.add("Transpose", e, perm=[1, 0, 2])
            e = graph.add("Add", e, graph.constant("c", c))
            shape = graph.constant("shape", np.array([0, numbers.size * self.form.size]))
            parts = [x_numbers, graph.add("Reshape", e, shape)]
        if rest.size:
            parts.append(graph.add("Gather", x, graph.constant("others", rest), axis=1))
        out = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
        return graph.add("Mul", out, graph.constant("s", s))

    def to_c(self, source: CDefinitions, x: str, out: str) -> str:
        form, (s, V, c) = self.form, self.learnt
        arguments = [str(form.n_inputs), str(form.n_numeric), str(form.n_bins), str(form.size), x]
        arguments.append(source.table("s", s))
        others = ("lower", form.lower), ("inverse_width", form.inverse_width), ("V", V), ("c", c)
        for name, array in others:
            arguments.append(source.table(name, array) if form.n_numeric else "0")
        function = source.function(
            "embed",
            """
            /* s (x, c + q V, rest), where q = (x - lower) inverse_width, clipped to [0, 1]. */
            static void NAME_embed(int n_inputs, int n_numeric, int n_bins, int size,
                                   const REAL *x, const REAL *s, const REAL *lower,
                                   const REAL *inverse_width, const REAL *V, const REAL *c,
                                   REAL *out)
            {
                int i, d, t;
                for (i = 0; i < n_numeric; i++) *out++ = *s++ * x[i];
                for (i = 0; i < n_numeric; i++, lower += n_bins, inverse_width += n_bins) {
                    for (d = 0; d < size; d++, V += n_bins) {
                        REAL sum = *c++;
                        for (t = 0; t < n_bins; t++) {
                            const REAL q = (x[i] - lower[t]) * inverse_width[t];
                            if (q > 0) sum += (q < 1 ? q : 1) * V[t];
                        }
                        *out++ = *s++ * sum;
                    }
                }
                for (i = n_numeric; i < n_inputs; i++) *out++ = *s++ * x[i];
            }
            """,
        )
        return f"{function}({', '.join(arguments)}, {out});"

    def to_torch(self) -> torch.nn.Module:
        from ._torch_modules import Embedding

        return Embedding(self.form.lower, self.form.inverse_width, *self.learnt)
