"""What happens to a row before the first layer, told once for each tool.

A step that a network comes to have is a class here, and a line in `_description.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from ._c import Source
    from ._onnx import Graph


class Step(Protocol):
    """A function of rows."""

    def width(self, n_features: int) -> int:
        """Columns that come of `n_features` columns."""

    def to_onnx(self, graph: Graph, x: str) -> str:
        """Append nodes to the graph; the name of what comes of `x`."""

    def to_c(self, source: Source, x: str, out: str) -> str:
        """Add tables and functions to the source; the statement that writes `out`."""

    def to_torch(self) -> torch.nn.Module:
        """A module with parameters of its own."""


@dataclass(frozen=True)
class Norm:
    """``(x - mean) / scale``, by feature."""

    mean: NDArray[Any]
    scale: NDArray[Any]

    def width(self, n_features: int) -> int:
        return n_features

    def to_onnx(self, graph: Graph, x: str) -> str:
        shifted = graph.add("Sub", x, graph.constant("mean", self.mean))
        return graph.add("Div", shifted, graph.constant("scale", self.scale))

    def to_c(self, source: Source, x: str, out: str) -> str:
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
