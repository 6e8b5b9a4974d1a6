"""ONNX Runtime: a graph of Gemm, Sigmoid and Softmax in an InferenceSession."""

from collections.abc import Callable

import onnxruntime
from _problems import Problem, Scoring
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # from 2022: supported by all current runtimes


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        _model(problem), options, providers=["CPUExecutionProvider"]
    )
    return lambda X: session.run(None, {"x": X})[0]


def _model(problem: Problem) -> bytes:
    nodes, initializers, name = [], [], "x"
    for layer, (W, b) in enumerate(zip(*problem.weights(), strict=True), start=1):
        initializers += [
            numpy_helper.from_array(W, f"W{layer}"),
            numpy_helper.from_array(b, f"b{layer}"),
        ]
        nodes.append(helper.make_node("Gemm", [name, f"W{layer}", f"b{layer}"], [f"z{layer}"]))
        last = layer == len(problem.layer_sizes) - 1
        name = "p" if last else f"a{layer}"
        nodes.append(helper.make_node("Softmax" if last else "Sigmoid", [f"z{layer}"], [name]))
    kind = TensorProto.FLOAT if problem.dtype == "float32" else TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", kind, [None, problem.layer_sizes[0]])],
        [helper.make_tensor_value_info("p", kind, [None, problem.layer_sizes[-1]])],
        initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    return model.SerializeToString()
