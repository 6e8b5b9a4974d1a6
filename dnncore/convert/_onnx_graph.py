"""An ONNX graph that is built node by node."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ._description import Description
from ._table_description import TableDescription

OPSET = 13  # the oldest version in which all operators behave as they are used here


class Graph:
    """An ONNX graph that is built node by node; values are referred to by name."""

    def __init__(self) -> None:
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise ImportError("to_onnx needs onnx: pip install 'dnncore[onnx]'") from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._counts: Counter[str] = Counter()
        self._numbers: set[str] = set()
        self._outputs: list[Any] = []

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array, of numbers or strings, and return its name.

        That is new if another array has it already.
        """
        self._counts[name] += 1
        if self._counts[name] > 1:
            name = f"{name}_{self._counts[name]}"
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def number(self, value: float, dtype: np.dtype[Any]) -> str:
        """Store a number, once, and return its name."""
        name = f"{dtype}_{value!r}"
        if name not in self._numbers:
            self._numbers.add(self.constant(name, np.array(value, dtype)))
        return name

    def add(
        self, operator: str, *inputs: str, output: str = "", n_unused: int = 0, **attributes: Any
    ) -> str:
        """Append a node and return the name of its first output; others are not used."""
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        outputs = [output, *(f"{output}_unused_{i}" for i in range(n_unused))]
        node = self._onnx.helper.make_node(operator, inputs, outputs, output, **attributes)
        self._nodes.append(node)
        return output

    def declare_output(self, name: str, dtype: np.dtype[Any], *columns: int) -> None:
        """Declare the value with this name, of shape (n, *columns), as an output."""
        self._outputs.append(self._value(name, dtype, *columns))

    def type_code(self, dtype: np.dtype[Any]) -> int:
        """Return the ONNX code of an element type."""
        code: int = self._onnx.helper.np_dtype_to_tensor_dtype(dtype)
        return code

    def _value(self, name: str, dtype: np.dtype[Any], *columns: int) -> Any:
        code = self.type_code(dtype)
        return self._onnx.helper.make_tensor_value_info(name, code, ["n", *columns])

    def finish(self, description: Description | TableDescription) -> Any:
        """Return the complete model."""
        helper = self._onnx.helper
        X = self._value("X", description.dtype, description.n_features)
        graph = helper.make_graph(self._nodes, "dnncore", [X], self._outputs, self._constants)
        opset = helper.make_opsetid("", OPSET)
        proto = helper.make_model(
            graph, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
            producer_name="dnncore", producer_version=__version__, doc_string=str(description),
        )  # fmt: skip
        metadata = {"dnncore_version": __version__}
        if description.feature_names is not None:
            metadata["feature_names"] = json.dumps(description.feature_names)
        if isinstance(description, TableDescription):
            metadata["categories"] = json.dumps(description.categories)
        helper.set_model_props(proto, metadata)
        return proto
