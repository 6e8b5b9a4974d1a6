"""The contenders, one file for each library.

A trainer is a function ``(Training) -> (() -> float)``: it sets everything up and returns a
function that trains for one epoch and returns the epoch's mean loss. A scorer is a function
``(Scoring) -> ((X) -> p)``, from a NumPy array to a NumPy array. Each is called in a process of
its own, so a contender may change settings of its process. A library that is not installed ends
in the ImportError of its file, a job that it has no means for in `Unavailable`.
"""

TRAINERS = {
    "dnncore": "contenders.dnncore_:train",
    "numpy": "contenders.numpy_:train",
    "sklearn": "contenders.sklearn_:train",
    "torch": "contenders.torch_:train",
    "torch-compiled": "contenders.torch_:train_compiled",
    "jax": "contenders.jax_:train",
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
    "thinc": "contenders.thinc_:score",
}


class Unavailable(Exception):
    """The library is there, but cannot do this job."""
