"""OpenVINO: a model of MatMul, Sigmoid and Softmax, compiled for latency and the number of rows."""

from collections.abc import Callable

import numpy as np
import openvino
from _problems import Scoring
from numpy.typing import NDArray
from openvino import opset13 as ops

SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    # The default is bfloat16, of two to three digits, on processors with AMX or AVX-512 BF16.
    "INFERENCE_PRECISION_HINT": "f32",
}


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    settings = SETTINGS | {"INFERENCE_NUM_THREADS": problem.threads}
    compiled = openvino.Core().compile_model(_model(problem), "CPU", settings)
    request = compiled.create_infer_request()
    # Written and read in place: for one row, this takes half the time of passing arrays.
    x, p = request.get_input_tensor().data, request.get_output_tensor().data

    def predict_proba(X: NDArray) -> NDArray:
        np.copyto(x, X)
        request.infer()
        return p.copy()

    return predict_proba


def _model(problem: Scoring) -> openvino.Model:
    a = x = ops.parameter([problem.n_rows, problem.layer_sizes[0]], np.dtype(problem.dtype))
    for W, b in zip(*problem.weights(), strict=True):
        z = ops.add(ops.matmul(a, ops.constant(W), False, False), ops.constant(b))
        a = ops.sigmoid(z)
    return openvino.Model([ops.softmax(z, axis=1)], [x], "network")
