"""The contenders, one file per library.

A trainer is a function ``(Training) -> (() -> float)``: it prepares training, and returns a
function that trains for one epoch and returns the mean loss of the epoch. A scorer is a function
``(Scoring) -> ((X) -> p)``, where X and p are NumPy arrays. Each is called in its own process, so
that contenders may change process-wide settings. If a library is not installed, importing its file
raises ImportError; if it cannot perform a task, the function raises `Unavailable`.
"""

TRAINERS = {
    "dnncore": "contenders.dnncore_:train",
    "numpy": "contenders.numpy_:train",
    "sklearn": "contenders.sklearn_:train",
    "torch": "contenders.torch_:train",
    "torch-compiled": "contenders.torch_:train_compiled",
    "jax": "contenders.jax_:train",
    "tensorflow": "contenders.tensorflow_:train",
    "tensorflow-xla": "contenders.tensorflow_:train_xla",
    "mlx": "contenders.mlx_:train",
    "skorch": "contenders.skorch_:train",
    "thinc": "contenders.thinc_:train",
}

SCORERS = {
    "dnncore": "contenders.dnncore_:score",
    "dnncore-frozen": "contenders.dnncore_:score_frozen",
    "numpy": "contenders.numpy_:score",
    "sklearn": "contenders.sklearn_:score",
    "torch": "contenders.torch_:score",
    "torchscript": "contenders.torchscript_:score",
    "jax": "contenders.jax_:score",
    "onnxruntime": "contenders.onnxruntime_:score",
    "openvino": "contenders.openvino_:score",
    "thinc": "contenders.thinc_:score",
}


class Unavailable(Exception):
    """The library is installed, but cannot perform the task."""
